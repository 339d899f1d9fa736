"""What a run has written is recorded, whatever is lost of the run, or cannot be written then."""

from __future__ import annotations

import shutil
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from kedro.pipeline import Node

from medallion import events
from medallion.lake.names import as_run_id
from medallion.runs.audit.trail import AuditTrail
from medallion.runs.journal import Journal
from medallion.runs.record import compiled
from medallion.runs.sinks import AuditSink
from tests.observability.telling import Process

CODE, NAME = "medallion.hooks.recorder.code_version", "medallion.hooks.recorder.this_process"


def write(run_id: str, day: str, step: str | None = "enriched.sales_velocity") -> None:
    change = events.PartitionChange(
        key="ingestion_dt", value=day, status="written", rows=3, content_hash=day
    )
    events.announce(
        events.TableWritten(
            run_id=run_id, layer="enriched", table="sales_velocity", step=step, partitions=(change,)
        )
    )


def records(top: Path, run_id: str = "run-1") -> dict[str, dict[str, Any]]:
    found = AuditTrail(top / "metrics" / "audit").records(run_id)
    return {one["partition_value"]: one for one in found if one["table_name"]}


def status(top: Path, run_id: str = "run-1") -> str:
    return str(AuditTrail(top / "metrics" / "audit").run(run_id)["status"])


def test_a_run_that_could_not_be_recorded_is_recorded_by_the_next_one(tmp_path: Path) -> None:
    process = Process(tmp_path, AuditSink()).begin()
    write("run-1", "2025-10-01")
    with mock.patch.object(AuditTrail, "end", side_effect=OSError(28, "No space left on device")):
        process.end()
    Process(tmp_path, AuditSink(), run_id="run-2").begin().end()
    assert status(tmp_path) == "succeeded"
    assert records(tmp_path).keys() == {"2025-10-01"}


def test_a_run_whose_events_are_gone_keeps_the_records_it_has_left(tmp_path: Path) -> None:
    first = Process(tmp_path, AuditSink(), is_shared=True).begin()
    write("run-1", "2025-10-01")
    first.end("failed")
    shutil.rmtree(tmp_path / "runs" / "run-1" / "events")
    second = Process(tmp_path, AuditSink(), is_shared=True).begin()
    write("run-1", "2025-10-02")
    second.end("closed")
    assert records(tmp_path).keys() == {"2025-10-01", "2025-10-02"}


def test_each_partition_names_the_code_that_made_it(tmp_path: Path) -> None:
    for code, day in (("old", "2025-10-01"), ("new", "2025-10-02")):
        with mock.patch(CODE, return_value=code), mock.patch(NAME, return_value=f"host-{code}"):
            process = Process(tmp_path, AuditSink(), is_shared=True).begin()
            write("run-1", day)
            process.end("closed" if code == "new" else "succeeded")
    made_by = {day: one["code_version"] for day, one in records(tmp_path).items()}
    assert made_by == {"2025-10-01": "old", "2025-10-02": "new"}
    assert AuditTrail(tmp_path / "metrics" / "audit").run("run-1")["codes"] == ["old", "new"]


def test_what_a_recovery_puts_in_place_of_a_run_that_is_recorded_elsewhere_is_recorded_here(
    tmp_path: Path,
) -> None:
    process = Process(tmp_path, AuditSink()).begin()
    write("of-somebody-else", "2025-10-01", step=None)
    process.end()
    assert records(tmp_path).keys() == {"2025-10-01"}
    assert not (tmp_path / "runs" / as_run_id("of-somebody-else")).exists()


def test_a_table_that_is_saved_by_a_thread_names_its_node(tmp_path: Path) -> None:
    process = Process(tmp_path, AuditSink()).begin()
    node = Node(
        lambda: None, None, "enriched.sales_velocity", name="sales_velocity", namespace="enriched"
    )
    process.recorder.before_node_run(node, {})
    saving = threading.Thread(target=write, args=("run-1", "2025-10-01", None))
    saving.start()
    saving.join()
    process.end()
    assert records(tmp_path)["2025-10-01"]["node"] == "enriched.sales_velocity"


def test_the_time_of_a_run_does_not_go_back_with_the_clock_of_a_machine(tmp_path: Path) -> None:
    ahead = events.now() + timedelta(hours=2)
    first = Process(tmp_path, AuditSink(), is_shared=True).begin()
    first.end("failed")
    journal = Journal(tmp_path / "runs", "run-1")
    journal.write(events.Warned(message="two hours ahead", logger="medallion", at=ahead))
    Process(tmp_path, AuditSink(), is_shared=True).begin().end("closed")
    record = compiled("run-1", journal.read())
    assert record.started is not None
    assert record.ended is not None
    assert record.started.at < ahead <= record.ended.at
