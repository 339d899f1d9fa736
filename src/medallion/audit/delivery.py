"""Which runs a copy of the trail has, so that each arrives there once.

A batch of runs is written down before it is sent, with the id of the job that carries it. If
nobody knows what became of the job, the same batch is sent again under the same id, which the
other side takes once. `deliveries/<table>.json` in the folder of the trail holds both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from medallion.audit.trail import STARTED, AuditTrail
from medallion.lake.inventory import read_json, write_json
from medallion.lake.manifest import fingerprint

_RUNS_IN_A_BATCH = 100
Rows = Sequence[dict[str, Any]]


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
    """
    path = trail.folder / "deliveries" / f"{copy.name}.json"
    sent = 0
    for job_id, runs in _batches(trail, path):
        rows = [record for run in runs for record in trail.records(run)]
        known = read_json(path, _NOTHING)
        try:
            copy.load(job_id, rows)
        except RejectedError:
            write_json(path, {**known, "open": None, "rejected": known["rejected"] + 1})
            raise
        write_json(path, {**known, "open": None, "runs": [*known["runs"], *runs]})
        sent += len(runs)
    return sent


def _batches(trail: AuditTrail, path: Path) -> Iterator[tuple[str, list[str]]]:
    """The batch of which it is not known whether it arrived, then what is new."""
    known: dict[str, Any] = read_json(path, _NOTHING)
    if known["open"]:
        yield known["open"]["job_id"], known["open"]["runs"]
        known = read_json(path, _NOTHING)
    there = set(known["runs"])
    ended = sorted(run["run_id"] for run in trail.runs() if run["status"] != STARTED)
    new = [run for run in ended if run not in there]
    for first in range(0, len(new), _RUNS_IN_A_BATCH):
        runs = new[first : first + _RUNS_IN_A_BATCH]
        # A job that was rejected keeps its id, so the next attempt needs another.
        attempt = fingerprint([path.stem, known["rejected"], runs])
        job_id = f"medallion-audit-{attempt[:32]}"
        batch = {"job_id": job_id, "runs": runs}
        write_json(path, {**read_json(path, _NOTHING), "open": batch})
        yield job_id, runs


_NOTHING: dict[str, Any] = {"open": None, "rejected": 0, "runs": []}
