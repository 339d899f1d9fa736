"""What is known of a run: one record, compiled from the events of all its processes.

Summary, page, metrics, audit trail and alerts are views of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from medallion.events import (
    Event,
    GateDecided,
    LayerCounted,
    PlanMade,
    RunEnded,
    RunStarted,
    StatePublished,
    StepFinished,
    StepStarted,
    TableWritten,
    Warned,
)
from medallion.gates.result import GateResult

_GATE_STEPS = ("validate", "gate")
_OF_A_GATE = ("verdict", "mode", "success", "evaluated", "failed", "failures", "standing")


@dataclass
class Stage:
    """What a layer cost."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass
class StepRecord:
    """What is known of one step.

    Attributes:
        step: The node's name.
        layer: Its layer.
        process: Where its last try ran: host and process id.
        tries: How often it was begun.
        started_at: When its last try began, UTC.
        ended_at: When it ended, UTC; None if it never did.
        seconds: Wall time of its last try.
        cpu_seconds: CPU time of its last try.
        error: Why its last try failed; None if it did not.
    """

    step: str
    layer: str
    process: str = ""
    tries: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    error: str | None = None

    @property
    def is_gate(self) -> bool:
        """Whether it belongs to a gate and not to the layer's own work."""
        return self.step.rpartition(".")[2] in _GATE_STEPS


@dataclass
class RunRecord:
    """What is known of a run.

    Attributes:
        run_id: The run.
        started: What its first process began with; None before it did.
        processes: What each of its processes began with, by process.
        plan: What it does; None before it knows.
        steps: Its steps by name, in the order in which they began.
        written: What was put in place, in order.
        is_published: Whether that became what everybody reads; of no meaning on a disk.
        receipts: What each layer counted, by layer.
        gates: What each gate found, by layer.
        warnings: What warned, and how often.
        ended: How it ended; None while it has not.
    """

    run_id: str
    started: RunStarted | None = None
    processes: dict[str, RunStarted] = field(default_factory=dict)
    plan: PlanMade | None = None
    steps: dict[str, StepRecord] = field(default_factory=dict)
    written: list[TableWritten] = field(default_factory=list)
    is_published: bool = False
    receipts: dict[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    gates: dict[str, GateResult] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    ended: RunEnded | None = None

    @property
    def environment(self) -> str:
        """The configuration environment."""
        return self.started.environment if self.started else ""

    @property
    def codes(self) -> tuple[str, ...]:
        """The versions of the code that its processes ran, the first one's first."""
        return tuple(dict.fromkeys(one.code_version for one in self.processes.values()))

    @property
    def error(self) -> str | None:
        """Why it failed; None if it did not."""
        return self.ended.error if self.ended else None

    @property
    def status(self) -> str:
        """`running`, or how it ended."""
        return self.ended.status if self.ended else "running"

    @property
    def seconds(self) -> float:
        """From its beginning to its end, the time between processes included."""
        if self.started is None or self.ended is None:
            return 0.0
        return (self.ended.at - self.started.at).total_seconds()

    @property
    def cpu_seconds(self) -> float:
        """The sum over its steps."""
        return sum(step.cpu_seconds for step in self.steps.values())

    @property
    def did_nothing(self) -> bool:
        """Whether every layer was up to date."""
        changed = any(
            one.status != "unchanged" for table in self.written for one in table.partitions
        )
        return (
            not changed and not (self.plan and self.plan.days) and not any(self.receipts.values())
        )

    @property
    def stages(self) -> dict[str, Stage]:
        """What each layer cost, and all gates together."""
        found: dict[str, Stage] = {}
        for step in self.steps.values():
            stage = found.setdefault("gates" if step.is_gate else step.layer, Stage())
            stage.seconds += step.seconds
            stage.cpu_seconds += step.cpu_seconds
        return found

    @property
    def enriched(self) -> dict[str, dict[str, Any]]:
        """Days, rows and seconds of the enriched tables that were made, by table."""
        made: dict[str, dict[str, int]] = {}
        seconds: dict[str, float] = {}
        for table in self.written:
            if table.layer == "enriched":
                # A step that was done again may have had fewer days left to make.
                days = made.setdefault(table.table, {})
                days |= {one.value: one.rows for one in table.partitions}
                seconds[table.table] = round(self._seconds_of(table.step), 3)
        return {
            name: {"days": len(days), "rows": sum(days.values()), "seconds": seconds[name]}
            for name, days in made.items()
        }

    def gate_seconds(self, layer: str) -> float:
        """What the gate of a layer took."""
        return sum(s.seconds for s in self.steps.values() if s.is_gate and s.layer == layer)

    def rows(self, layer: str) -> int:
        """Rows that a layer took in, or made."""
        if layer == "enriched":
            return sum(int(table["rows"]) for table in self.enriched.values())
        key = "accepted" if layer == "gold" else "bronze_rows"
        return sum(int(row[key]) for row in self.receipts.get(layer, ()))

    def as_json(self) -> dict[str, Any]:
        """The report of the run as plain JSON."""
        return {
            "run_id": self.run_id,
            "environment": self.environment,
            "status": self.status,
            "error": self.error,
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "plan": self.plan.summary if self.plan else None,
            "stages": [
                {
                    "name": name,
                    "seconds": round(stage.seconds, 3),
                    "cpu_seconds": round(stage.cpu_seconds, 3),
                    "rows": self.rows(name),
                }
                for name, stage in self.stages.items()
            ],
            "tables": {layer: list(rows) for layer, rows in self.receipts.items()},
            "enriched": self.enriched,
            "gates": {
                layer: {
                    **{name: kept for name, kept in gate.as_json().items() if name in _OF_A_GATE},
                    "seconds": round(self.gate_seconds(layer), 3),
                }
                for layer, gate in self.gates.items()
            },
        }

    def _seconds_of(self, step: str | None) -> float:
        done = self.steps.get(step or "")
        return done.seconds if done else 0.0

    def note(self, event: Event) -> None:
        """Adds what an event tells."""
        match event:
            case RunStarted():
                self.started = self.started or event
                self.processes[event.process] = event
            case PlanMade():
                self.plan = event
            case StepStarted() | StepFinished():
                self._note_step(event)
            case TableWritten():
                self.written.append(event)
            case StatePublished():
                self.is_published = True
            case LayerCounted():
                self.receipts[event.layer] = event.receipt
            case GateDecided():
                self.gates[event.layer] = GateResult.from_json(event.result)
            case Warned():
                self.warnings[event.message] = self.warnings.get(event.message, 0) + 1
            case RunEnded():
                # Whoever ends its record later knows less of how it ended.
                self.ended = self.ended or event

    def _note_step(self, event: StepStarted | StepFinished) -> None:
        step = self.steps.setdefault(event.step, StepRecord(event.step, event.layer))
        if isinstance(event, StepStarted):
            step.process, step.started_at, step.error = event.process, event.at, None
            step.tries += 1
            step.ended_at = self.ended = None
        else:
            step.ended_at, step.error = event.at, event.error
            step.seconds, step.cpu_seconds = event.seconds, event.cpu_seconds


def compiled(run_id: str, events: Iterable[Event]) -> RunRecord:
    """The record of a run.

    Args:
        run_id: The run.
        events: Its events, in any order.
    """
    record = RunRecord(run_id)
    for event in sorted(events, key=lambda event: event.at):
        record.note(event)
    return record
