"""The copy in BigQuery has what the trail has, whatever became of earlier attempts."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from google.cloud.bigquery import Client

from medallion.errors import ConfigurationError
from medallion.runs.audit.bigquery import BigQueryCopy, _job_config, schema
from medallion.runs.audit.delivery import RejectedError, deliver
from medallion.runs.audit.trail import AuditTrail
from medallion.runs.lifecycle import Status
from medallion.runs.settings import parse_observability
from medallion.runs.sinks import BigQuerySink
from medallion.runs.sinks import bigquery as sink
from tests.audit.recorded import RECORD
from tests.listening import refusing_url
from tests.observability.telling import record_of, surroundings
from tests.standins.google import bigquery, credentials

PROJECT = "medallion-test"
TOLD = replace(
    RECORD,
    ingest_dt="2025-10-01",
    execution_time_seconds=1.5,
    started_at="2026-01-01T12:30:00.123+00:00",
    input_manifests={"bronze": "f1", "customers": "f2"},
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("bigquery")
    with pytest.MonkeyPatch.context() as patch, credentials(folder) as key, bigquery(folder) as url:
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        patch.setenv("BIGQUERY_EMULATOR_HOST", url)
        with Client(project=PROJECT) as opened:
            yield opened


@pytest.fixture
def table(client: Client, request: pytest.FixtureRequest) -> str:
    """A table in a dataset of the test's own; it is not there yet."""
    dataset = client.create_dataset(request.node.originalname)
    return f"{PROJECT}.{dataset.dataset_id}.audit_runs"


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "metrics" / "audit")


def end(trail: AuditTrail, name: str, status: str = "succeeded") -> None:
    run: dict[str, Any] = {"run_id": name, "started_at": name, "status": status}
    trail.end(run, [replace(TOLD, run_id=name)])


def rows(client: Client, table: str) -> list[dict[str, Any]]:
    query = f"select * from `{table.replace('.', '`.`')}` order by run_id"
    return [dict(row) for row in client.query(query).result()]


def copy(data: Path, table: str | None, status: Status = "succeeded", **settings: Any) -> None:
    """Ends a run whose trail is copied."""
    around = surroundings(data, audit={"bigquery_table": table, **settings})
    copying = BigQuerySink()
    copying.check(around)
    copying.begin(around)
    copying.end(record_of(status=status))


def test_a_record_arrives_with_every_field_in_its_type(
    client: Client, table: str, trail: AuditTrail
) -> None:
    end(trail, "r1")
    deliver(trail, BigQueryCopy(table, None, 30))
    (row,) = rows(client, table)
    assert row.keys() == RECORD.as_json().keys()
    assert row["ingest_dt"] == date(2025, 10, 1)
    assert row["started_at"] == datetime(2026, 1, 1, 12, 30, 0, 123000, tzinfo=UTC)
    assert (row["output_rows"], row["execution_time_seconds"], row["error"]) == (7, 1.5, None)
    assert row["input_manifests"] == [
        {"input": "bronze", "fingerprint": "f1"},
        {"input": "customers", "fingerprint": "f2"},
    ]


def test_the_table_is_made_by_month_and_clustered(
    client: Client, table: str, trail: AuditTrail
) -> None:
    end(trail, "r1")
    deliver(trail, BigQueryCopy(table, None, 30))
    made = client.get_table(table)
    assert (made.time_partitioning.type_, made.time_partitioning.field) == ("MONTH", "started_at")
    assert made.clustering_fields == ["layer", "table_name"]


def test_a_delivery_of_which_nobody_knew_that_it_arrived_is_not_repeated(
    client: Client, table: str, trail: AuditTrail
) -> None:
    end(trail, "r1")
    state = trail.folder / "deliveries" / f"{table}.json"
    deliver(trail, BigQueryCopy(table, None, 30))
    known = json.loads(state.read_text(encoding="utf-8"))
    (job,) = client.list_jobs(all_users=True, max_results=1)
    crashed = {**known, "runs": [], "open": {"job_id": job.job_id, "runs": ["r1"]}}
    state.write_text(json.dumps(crashed), encoding="utf-8")
    end(trail, "r2")
    assert deliver(trail, BigQueryCopy(table, None, 30)) == 2
    assert [row["run_id"] for row in rows(client, table)] == ["r1", "r2"]


def test_a_table_that_cannot_take_the_records_gets_them_when_it_can(
    client: Client, table: str, trail: AuditTrail
) -> None:
    client.query(f"create table `{table}` (run_id int64)").result()
    end(trail, "r1")
    with pytest.raises(RejectedError):
        deliver(trail, BigQueryCopy(table, None, 30))
    client.delete_table(table)
    assert deliver(trail, BigQueryCopy(table, None, 30)) == 1
    assert len(rows(client, table)) == 1


def test_a_column_that_a_newer_version_adds_is_added_to_the_table(
    client: Client, table: str, trail: AuditTrail
) -> None:
    config = _job_config()
    older = ("run_id", "started_at", "layer", "table_name")
    config.schema = [one for one in schema() if one.name in older]
    client.load_table_from_json([{"run_id": "r0"}], table, job_config=config).result()
    end(trail, "r1")
    deliver(trail, BigQueryCopy(table, None, 30))
    assert [row["output_rows"] for row in rows(client, table)] == [None, 7]


def test_runs_that_succeeded_and_runs_that_failed_are_copied(
    client: Client, table: str, tmp_path: Path, trail: AuditTrail
) -> None:
    end(trail, "r1")
    copy(tmp_path, table)
    end(trail, "r2", status="failed")
    copy(tmp_path, table, "failed")
    assert [row["run_id"] for row in rows(client, table)] == ["r1", "r2"]


def test_without_a_table_nothing_is_sent(tmp_path: Path, trail: AuditTrail) -> None:
    end(trail, "r1")
    copy(tmp_path, None)
    assert not (trail.folder / "deliveries").exists()


def test_a_dataset_that_is_not_there_is_a_warning_and_the_next_run_tries_again(
    client: Client, tmp_path: Path, trail: AuditTrail, caplog: pytest.LogCaptureFixture
) -> None:
    end(trail, "r1")
    table = f"{PROJECT}.nowhere.audit_runs"
    copy(tmp_path, table)
    (warning,) = warnings_of(caplog)
    assert f"not copied to {table}; the next run tries again" in warning
    assert "nowhere" in warning.partition("(")[2]
    client.create_dataset("nowhere")
    copy(tmp_path, table)
    assert len(rows(client, table)) == 1


@pytest.mark.usefixtures("client")
def test_a_bigquery_that_cannot_be_reached_fails_no_run(
    tmp_path: Path,
    trail: AuditTrail,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", refusing_url())
    end(trail, "r1")
    copy(tmp_path, f"{PROJECT}.d.audit_runs", timeout_seconds=1)
    (warning,) = warnings_of(caplog)
    assert "the next run tries again" in warning


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Those of the sink; Google's libraries have some of their own."""
    return [
        one.message
        for one in caplog.records
        if (one.name, one.levelno) == (sink.__name__, logging.WARNING)
    ]


def test_what_is_not_installed_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match="google-cloud-bigquery is not installed"):
        copy(tmp_path, f"{PROJECT}.d.audit_runs")


@pytest.mark.parametrize(
    "table", ["audit_runs", "p.d.t", "project.d.t; drop table x", "pro`ject.d.t"]
)
def test_a_table_is_named_by_project_dataset_and_table(table: str) -> None:
    with pytest.raises(ConfigurationError, match=r"audit\.bigquery_table"):
        parse_observability({"audit": {"bigquery_table": table}})
