"""Tells the run's lineage: START, and COMPLETE, FAIL or ABORT, of the run and of each node."""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline.node import Node

from medallion.hooks.collecting import RunCollector, harmless, layer_of
from medallion.hooks.keeping import keep_newest
from medallion.spec import Spec, load_spec

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent, RunState

    from medallion.lineage.events import RunEvents, Touched
    from medallion.lineage.sending import EventFile, Sender

logger = logging.getLogger(__name__)
# Seconds that a run waits for its backend at its end.
_WAIT = 0.8


class RunLineage:
    """Writes `metrics/lineage/<run_id>.jsonl`, and sends the events to a backend if told to.

    Args:
        collector: What is known of the run.
    """

    def __init__(self, collector: RunCollector) -> None:
        self._collector = collector
        self._project: Path | None = None
        self._reset()

    def _reset(self) -> None:
        self._events: RunEvents | None = None
        self._file: EventFile | None = None
        self._sender: Sender | None = None
        self._spec: Spec | None = None
        self._catalog: DataCatalog | None = None
        self._touched: dict[str, tuple[list[str], list[str]]] = {}
        self._known: dict[str, Touched | None] = {}
        self._failed: str | None = None

    @property
    def _folder(self) -> Path:
        return self._collector.data_root / "metrics" / "lineage"

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Remembers where the code lies."""
        self._project = Path(context.project_path)

    @hook_impl
    @harmless
    def before_pipeline_run(self, catalog: DataCatalog) -> None:
        """Tells that the run starts; the event is on disk before any node runs."""
        self._reset()
        if self._collector.settings.lineage.transport == "off":
            return
        self._catalog = catalog
        self._spec = load_spec(self._collector.spec_path)
        self._events = self._run_events()
        self._open()
        atexit.register(self._abort)
        self._tell(self._events.of_run(_state("START")))

    def _run_events(self) -> RunEvents:
        from medallion.lineage.events import RunEvents, source_of

        settings = self._collector.settings.lineage
        facts = self._collector.facts
        return RunEvents(
            namespace=settings.namespace,
            job=settings.job,
            run_id=facts.run_id,
            started=datetime.now(UTC),
            versions=("Kedro", version("kedro"), version("medallion")),
            environment=facts.environment,
            source=source_of(self._project) if self._project else None,
        )

    def _open(self) -> None:
        from medallion.lineage.sending import EventFile, Sender, http_post

        settings = self._collector.settings.lineage
        self._folder.mkdir(parents=True, exist_ok=True)
        keep_newest(self._folder, "*.jsonl", settings.keep - 1)
        self._file = EventFile(self._folder / f"{self._collector.file_name}.jsonl")
        if settings.transport == "http" and settings.url:
            url, key = settings.url, os.environ.get(settings.api_key_variable)
            timeout = settings.timeout_seconds
            self._sender = Sender(
                lambda: http_post(url, settings.endpoint, timeout, key), settings.queue
            )

    def _tell(self, event: RunEvent) -> None:
        if self._file:
            self._file.write(event)
        if self._sender:
            self._sender.send(event)

    @hook_impl
    @harmless
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> None:
        """Tells that a node starts, with what it reads and will write."""
        if self._events:
            self._touched[node.name] = ([*node.inputs, *_behind(node, inputs)], [*node.outputs])
            self._tell_of_node("START", node)

    @hook_impl
    @harmless
    def after_node_run(self, node: Node, outputs: dict[str, Any]) -> None:
        """Notes what only the results of a node tell that it has read."""
        if self._events:
            self._touched[node.name][0].extend(_behind(node, outputs))

    @hook_impl
    @harmless
    def after_dataset_saved(self, node: Node) -> None:
        """Tells that a node is complete, when all its outputs are saved."""
        if self._events and self._collector.has_ended(node):
            self._tell_of_node("COMPLETE", node)

    @hook_impl
    def on_node_error(self, node: Node) -> None:
        """Notes which node has failed."""
        self._failed = node.name

    @hook_impl
    @harmless
    def after_pipeline_run(self) -> None:
        """Tells that the run is complete."""
        self._finish("COMPLETE")

    @hook_impl
    @harmless
    def on_pipeline_error(self) -> None:
        """Tells that the run and the node have failed, and that others at work were cut short."""
        self._finish("FAIL")

    # Kedro calls no hook when a run is interrupted.
    def _abort(self) -> None:
        self._finish("ABORT")

    def _finish(self, state: str) -> None:
        if not self._events:
            return
        error = self._collector.facts.error if state == "FAIL" else None
        for name, node in list(self._collector.running.items()):
            failed = state == "FAIL" and self._failed in (None, name)
            self._tell_of_node("FAIL" if failed else "ABORT", node, error if failed else None)
        self._tell(self._events.of_run(_state(state), error))
        self._close()

    def _close(self) -> None:
        atexit.unregister(self._abort)
        if self._file:
            self._file.close()
        if self._sender:
            self._keep_undelivered(self._sender.close(_WAIT), self._sender.problem)
        self._reset()

    def _keep_undelivered(self, events: Iterable[RunEvent], problem: str) -> None:
        """Puts what the backend did not take into a file from which it can be sent again."""
        from medallion.lineage.sending import EventFile

        kept = list(events)
        if not kept:
            return
        folder = self._folder / "undelivered"
        file = EventFile(folder / f"{self._collector.file_name}.jsonl")
        for event in kept:
            file.write(event)
        file.close()
        keep_newest(folder, "*.jsonl", self._collector.settings.lineage.keep)
        logger.warning(
            "The lineage backend did not take %s events (%s); they are in %s.",
            len(kept),
            problem,
            file.path,
        )

    def _tell_of_node(self, state: str, node: Node, error: str | None = None) -> None:
        if self._events is None:
            return
        read, written = self._touched.get(node.name, ([], []))
        if state == "COMPLETE":
            inputs, outputs = self._with_assertions(node, read), self._with_statistics(written)
        else:
            inputs, outputs = self._named_all(read), self._named_all(written)
        event = self._events.of_node(
            _state(state), node.name, _each_once(inputs), _each_once(outputs), error
        )
        self._tell(event)

    def _named_all(self, names: Iterable[str]) -> Iterable[Touched]:
        """Names alone: events of a run add up, and the last one brings the columns."""
        for name in names:
            if touched := self._named(name):
                yield replace(touched, columns=[])

    def _named(self, name: str) -> Touched | None:
        """A dataset of the catalog as lineage names it; None if it is only in memory."""
        if name not in self._known:
            from medallion.lineage.events import Touched
            from medallion.lineage.places import columns_of, place_of

            dataset = self._catalog.get(name) if self._catalog else None
            place = place_of(dataset, self._collector.data_root)
            columns = columns_of(self._spec, name) if self._spec else []
            self._known[name] = Touched(place, columns) if place else None
        return self._known[name]

    def _with_statistics(self, written: Iterable[str]) -> Iterable[Touched]:
        for name in written:
            touched, counted = self._named(name), self._collector.written.get(name)
            if touched and counted:
                touched = replace(
                    touched, rows=counted.rows, bytes=counted.bytes, files=counted.files
                )
            if touched:
                yield touched

    def _with_assertions(self, node: Node, read: Iterable[str]) -> Iterable[Touched]:
        """What a node has read; a gate tells what it has found in it."""
        from medallion.lineage.assertions import assertions_of, of_table

        layer = layer_of(node)
        gate = self._collector.facts.gates.get(layer, {})
        is_gate = f"{layer}.quality" in node.outputs and bool(gate.get("evaluated"))
        checked = [f"{layer}.{table}" for table in gate["tables"]] if is_gate else []
        found = assertions_of(gate) if is_gate else {}
        for name in (*read, *checked):
            touched = self._named(name)
            if touched and is_gate and name in checked:
                touched = replace(touched, assertions=of_table(found, name.partition(".")[2]))
            if touched:
                yield touched


def _each_once(touched: Iterable[Touched]) -> list[Touched]:
    """One for each place: a dimension and its history lie in the same."""
    return list({one.place: one for one in touched}.values())


def _state(name: str) -> RunState:
    from medallion.lineage.events import State

    return State(name)


def _behind(node: Node, values: Mapping[str, Any]) -> list[str]:
    """The tables that stand behind what a node is given or gives, by their catalog names."""
    from medallion.pipelines.bronze.nodes import OpenedBronze

    names: list[str] = []
    outputs = {name.partition(".")[2] for name in node.outputs}
    for name, value in values.items():
        if isinstance(value, OpenedBronze):
            own = [table for table in value.tables if table in outputs]
            names += [f"bronze.{table}" for table in own or value.tables]
        elif name == "warehouse.views" and name in node.inputs:
            names += [view for view in value if not view.startswith("quarantine.")]
    return names
