"""The record of a run, and how it compares with its target and with earlier runs."""

from __future__ import annotations

import json
import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from medallion.events import LayerCounted
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import PartitionManifest, write_manifest
from medallion.lake.store import Lake
from medallion.runs.lifecycle import Status
from medallion.runs.record import RunRecord
from medallion.runs.sinks.metrics import MetricsSink, duration, freshness, quarantine, volume
from medallion.runs.sinks.sink import harmless
from medallion.spec import Spec
from tests.observability.telling import NOON, record_of, surroundings


def receipt(table: str, bronze: int, quarantined: int) -> dict[str, Any]:
    accepted = bronze - quarantined
    counted = {"bronze_rows": bronze, "accepted": accepted, "quarantined": quarantined}
    return {"table": table, **counted}


def counted(*receipts: dict[str, Any]) -> LayerCounted:
    return LayerCounted(at=NOON, layer="base_silver", receipt=receipts)


def earlier(*seconds: float, rows: int = 100) -> list[dict[str, Any]]:
    return [{"duration": {"seconds": s}, "volume": {"bronze_rows": rows}} for s in seconds]


def finished(
    data_root: Path, run_id: str, seconds: float, status: Status = "succeeded", rows: int = 10
) -> None:
    """Ends a run, so that its record is written."""
    settings = {"target_seconds": 5, "trailing_runs": 2}
    sink = MetricsSink()
    sink.begin(surroundings(data_root, run_id, metrics=settings))
    receipts = [receipt("orders", rows, 1)] if rows else []
    ended = record_of(run_id, counted(*receipts), seconds=seconds, status=status)
    harmless("MetricsSink", lambda: sink.end(ended))


def run_of(*receipts: dict[str, Any]) -> RunRecord:
    return record_of("r", counted(*receipts))


def record(data_root: Path, run_id: str) -> dict[str, Any]:
    text = (data_root / "metrics" / "runs" / f"{run_id}.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def test_duration_is_compared_with_its_target_and_the_median() -> None:
    assert duration(30.0, 60.0, earlier(10.0, 20.0, 90.0)) == {
        "seconds": 30.0,
        "target_seconds": 60.0,
        "within_target": True,
        "trailing_median": 20.0,
        "ratio": 1.5,
    }


def test_the_first_run_has_nothing_to_compare_with() -> None:
    first = duration(70.0, 60.0, [])
    assert (first["within_target"], first["trailing_median"], first["ratio"]) == (False, None, None)


def test_volume_is_the_bronze_rows_against_the_median() -> None:
    found = volume(run_of(receipt("orders", 150, 0)), earlier(1.0, 1.0, rows=100))
    assert (found["bronze_rows"], found["trailing_median"], found["ratio"]) == (150, 100, 1.5)
    assert found["tables"] == {"base_silver.orders": 150}


def test_the_quarantine_rate_is_a_share_of_what_came_in() -> None:
    found = quarantine(run_of(receipt("orders", 10, 1), receipt("returns", 0, 0)))
    assert (found["rows"], found["rate"]) == (1, 0.1)
    assert found["tables"] == {"base_silver.orders": 0.1, "base_silver.returns": 0.0}


def test_freshness_is_the_days_between_the_newest_partition_and_the_horizon(
    tmp_path: Path, spec: Spec
) -> None:
    for day in ("2025-10-01", "2025-10-03"):
        folder = tmp_path / "base" / "orders" / f"ingestion_dt={day}"
        folder.mkdir(parents=True)
        manifest = PartitionManifest(
            table="base/orders", partition=folder.name, files=(), content_hash=""
        )
        write_manifest(folder, manifest)
    found = freshness(LakeInventory(Lake(tmp_path), spec), date(2025, 10, 7))
    assert found == {"base_silver.orders": {"newest": "2025-10-03", "days_behind": 4}}


def test_only_runs_that_succeeded_and_did_something_count(tmp_path: Path) -> None:
    finished(tmp_path, "good", 2.0)
    finished(tmp_path, "failed", 50.0, status="failed")
    finished(tmp_path, "idle", 0.1, rows=0)
    finished(tmp_path, "last", 3.0)
    assert record(tmp_path, "last")["duration"]["trailing_median"] == 2.0
    assert record(tmp_path, "idle")["did_nothing"]


def test_only_the_trailing_runs_count(tmp_path: Path) -> None:
    for n, seconds in enumerate((100.0, 1.0, 2.0, 4.0)):
        finished(tmp_path, f"run-{n}", seconds)
    assert record(tmp_path, "run-3")["duration"]["trailing_median"] == 1.5


def test_a_run_beyond_its_target_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "medallion.runs.sinks.metrics"):
        finished(tmp_path, "slow", 6.0)
    assert caplog.messages == ["The run took 6 s; its target is 5 s."]


def test_a_damaged_record_fails_no_run_and_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "metrics" / "runs"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text("{", encoding="utf-8")
    finished(tmp_path, "next", 1.0)
    assert "broken.json cannot be read: it is no JSON" in caplog.text


def test_what_a_system_leaves_among_the_records_is_not_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "metrics" / "runs"
    folder.mkdir(parents=True)
    (folder / "desktop.ini").write_bytes(b"\0")
    finished(tmp_path, "next", 1.0)
    assert not caplog.messages
