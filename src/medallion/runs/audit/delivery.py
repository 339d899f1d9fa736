"""Which runs a copy of the trail has, so that each arrives there once.

A batch of runs is written down before it is sent, with the id of the job that carries it. If
nobody knows what became of the job, the same batch is sent again under the same id, which the
other side takes once. `deliveries/<table>.json` in the folder of the trail holds both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from typing_extensions import TypedDict

from medallion.lake.manifest import fingerprint
from medallion.runs.audit.trail import STARTED, AuditTrail
from medallion.storage import Document

_RUNS_IN_A_BATCH = 100
Rows = Sequence[dict[str, Any]]


class _Batch(TypedDict):
    """Runs that were sent, or are to be, and the job that carries them."""

    job_id: str
    runs: list[str]


class _Known(TypedDict):
    """What is known of a copy."""

    open: _Batch | None
    rejected: int
    runs: list[str]


_NOTHING: _Known = {"open": None, "rejected": 0, "runs": []}


class RejectedError(Exception):
    """The other side has looked at a batch and taken none of it."""


class AuditCopy(Protocol):
    """Where a copy of the trail is kept."""

    name: str

    def load(self, job_id: str, rows: Rows) -> None:
        """Adds rows, unless a job of that id has done so already.

        Args:
            job_id: The job.
            rows: Audit records.

        Raises:
            RejectedError: It took none of them; whatever else is raised leaves that open.
        """


def deliver(trail: AuditTrail, copy: AuditCopy) -> int:
    """Sends the runs that a copy does not have yet.

    Args:
        trail: The trail.
        copy: Its copy.

    Returns:
        How many runs were sent.

    Raises:
        RejectedError: The copy did not take a batch; its runs go with the next delivery.
        DocumentError: Nobody knows what the copy has, because its file cannot be read.
    """
    noted = Document(trail.storage, f"deliveries/{copy.name}.json")
    known = cast("dict[str, Any]", noted.read(_Known, _NOTHING))
    ended = sorted(run["run_id"] for run in trail.runs() if run["status"] != STARTED)
    sent = 0
    while batch := known["open"] or _next_batch(copy.name, known, ended):
        known = _noted(noted, {**known, "open": batch})
        rows = [record for run in batch["runs"] for record in trail.records(run)]
        try:
            copy.load(batch["job_id"], rows)
        except RejectedError:
            _noted(noted, {**known, "open": None, "rejected": known["rejected"] + 1})
            raise
        known = _noted(noted, {**known, "open": None, "runs": [*known["runs"], *batch["runs"]]})
        sent += len(batch["runs"])
    return sent


def _next_batch(table: str, known: dict[str, Any], ended: list[str]) -> dict[str, Any] | None:
    """The runs that come next, with the id of their job; None if all are there."""
    there = set(known["runs"])
    runs = [run for run in ended if run not in there][:_RUNS_IN_A_BATCH]
    # A job that was rejected keeps its id, so the next attempt needs another.
    attempt = fingerprint([table, known["rejected"], runs])
    return {"job_id": f"medallion-audit-{attempt[:32]}", "runs": runs} if runs else None


def _noted(noted: Document, known: dict[str, Any]) -> dict[str, Any]:
    noted.write(known)
    return known
