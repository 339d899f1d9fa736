"""Turns what Kedro says, and what the lake announces, into events for the sinks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline.node import Node

from medallion import events, foreign
from medallion.dbt_project.results import Receipt
from medallion.errors import UnrecordedError
from medallion.events import Event, TableWritten
from medallion.gates.result import GateResult
from medallion.hooks.current import Current
from medallion.lake.writes import BuiltTable
from medallion.masking import MASKED, Mask, is_secret_name
from medallion.pipelines.bronze.nodes import OpenedBronze
from medallion.planning.plan import RunPlan
from medallion.runs.audit.code import code_version, config_hash, git_sha
from medallion.runs.folder import RunFolder
from medallion.runs.journal import Journal
from medallion.runs.lifecycle import Status
from medallion.runs.record import RunRecord, compiled
from medallion.runs.settings import parse_observability
from medallion.runs.sinks.sink import CUT_SHORT, Sink, Surroundings, harmless
from medallion.storage import open_storage
from medallion.storage.layout import Layout
from medallion.storage.process import this_process

#: The node that this thread works on.
_node: ContextVar[str | None] = ContextVar("node", default=None)
# The namespace of the step that publishes.
_PUBLISH = "publish"
# What is asked for anew in every run is no configuration.
_NOT_CONFIGURATION = ("run_id", "ingest_dt", "start", "end", "replay", "forget")


@dataclass
class _Clock:
    """When a node began, and what of it is not saved yet."""

    unsaved: int
    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)


class RunRecorder:
    """Records a run: its events go to the run's journal and to the sinks.

    Args:
        current: The run that this process takes part in.
        sinks: Who is told.
    """

    def __init__(self, current: Current, sinks: Sequence[Sink]) -> None:
        self._current = current
        self._sinks = sinks
        self._lock = Lock()
        self._unlisten: Callable[[], None] = lambda: None
        self._around: Surroundings | None = None
        current.on_context.append(self._remember)
        current.on_check.append(self._check)
        current.on_begin.append(self._begin)
        current.on_dead.append(self._bury)
        current.on_end.append(self._end)
        current.on_step.append(self._share)
        current.on_leave.append(self._leave)

    def _remember(self, context: Any) -> None:
        self._context = context

    def _check(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        """Takes in the configuration; what cannot work is refused before the run begins."""
        loader = self._context.config_loader
        places, source = loader["globals"], Path(loader.conf_source)
        settings = parse_observability(loader["observability"])
        environment = self._context.env or "local"
        run = self._current.run
        self._around = Surroundings(
            run_id=run.folder.run_id,
            is_shared=run.is_shared,
            environment=environment,
            pipelines=tuple(run_params.get("pipeline_names") or ("__default__",)),
            parameters=catalog.load("params:run").model_dump(mode="json"),
            settings=settings,
            mask=Mask(os.environ, settings.secret_variables),
            layout=Layout.of(places),
            spec_path=str(places["spec"]),
            conf=(source / "base", source / environment),
            project_path=Path(self._context.project_path),
            catalog=catalog,
        )
        for sink in self._sinks:
            sink.check(self._around)

    def _begin(self) -> None:
        around = self._surroundings
        self._clocks: dict[str, _Clock] = {}
        self._nodes: dict[str, Node] = {}
        self._reads: dict[str, list[str]] = {}
        self._record = RunRecord(around.run_id)
        for sink in self._sinks:
            harmless(_name(sink), partial(sink.begin, around))
        self._ahead = self._time_to_catch_up()
        self._unlisten = events.listen(self._take)
        settings = {n: v for n, v in around.parameters.items() if n not in _NOT_CONFIGURATION}
        events.announce(
            events.RunStarted(
                process=this_process(),
                environment=around.environment,
                pipelines=around.pipelines,
                parameters=_masked(around.parameters, around.mask),
                git_sha=git_sha(),
                code_version=code_version(),
                config_hash=config_hash(settings, around.conf, Path(around.spec_path)),
            )
        )

    def _time_to_catch_up(self) -> timedelta:
        """How far the time of the run is ahead of this machine's: in a run it never goes back."""
        if not self._current.run.is_shared:
            return timedelta()
        times = (event.at for event in self._surroundings.journal.read())
        return max(timedelta(), max(times, default=events.now()) - events.now())

    @property
    def _surroundings(self) -> Surroundings:
        if self._around is None:
            raise RuntimeError("no run has begun")
        return self._around

    def _take(self, event: Event) -> None:
        """Keeps an event first of all, then passes it on."""
        around = self._surroundings
        if isinstance(event, TableWritten) and event.run_id != around.run_id:
            if RunFolder(open_storage(around.layout.run_documents), event.run_id).has_begun():
                Journal.of(around.layout, event.run_id).write(event)
                return
            # Whose folder is elsewhere, or gone, is recorded by nobody else.
            event = event.model_copy(update={"run_id": around.run_id})
        if isinstance(event, TableWritten):
            event = event.model_copy(update=self._made_by(event))
        if self._ahead:
            event = event.model_copy(update={"at": event.at + self._ahead})
        around.journal.write(event)
        if _concerns_all_machines(event):
            harmless("Journal", around.journal.share)
        with self._lock:
            self._record.note(event)
        for sink in self._sinks:
            harmless(_name(sink), partial(sink.on, event))

    def _made_by(self, table: TableWritten) -> dict[str, str]:
        """The step and the process that write a table; nothing if a recovery does."""
        layer = "base_silver" if table.layer == "base" else table.layer
        with self._lock:
            writing = [
                n for n, one in self._nodes.items() if f"{layer}.{table.table}" in one.outputs
            ]
        # Kedro saves in a thread of its own if it is told to.
        step = table.step or _node.get() or next(iter(writing), None)
        return {"step": step, "process": this_process()} if step else {}

    @hook_impl
    def before_node_run(self, node: Node, inputs: dict[str, Any]) -> None:
        """Notes that a node begins."""
        if self._around is None:
            return
        _node.set(node.name)
        with self._lock:
            self._clocks[node.name] = _Clock(len(node.outputs))
            self._nodes[node.name] = node
            self._reads[node.name] = [*node.inputs, *_tables_behind(inputs.values())]
        events.announce(
            events.StepStarted(
                step=node.name,
                layer=_layer(node),
                process=this_process(),
                reads=tuple(self._reads[node.name]),
                writes=tuple(node.outputs),
            )
        )

    @hook_impl
    def after_node_run(self, node: Node, outputs: dict[str, Any]) -> None:
        """Announces what a node hands on, by its type."""
        if self._around is None:
            return
        made = {name.partition(".")[2] for name in node.outputs}
        behind = [t for t in _tables_behind(outputs.values()) if t.partition(".")[2] in made]
        self._reads[node.name] += behind or _tables_behind(outputs.values())
        for output in outputs.values():
            event = _event_of(output)
            if event:
                events.announce(event)

    @hook_impl
    def after_dataset_saved(self, node: Node, data: Any) -> None:
        """Announces a table of the warehouse, and that a node is done when all is saved."""
        if self._around is None:
            return
        if isinstance(data, BuiltTable) and data.origins:
            events.announce(_mart(self._around.run_id, data))
        clock = self._clocks[node.name]
        with self._lock:
            clock.unsaved -= 1
        if clock.unsaved == 0:
            self._finish(node, None)
            _node.set(None)

    @hook_impl
    def on_node_error(self, node: Node, error: Exception) -> None:
        """Notes that a node has failed."""
        if self._around is not None and node.name in self._clocks:
            self._finish(node, foreign.disclosed(error)[:500])

    def _finish(self, node: Node, error: str | None) -> None:
        clock = self._clocks[node.name]
        mask = self._surroundings.mask
        with self._lock:
            self._nodes.pop(node.name, None)
        events.announce(
            events.StepFinished(
                step=node.name,
                layer=_layer(node),
                seconds=round(time.perf_counter() - clock.wall, 6),
                cpu_seconds=round(time.process_time() - clock.cpu, 6),
                error=mask(error) if error else None,
                reads=tuple(self._reads[node.name]),
            )
        )

    def _bury(self, dead: RunFolder) -> Status:
        """Ends the record of a run that was killed, or that could not be recorded when it ended.

        Raises:
            UnrecordedError: It cannot be recorded now either.
        """
        around = self._surroundings
        journal = Journal.of(around.layout, dead.run_id)
        record = compiled(dead.run_id, journal.read())
        if record.ended is None:
            latest = max((event.at for event in journal.read()), default=events.now())
            at = max(events.now(), latest)
            journal.write(events.RunEnded(status="killed", error=_NO_WORD, at=at))
            record = compiled(dead.run_id, journal.read())
        self._tell_all(dead.run_id, lambda sink: sink.bury(around, record))
        return record.ended.status if record.ended else "killed"

    def _tell_all(self, run_id: str, tell: Callable[[Sink], None]) -> None:
        """Tells every sink, whatever becomes of another.

        Raises:
            UnrecordedError: One did not take it without which the run has no record.
        """
        told = {sink: harmless(_name(sink), partial(tell, sink)) for sink in self._sinks}
        if not all(is_told for sink, is_told in told.items() if sink.is_record):
            raise UnrecordedError(f"Run {run_id} could not be recorded.")

    def _end(self, _: RunFolder, status: Status, error: BaseException | None) -> None:
        """Ends the record of the run, of all its processes."""
        around = self._surroundings
        for node in list(self._nodes.values()):
            self._finish(node, CUT_SHORT)
        events.announce(
            events.RunEnded(
                status=status,
                error=_told(error, status, around.mask),
                error_kind=type(error).__name__ if error else None,
            )
        )
        self._record = compiled(around.run_id, around.journal.read())
        self._tell_all(around.run_id, lambda sink: sink.end(self._record))

    def _share(self) -> None:
        """Lets the process that ends the run know what this one has done."""
        if self._around is not None:
            self._around.journal.share()

    def _leave(self) -> None:
        """Lets the sinks go; what they warn of now is still repeated by the last of them."""
        if self._around is None:
            return
        for sink in self._sinks:
            harmless(_name(sink), lambda sink=sink: sink.leave(self._record))  # type: ignore[misc]
        self._unlisten()
        self._around = None


_NO_WORD = "The process ended without a word: it was killed, or the machine went down."
_INTERRUPTED = "Interrupted before the run had ended."


def _told(error: BaseException | None, status: Status, mask: Mask) -> str | None:
    if error is not None:
        return mask(foreign.disclosed(error))
    return _INTERRUPTED if status == "interrupted" else None


def _concerns_all_machines(event: Event) -> bool:
    """Whether others must know of a run from here on, even if this machine is lost with its disk.

    They do when it has begun, and before what it has made can become what everybody reads.
    """
    is_to_publish = isinstance(event, events.StepStarted) and event.layer == _PUBLISH
    return is_to_publish or isinstance(event, events.RunStarted)


def _event_of(output: Any) -> Event | None:
    """What a node hands on, as an event; None if it is not a fact of the run."""
    match output:
        case RunPlan():
            return events.PlanMade(
                mode=output.mode,
                days=tuple(output.days),
                horizon=output.horizon,
                summary=output.summary(),
            )
        case Receipt():
            return events.LayerCounted(layer=output.layer, receipt=output.tables)
        case GateResult():
            return events.GateDecided(layer=output.layer, result=output.as_json())
    return None


def _mart(run_id: str, mart: BuiltTable) -> TableWritten:
    """A table of the warehouse, which is made anew from all that it reads."""
    rows = [origin.rows for origin in mart.origins.values() if origin.rows is not None]
    change = events.PartitionChange(
        status="written",
        inputs={name: origin.fingerprint for name, origin in mart.origins.items()},
        input_rows=sum(rows) if rows else None,
    )
    return TableWritten(run_id=run_id, layer=mart.schema, table=mart.name, partitions=(change,))


def _tables_behind(values: Iterable[Any]) -> list[str]:
    """The tables that stand behind what a node is given or gives, each once."""
    found: dict[str, None] = {}
    for value in values:
        match value:
            case OpenedBronze():
                found |= dict.fromkeys(f"bronze.{table}" for table in value.tables)
            case BuiltTable():
                found |= dict.fromkeys(value.reads)
    return list(found)


def _layer(node: Node) -> str:
    return node.namespace or "run"


def _name(sink: Sink) -> str:
    return type(sink).__name__


def _masked(value: Any, mask: Mask, name: str = "") -> Any:
    """Parameters as they may be written down: nothing that is named like a secret."""
    if isinstance(value, dict):
        return {key: _masked(inner, mask, str(key)) for key, inner in value.items()}
    if is_secret_name(name):
        return MASKED
    return mask(value) if isinstance(value, str) else value
