"""What happens in a run, as facts that are kept: a handful of types, and who is told of them.

Work announces, sinks listen; nothing depends on a listener being there. The events of all
processes of a run stand in its folder, so that whoever ends the run knows what all have done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


def now() -> datetime:
    """The time of an event, UTC."""
    return datetime.now(UTC)


class _Event(BaseModel):
    """What all events have.

    Attributes:
        at: When it happened, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime = Field(default_factory=now)


class RunStarted(_Event):
    """A process takes part in a run; the first one begins it.

    Attributes:
        process: Host and process id.
        environment: The configuration environment.
        pipelines: The pipelines that were asked for.
        parameters: What the run is asked for, without secrets.
        git_sha: The commit of the code.
        code_version: The version of the package, with a fingerprint of its sources.
        config_hash: A fingerprint of spec, suites, parameters and catalog.
    """

    kind: Literal["run_started"] = "run_started"
    process: str
    environment: str
    pipelines: tuple[str, ...]
    parameters: Mapping[str, Any]
    git_sha: str | None
    code_version: str
    config_hash: str


class StepStarted(_Event):
    """A node begins.

    Attributes:
        step: The node's name.
        layer: Its layer.
        process: Host and process id.
        reads: What it reads, by its names in the catalog.
        writes: What it will write.
    """

    kind: Literal["step_started"] = "step_started"
    step: str
    layer: str
    process: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()


class StepFinished(_Event):
    """A node has ended, all its outputs saved, or has failed.

    Attributes:
        step: The node's name.
        layer: Its layer.
        seconds: Wall time.
        cpu_seconds: Of the process, meanwhile.
        error: Why it failed; None if it did not.
        reads: What it has read, the tables behind its inputs included.
    """

    kind: Literal["step_finished"] = "step_finished"
    step: str
    layer: str
    seconds: float
    cpu_seconds: float
    error: str | None = None
    reads: tuple[str, ...] = ()


class PartitionChange(BaseModel):
    """What became of one partition.

    Attributes:
        key: The partition key, such as `ingestion_dt`; empty for a table without partitions.
        value: Its value.
        status: What was done: `unchanged` is made again, byte for byte.
        rows: Rows it holds now.
        bytes: Bytes of its files.
        files: How many there are.
        content_hash: One hash over its files.
        inputs: Fingerprints of what it was made from, by the name of the input.
        input_rows: Rows it was made from, all inputs together; None where nobody counts them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = ""
    value: str = ""
    status: Literal["written", "unchanged", "removed"]
    rows: int = 0
    bytes: int = 0
    files: int = 0
    content_hash: str | None = None
    inputs: Mapping[str, str] = Field(default_factory=dict)
    input_rows: int | None = None


class TableWritten(_Event):
    """Partitions of a table were put in place, by a step or by a recovery.

    Attributes:
        run_id: The run that made them: a recovery puts in place what a dead run had made.
        layer: The layer, or `quarantine`.
        table: The table's name in it.
        step: The node that made them; None if a recovery put them in place.
        process: The process that made them; None if a recovery put them in place.
        partitions: What became of each.
    """

    kind: Literal["table_written"] = "table_written"
    run_id: str
    layer: str
    table: str
    step: str | None = None
    process: str | None = None
    partitions: tuple[PartitionChange, ...]


class StatePublished(_Event):
    """What the run has put in place until now is what everybody reads.

    Attributes:
        current: The run whose state that is: an earlier one, if nothing has changed.
    """

    kind: Literal["state_published"] = "state_published"
    current: str


class PlanMade(_Event):
    """The run knows what it does.

    Attributes:
        mode: `pending`, `window` or `replay`.
        days: Bronze days to process.
        horizon: The newest day the run knows.
        summary: The plan as plain JSON.
    """

    kind: Literal["plan_made"] = "plan_made"
    mode: str
    days: tuple[date, ...]
    horizon: date
    summary: Mapping[str, Any]


class LayerCounted(_Event):
    """A layer has counted what became of the rows it took in.

    Attributes:
        layer: The layer.
        receipt: One entry for each table.
    """

    kind: Literal["layer_counted"] = "layer_counted"
    layer: str
    receipt: tuple[Mapping[str, Any], ...]


class GateDecided(_Event):
    """A gate has looked at a layer.

    Attributes:
        layer: The layer.
        result: Its result, as plain JSON.
    """

    kind: Literal["gate_decided"] = "gate_decided"
    layer: str
    result: Mapping[str, Any]


class Warned(_Event):
    """Something warned, without personal data and secrets.

    Attributes:
        message: The first line of it.
        logger: Who said it.
    """

    kind: Literal["warned"] = "warned"
    message: str
    logger: str


class RunEnded(_Event):
    """The run is over: the last event of it.

    Attributes:
        status: How it ended.
        error: Why it failed.
        error_kind: The type of that error.
    """

    kind: Literal["run_ended"] = "run_ended"
    status: Literal["succeeded", "failed", "interrupted", "killed", "closed"]
    error: str | None = None
    error_kind: str | None = None


class Progress(_Event):
    """A model, transform or suite inside a step begins or ends; shown, and not kept.

    Attributes:
        layer: The layer.
        item: The model, transform or table.
        done: Whether it ended.
        rows: Rows it made, where known.
        seconds: How long it took, where known.
    """

    kind: Literal["progress"] = "progress"
    layer: str
    item: str
    done: bool
    rows: int | None = None
    seconds: float | None = None


Event = (
    RunStarted
    | PlanMade
    | StepStarted
    | StepFinished
    | TableWritten
    | StatePublished
    | LayerCounted
    | GateDecided
    | Warned
    | RunEnded
    | Progress
)
_TAGGED: Any = Annotated[Event, Field(discriminator="kind")]
#: Reads an event back from its JSON.
EVENT: TypeAdapter[Event] = TypeAdapter(_TAGGED)

Listener = Callable[[Event], None]
_listeners: list[Listener] = []


def announce(event: Event) -> None:
    """Tells all listeners, in the order in which they came."""
    for listener in _listeners:
        listener(event)


def listen(listener: Listener) -> Callable[[], None]:
    """Adds a listener; the result takes it away again."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Lets a listener hear what is announced meanwhile."""
    unlisten = listen(listener)
    try:
        yield
    finally:
        unlisten()
