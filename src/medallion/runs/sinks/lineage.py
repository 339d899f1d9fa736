"""Tells the run's lineage: START, and COMPLETE, FAIL or ABORT, of the run and of each node."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.events import (
    Event,
    GateDecided,
    LayerCounted,
    RunStarted,
    StepFinished,
    StepStarted,
    TableWritten,
)
from medallion.gates.result import GateResult
from medallion.lake.names import as_run_id
from medallion.runs.record import RunRecord
from medallion.runs.retention import keep_newest
from medallion.runs.sinks.sink import CUT_SHORT, Sink, Surroundings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import RunEvent, RunState

    from medallion.runs.lineage.events import RunEvents, Touched
    from medallion.runs.lineage.sending import EventFile, Sender

logger = logging.getLogger(__name__)
# Seconds that a run waits for its backend at its end.
_WAIT = 0.8


class LineageSink(Sink):
    """Writes `metrics/lineage/<run_id>.jsonl`, and sends the events to a backend if told to."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._events: RunEvents | None = None
        self._file: EventFile | None = None
        self._sender: Sender | None = None
        self._running: dict[str, StepStarted] = {}
        self._written: dict[str, TableWritten] = {}
        self._counted: dict[str, int] = {}
        self._gates: dict[str, GateResult] = {}
        self._known: dict[str, Touched | None] = {}

    @property
    def _folder(self) -> Path:
        return self._around.layout.lineage

    def begin(self, around: Surroundings) -> None:
        """Remembers where the events go."""
        self._reset()
        self._around = around

    def on(self, event: Event) -> None:
        """Tells of the run and its nodes what happens to them."""
        if isinstance(event, RunStarted):
            self._start()
        if self._events is None:
            return
        match event:
            case StepStarted():
                self._running[event.step] = event
                self._tell_of_node("START", event.step, event.reads, event.writes)
            case TableWritten():
                self._written[_dataset(event)] = event
            case LayerCounted():
                self._counted |= {
                    f"{event.layer}.{row['table']}": int(row["accepted"]) for row in event.receipt
                }
            case GateDecided():
                self._gates[event.layer] = GateResult.from_json(event.result)
            case StepFinished():
                started = self._running.pop(event.step)
                state = "FAIL" if event.error else "COMPLETE"
                self._tell_of_node(state, event.step, event.reads, started.writes, event.error)

    def _start(self) -> None:
        """Tells that the run starts; the event is on disk before any node runs."""
        if self._around.settings.lineage.transport == "off":
            return
        began = [e.at for e in self._around.journal.read() if isinstance(e, RunStarted)]
        self._events = self._run_events(self._around.run_id, min(began))
        self._open()
        if len(began) == 1:
            self._tell(self._events.of_run(_state("START")))

    def _run_events(self, run_id: str, started: datetime) -> RunEvents:
        from medallion.runs.lineage.events import RunEvents, source_of

        around = self._around
        return RunEvents(
            namespace=around.settings.lineage.namespace,
            job=around.settings.lineage.job,
            run_id=run_id,
            started=started,
            versions=("Kedro", version("kedro"), version("medallion")),
            environment=around.environment,
            source=source_of(around.project_path) if around.project_path else None,
        )

    def _open(self) -> None:
        from medallion.runs.lineage.sending import EventFile, Sender, http_post

        settings = self._around.settings.lineage
        self._folder.mkdir(parents=True, exist_ok=True)
        keep_newest(self._folder, "*.jsonl", settings.keep - 1)
        self._file = EventFile(self._path(self._around.run_id))
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

    def end(self, record: RunRecord) -> None:
        """Tells that the run is complete, has failed or was cut short."""
        if self._events is None:
            return
        for event in _last_words(self._events, record, self._path(record.run_id)):
            self._tell(event)

    def bury(self, around: Surroundings, record: RunRecord) -> None:
        """Tells that a run was cut short, and which of its nodes."""
        if around.settings.lineage.transport == "off" or record.started is None:
            return
        from medallion.runs.lineage.sending import EventFile

        events = self._run_events(record.run_id, record.started.at)
        file = EventFile(self._path(record.run_id))
        for event in _last_words(events, record, file.path):
            file.write(event)
            if self._sender:
                self._sender.send(event)
        file.close()

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{as_run_id(run_id)}.jsonl"

    def leave(self, record: RunRecord) -> None:  # noqa: ARG002
        """Closes the file, and gives the backend a moment to take what waits."""
        if self._file:
            self._file.close()
        if self._sender:
            self._keep_undelivered(self._sender.close(_WAIT), self._sender.problem)
        self._reset()

    def _keep_undelivered(self, events: Iterable[RunEvent], problem: str) -> None:
        """Puts what the backend did not take into a file from which it can be sent again."""
        from medallion.runs.lineage.sending import EventFile

        kept = list(events)
        if not kept:
            return
        folder = self._folder / "undelivered"
        file = EventFile(folder / f"{self._around.file_name}.jsonl")
        for event in kept:
            file.write(event)
        file.close()
        keep_newest(folder, "*.jsonl", self._around.settings.lineage.keep)
        logger.warning(
            "The lineage backend did not take %s events (%s); they are in %s.",
            len(kept),
            problem,
            file.path,
        )

    def _tell_of_node(
        self,
        state: str,
        step: str,
        read: Iterable[str],
        written: Iterable[str],
        error: str | None = None,
    ) -> None:
        if self._events is None:
            return
        if state == "COMPLETE":
            inputs = self._with_assertions(step, read, written)
            outputs = self._with_statistics(written)
        else:
            inputs, outputs = self._named_all(read), self._named_all(written)
        cut_short = "ABORT" if error == CUT_SHORT else state
        told = None if error == CUT_SHORT else error
        event = self._events.of_node(
            _state(cut_short), step, _each_once(inputs), _each_once(outputs), told
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
            from medallion.runs.lineage.events import Touched
            from medallion.runs.lineage.places import columns_of, place_of

            catalog = self._around.catalog
            dataset = catalog.get(name) if catalog else None
            place = place_of(dataset, self._around.layout)
            columns = columns_of(self._around.spec, name)
            self._known[name] = Touched(place, columns) if place else None
        return self._known[name]

    def _with_statistics(self, written: Iterable[str]) -> Iterable[Touched]:
        for name in written:
            touched = self._named(name)
            if touched is None:
                continue
            yield replace(touched, **self._statistics(name))

    def _statistics(self, name: str) -> dict[str, Any]:
        """Rows, bytes and files that were written; unchanged partitions are not."""
        made = self._written.get(name)
        if made is None or name.startswith("gold."):
            return {"rows": self._counted[name]} if name.startswith("gold.") and made else {}
        changed = [one for one in made.partitions if one.status == "written"]
        return {
            "rows": sum(one.rows for one in changed),
            "bytes": sum(one.bytes for one in changed),
            "files": sum(one.files for one in changed),
        }

    def _with_assertions(
        self, step: str, read: Iterable[str], written: Iterable[str]
    ) -> Iterable[Touched]:
        """What a node has read; a gate tells what it has found in it."""
        from medallion.runs.lineage.assertions import assertions_of, of_table

        layer = step.partition(".")[0]
        gate = self._gates.get(layer) if f"{layer}.quality" in written else None
        looked_at = gate.tables if gate and gate.evaluated else ()
        checked = [f"{layer}.{table}" for table in looked_at]
        found = assertions_of(gate.failures) if gate else {}
        for name in (*read, *checked):
            touched = self._named(name)
            if touched and name in checked:
                touched = replace(touched, assertions=of_table(found, name.partition(".")[2]))
            if touched:
                yield touched


def _last_words(events: RunEvents, record: RunRecord, told: Path) -> Iterator[RunEvent]:
    """What is told when a run has ended, once: how it did, and which nodes a kill has cut short."""
    for step in record.steps.values():
        if step.started_at and not step.ended_at:
            yield events.of_node(_state("ABORT"), step.step)
    ends = {"succeeded": "COMPLETE", "closed": "COMPLETE", "failed": "FAIL"}
    error = record.error if record.status == "failed" else None
    last = events.of_run(_state(ends.get(record.status, "ABORT")), error)
    if not _is_told(last, told):
        yield last


def _is_told(event: RunEvent, told: Path) -> bool:
    """Whether a file holds the end of this very run already: who told it was killed right after."""
    if not told.is_file() or event.eventType is None:
        return False
    last = event.run.runId, event.job.name, event.eventType.value
    return any(
        (one["run"]["runId"], one["job"]["name"], one["eventType"]) == last
        for line in told.read_text(encoding="utf-8").splitlines()
        # A kill may have cut the last one short; nodes name the run as their parent.
        if event.run.runId in line and line.endswith("}")
        for one in [json.loads(line)]
    )


def _dataset(table: TableWritten) -> str:
    """A table by its name in the catalog."""
    if table.layer == "keys":
        return f"dims.{table.table}_keys"
    return f"{'base_silver' if table.layer == 'base' else table.layer}.{table.table}"


def _each_once(touched: Iterable[Touched]) -> list[Touched]:
    """One for each place: a dimension and its history lie in the same."""
    return list({one.place: one for one in touched}.values())


def _state(name: str) -> RunState:
    from medallion.runs.lineage.events import State

    return State(name)
