"""The last words of a run: told once, also of one that was killed."""

from __future__ import annotations

import json
from pathlib import Path

from medallion import events
from medallion.runs.folder import RunFolder
from medallion.runs.journal import Journal
from medallion.runs.sinks import LineageSink
from medallion.storage import LocalStorage
from tests.observability.telling import Process

RUN_JOB = "bronze_to_gold"


def told(top: Path, run_id: str) -> list[tuple[str, str]]:
    """What became of which job, in the order in which it was told."""
    lines = (top / "metrics" / "lineage" / f"{run_id}.jsonl").read_text().splitlines()
    return [(one["job"]["name"], one["eventType"]) for one in map(json.loads, lines)]


def test_a_killed_run_and_the_node_it_was_at_are_aborted_by_the_next_run(tmp_path: Path) -> None:
    folder = RunFolder(LocalStorage(tmp_path / "runs"), "killed")
    folder.open({})
    journal = Journal(tmp_path / "runs", "killed")
    journal.write(
        events.RunStarted(
            process="p",
            environment="local",
            pipelines=(),
            parameters={},
            git_sha=None,
            code_version="c",
            config_hash="c",
        )
    )
    journal.write(events.StepStarted(step="gold.marts", layer="gold", process="p"))
    Process(tmp_path, LineageSink(), run_id="next").begin().end()
    assert told(tmp_path, "killed") == [(f"{RUN_JOB}.gold.marts", "ABORT"), (RUN_JOB, "ABORT")]


def test_a_run_that_goes_on_after_its_end_was_told_is_complete_once(tmp_path: Path) -> None:
    first = Process(tmp_path, LineageSink(), is_shared=True).begin()
    first.end("closed")
    (tmp_path / "runs" / "run-1" / "ended.json").unlink()
    Process(tmp_path, LineageSink(), is_shared=True).begin().end("closed")
    ends = [end for job, end in told(tmp_path, "run-1") if job == RUN_JOB]
    assert ends == ["START", "COMPLETE"]
