"""The audit trail: a record for the run, and for each partition that it dealt with."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from medallion.errors import MedallionError, RequestError
from medallion.events import Event, PlanMade, RunStarted, TableWritten
from medallion.gates.result import GateResult
from medallion.runs.audit.record import AuditRecord
from medallion.runs.audit.recording import completed, of_table, table_counts, unread
from medallion.runs.folder import RunFolder
from medallion.runs.kept import changed_trail
from medallion.runs.record import RunRecord, compiled
from medallion.runs.sinks.sink import Sink, Surroundings
from medallion.storage import open_storage

logger = logging.getLogger(__name__)


class AuditSink(Sink):
    """Leaves word that a run is at work, and its records when it has ended."""

    is_record = True

    def check(self, around: Surroundings) -> None:
        """Refuses the id of an earlier run, whose records would go: its folder may be gone.

        Raises:
            RequestError: The trail knows it.
        """
        folder = RunFolder(open_storage(around.layout.run_documents), around.run_id)
        if around.trail.knows(around.run_id) and not folder.has_begun():
            raise RequestError(
                f"There was a run {around.run_id}; the audit trail holds its records.",
                hint="give another run id, or none; `kedro runs list` shows the runs. If that one"
                f" has not ended, what it was asked for is gone: `kedro runs close {around.run_id}`"
                " ends it.",
            )

    def begin(self, around: Surroundings) -> None:
        """Remembers where the trail is."""
        self._around = around

    def on(self, event: Event) -> None:
        """Leaves word that the run is at work, which days it deals with, and what it has made."""
        around = self._around
        if isinstance(event, RunStarted):
            self._started = event
        if isinstance(event, (RunStarted, PlanMade)):
            record = compiled(around.run_id, around.journal.read())
            self._common = _common(around, record)
            if record.started == event:
                if changed := changed_trail(around.layout):
                    logger.warning(
                        "The audit trail is not what was written: %s. Put it back from a copy; "
                        "`kedro lake verify` tells of it as long as it is so.",
                        "; ".join(changed),
                    )
                around.trail.begin(_header(record))
            else:
                around.trail.note(_header(record))
        if isinstance(event, TableWritten):
            common = _of_process(self._common, self._started)
            around.trail.step(around.run_id, list(of_table(common, event, None)))

    def end(self, record: RunRecord) -> None:
        """Ends the trail of the run."""
        self._close(self._around, record)

    def bury(self, around: Surroundings, record: RunRecord) -> None:
        """Ends the trail of a run that was killed, with what it had put in place.

        Of one that was killed before it could say that it had begun, or on a machine that is gone
        with its word, no more is known than its id; so much is told.
        """
        self._close(around, record)

    def _close(self, around: Surroundings, record: RunRecord) -> None:
        common = _common(around, record)
        made = list(_made(common, record))
        told = completed(
            common,
            [*made, *_kept(around, record, made)],
            around.lake.partitions,
            record.receipts,
            record.gates,
        )
        is_read = _is_read(around, record)
        records = [one if is_read else unread(one) for one in told]
        header = {**_header(record), "published": is_read}
        whole = replace(
            common,
            execution_time_seconds=header.get("seconds"),
            started_at=header["started_at"],
            ended_at=header.get("ended_at"),
            status=header["status"],
            error=header["error"],
        )
        around.trail.end({**header, "tables": table_counts(records)}, [whole, *records])


def _is_read(around: Surroundings, record: RunRecord) -> bool:
    """Whether people have come to read what a run has put in place.

    On a disk they read it at once. In an object store they do when it was published: the run itself
    says so, or the lake does of a run that died, or lost its word, right after it.
    """
    source = around.lake.state.source
    if source is None or record.is_published:
        return True
    try:
        return source.has_published(record.run_id)
    except MedallionError as error:
        logger.warning(
            "Run %s is recorded as one that has published nothing: %s",
            record.run_id,
            error.message,
        )
        return False


def _made(common: AuditRecord, record: RunRecord) -> Iterator[AuditRecord]:
    """The records of what was put in place; of a step that was done again, the last."""
    last: dict[tuple[str | None, ...], AuditRecord] = {}
    for table in record.written:
        of_process = _of_process(common, record.processes.get(table.process or ""))
        for made in of_table(of_process, table, record.steps.get(table.step or "")):
            place = (made.layer, made.table_name, made.partition_value)
            is_repeated = made.status == "unchanged" and place in last
            last[place] = last[place] if is_repeated else made
    yield from last.values()


def _of_process(common: AuditRecord, started: RunStarted | None) -> AuditRecord:
    """What all records of a process have in common: a run may go on with other code."""
    if started is None:
        return common
    return replace(
        common,
        git_sha=started.git_sha,
        code_version=started.code_version,
        config_hash=started.config_hash,
    )


def _kept(
    around: Surroundings, record: RunRecord, made: Iterable[AuditRecord]
) -> Iterator[AuditRecord]:
    """What the run has recorded when it wrote it, and its events no longer tell."""
    told = {(one.layer, one.table_name, one.partition_value) for one in made}
    known = {one.name for one in fields(AuditRecord)}
    for kept in around.trail.records(record.run_id):
        one = AuditRecord(**{name: value for name, value in kept.items() if name in known})
        place = (one.layer, one.table_name, one.partition_value)
        if one.table_name and place not in told:
            told.add(place)
            yield one


def _common(around: Surroundings, record: RunRecord) -> AuditRecord:
    """What all records of a run have in common."""
    started = record.started
    return AuditRecord(
        run_id=record.run_id,
        env=record.environment,
        pipeline=",".join(started.pipelines) if started else "",
        schema_version=around.spec.version,
        timestamp=_text(datetime.now(UTC)),
        git_sha=started.git_sha if started else None,
        code_version=started.code_version if started else None,
        config_hash=started.config_hash if started else None,
    )


def _header(record: RunRecord) -> dict[str, Any]:
    """The run itself, as `runs/<run_id>.json` tells of it."""
    started, ended = record.started, record.ended
    return {
        "run_id": record.run_id,
        "env": record.environment,
        "pipeline": ",".join(started.pipelines) if started else "",
        "started_at": _text(started.at) if started else None,
        "git_sha": started.git_sha if started else None,
        "code_version": started.code_version if started else None,
        **({"codes": list(record.codes)} if len(record.codes) > 1 else {}),
        "config_hash": started.config_hash if started else None,
        "parameters": dict(started.parameters) if started else {},
        "plan": record.plan.summary if record.plan else None,
        **_end_of(record),
        "status": record.status if ended else "started",
        "error": ended.error.splitlines()[0] if ended and ended.error else None,
        "gates": {layer: _verdict(gate) for layer, gate in record.gates.items()},
        "steps": list(steps_of(record)),
    }


def steps_of(record: RunRecord) -> Iterator[dict[str, Any]]:
    """The steps of a run as plain JSON: where, how often, how long."""
    for step in record.steps.values():
        yield {
            "step": step.step,
            "process": step.process,
            "tries": step.tries,
            "started_at": _text(step.started_at),
            "seconds": round(step.seconds, 3) if step.ended_at else None,
            "error": step.error,
        }


def _end_of(record: RunRecord) -> dict[str, Any]:
    """When a run ended and how long it took; nobody knows it of one that was killed."""
    if record.ended is None or record.status == "killed":
        return {}
    return {"ended_at": _text(record.ended.at), "seconds": round(record.seconds, 3)}


def _verdict(gate: GateResult) -> dict[str, str | int]:
    return {
        "verdict": gate.verdict,
        "mode": gate.mode,
        "evaluated": gate.evaluated,
        "failed": gate.failed,
        "standing": len(gate.earlier_failures),
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
