"""Every run arrives at the copy of the trail once, whatever happens on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.runs.audit.delivery import RejectedError, Rows, deliver
from medallion.runs.audit.record import AuditRecord
from medallion.runs.audit.trail import AuditTrail

OUTCOMES = ("taken", "rejected", "lost on the way", "lost on the way back")


@dataclass
class Copy:
    """A table that takes the rows of a job once, over a line that may break."""

    name: str = "project.dataset.audit_runs"
    outcomes: list[str] = field(default_factory=list)
    jobs: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    loads: int = 0

    def load(self, job_id: str, rows: Rows) -> None:
        self.loads += 1
        outcome = self.outcomes.pop(0) if self.outcomes else "taken"
        if outcome == "lost on the way":
            raise TimeoutError
        if job_id not in self.jobs:
            self.jobs[job_id] = "rejected" if outcome == "rejected" else "taken"
            if self.jobs[job_id] == "taken":
                self.runs.extend(row["run_id"] for row in rows)
        if outcome == "lost on the way back":
            raise TimeoutError
        if self.jobs[job_id] == "rejected":
            raise RejectedError


def end(trail: AuditTrail, *names: str) -> None:
    for name in names:
        run: dict[str, Any] = {"run_id": name, "started_at": name, "status": "succeeded"}
        trail.end(run, [AuditRecord(run_id=name, env="local", pipeline="__default__")])


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "audit")


def test_runs_from_before_the_copy_was_asked_for_are_sent_too(trail: AuditTrail) -> None:
    copy = Copy()
    end(trail, "r1", "r2")
    assert deliver(trail, copy) == 2
    assert copy.runs == ["r1", "r2"]


def test_a_run_is_sent_once(trail: AuditTrail) -> None:
    copy = Copy()
    end(trail, "r1")
    deliver(trail, copy)
    assert deliver(trail, copy) == 0
    end(trail, "r2")
    assert deliver(trail, copy) == 1
    assert (copy.runs, copy.loads) == (["r1", "r2"], 2)


def test_a_run_at_work_is_not_sent(trail: AuditTrail) -> None:
    trail.begin({"run_id": "r1", "started_at": "1"})
    assert deliver(trail, Copy()) == 0


def test_another_table_is_another_copy(trail: AuditTrail) -> None:
    end(trail, "r1")
    deliver(trail, Copy())
    other = Copy("project.dataset.other")
    deliver(trail, other)
    assert other.runs == ["r1"]


def test_a_long_history_goes_in_batches(trail: AuditTrail) -> None:
    names = [f"r{number:03}" for number in range(250)]
    end(trail, *names)
    copy = Copy()
    assert deliver(trail, copy) == 250
    assert (copy.runs, copy.loads) == (names, 3)


@given(st.lists(st.lists(st.sampled_from(OUTCOMES), max_size=2), max_size=6))
@settings(deadline=None)
def test_no_run_is_lost_and_none_arrives_twice(happenings: list[list[str]]) -> None:
    """Each delivery has outcomes of its own; the last one meets no trouble."""
    with TemporaryDirectory() as folder:
        trail, copy = AuditTrail(folder), Copy()
        for number, outcomes in enumerate([*happenings, []]):
            end(trail, f"r{number}")
            copy.outcomes = list(outcomes)
            try:
                deliver(trail, copy)
            except (TimeoutError, RejectedError):
                continue
        assert deliver(trail, copy) == 0
        assert copy.runs == [f"r{number}" for number in range(len(happenings) + 1)]
