"""Published Silver in BigQuery, by the genuine client against a stand-in: all of it, once."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from unittest import mock

import polars as pl
import pytest
from google.cloud.bigquery import Client, LoadJob
from polars.testing import assert_frame_equal

from medallion.lake.published import Published
from medallion.spec import Spec
from medallion.warehouse.bigquery.shapes import Shape, shapes
from tests.cloud.conftest import Cloud
from tests.standins.job_accidents import FailingJobs, looked_at, submitted
from tests.standins.proxy import Accident, Request

Loaded = tuple[str, str]
TABLES = ("base_silver.orders", "base_silver.order_items")
# Gold behind it: test_gold.py.
RUN = ("run", "--pipelines", "bronze,dims,base_silver,enriched,publish,warehouse")
# Cheaper than a run that makes days anew.
AGAIN = (
    *("warehouse", "load", "--day", "2025-10-01"),
    *(part for table in TABLES for part in ("--again", table)),
)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, bronze: Path, cloud: Cloud) -> Path:
    """The machine that has published and loaded what was delivered first."""
    assert bronze.is_dir()
    folder = tmp_path_factory.mktemp("machine")
    run(cloud, folder)
    return folder


@dataclass(frozen=True)
class Changed:
    """What came of a run after days were delivered again.

    Attributes:
        told: What it said.
        loads: How often it has loaded each file.
        emptied: The day of which no return is left.
    """

    told: str
    loads: Counter[Loaded]
    emptied: str


@pytest.fixture(scope="module")
def changed(
    machine: Path,
    bronze: Path,
    client: Client,
    cloud: Cloud,
    tmp_path_factory: pytest.TempPathFactory,
) -> Changed:
    """Days are delivered again, one of them without rows; a job fails, and answers are lost."""
    assert machine.is_dir()
    deliver_again(bronze, "shopping_carts", "2025-10-03")
    day = max(path.name[-10:] for path in (bronze / "returns").glob("ingest_dt=*"))
    for table in ("returns", "return_items"):
        deliver_again(bronze, table, day, rows=0)
    cloud.deliver(bronze)
    before = loads(client, cloud)
    burnt = FailingJobs("rateLimitExceeded", is_meant=lambda job: "$" in str(job))
    lost = {"submission": 1, "look": 1}

    def accident(request: Request) -> Accident:
        if lost["submission"] and "sourceUris" in request.body.decode():
            lost["submission"] -= 1
            return "lost"
        if lost["look"] and (looked_at(request) or "").startswith("medallion-"):
            lost["look"] -= 1
            return "lost"
        return burnt(request)

    cloud.warehouse.accident = accident
    told = run(cloud, tmp_path_factory.mktemp("changed"))
    cloud.warehouse.forget()
    assert burnt.failed
    assert lost == {"submission": 0, "look": 0}
    return Changed(told, loads(client, cloud) - before, day)


def run(cloud: Cloud, folder: Path, *arguments: str) -> str:
    told = cloud.kedro(folder, *(arguments or RUN))
    assert told.returncode == 0, told.stderr
    return told.stdout + told.stderr


def in_silver(lake: Published, shape: Shape) -> pl.DataFrame:
    """The rows of a table as they are published, with their day."""
    pointer, _ = lake.pointer()
    assert pointer
    piece = lake.piece(lake.manifest(pointer.manifest).tables[shape.folder])
    frames = [
        pl.read_parquet(lake.storage.read(key).data).with_columns(
            pl.lit(one.manifest.value).str.to_date().alias(shape.day.name)
        )
        for one in piece.partitions.values()
        for key in one.objects
    ]
    return pl.concat(frames)


def in_bigquery(client: Client, cloud: Cloud, name: str, like: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table in BigQuery."""
    where = "where snapshot_dt > date '2000-01-01'" if name.startswith("dims.") else ""
    rows = client.query(f"select * from {named(cloud, name)} {where}").result()
    return pl.DataFrame([dict(row) for row in rows], schema=like.schema)


def named(cloud: Cloud, name: str) -> str:
    dataset, _, table = name.partition(".")
    return f"`emulator`.`{cloud.environment['MEDALLION_EMULATOR_DATASETS']}_{dataset}`.`{table}`"


def expect_equal(client: Client, cloud: Cloud, spec: Spec, cache: Path, *names: str) -> None:
    """BigQuery holds what is published, cell by cell: of some tables, or of all."""
    with mock.patch.dict(os.environ, cloud.environment):
        lake = Published.at(f"gs://{cloud.lake}/silver", cache / "published")
    tables = shapes(spec)
    for name in names or tables:
        wanted = in_silver(lake, tables[name])
        found = in_bigquery(client, cloud, name, wanted)
        assert_frame_equal(found, wanted, check_row_order=False, check_column_order=False)


def loads(client: Client, cloud: Cloud) -> Counter[Loaded]:
    """How often each file was loaded by a job that succeeded."""
    mine = cloud.environment["MEDALLION_EMULATOR_DATASETS"]
    return Counter(
        (job.destination.dataset_id, uri)
        for job in client.list_jobs(all_users=True, state_filter="done")
        if isinstance(job, LoadJob) and job.error_result is None
        if job.destination.dataset_id.startswith(mine)
        for uri in job.source_uris or ()
    )


def deliver_again(bronze: Path, table: str, day: str, *, rows: int | None = None) -> None:
    """The same partition with its first rows alone; with all but the last if it is not said."""
    folder = bronze / table / f"ingest_dt={day}"
    file, manifest = folder / "part-0000.parquet", folder / "_MANIFEST.json"
    frame = pl.read_parquet(file)
    kept = frame.head(frame.height - 1 if rows is None else rows)
    buffer = io.BytesIO()
    kept.write_parquet(buffer)
    file.write_bytes(buffer.getvalue())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    said = json.loads(manifest.read_text())
    said |= {"checksums": [digest], "total_rows": kept.height}
    said["files"][0] |= {"checksum": digest, "rows": kept.height}
    manifest.write_text(json.dumps(said))


def test_bigquery_holds_what_is_published_in_tables_as_the_spec_says(
    machine: Path, client: Client, cloud: Cloud, spec: Spec, tmp_path: Path
) -> None:
    assert machine.is_dir()
    expect_equal(client, cloud, spec, tmp_path)
    assert set(loads(client, cloud).values()) == {1}
    table = client.get_table(named(cloud, "base_silver.orders").replace("`", ""))
    assert table.time_partitioning.field == "ingestion_dt"
    assert table.clustering_fields == ["order_id", "customer_id"]
    assert table.description == "Accepted orders, one row each."
    kinds = {one.name: (one.field_type, one.mode, one.description) for one in table.schema}
    assert kinds["net_total"][:2] == ("NUMERIC", "NULLABLE")
    assert kinds["order_date"][:2] == ("DATETIME", "NULLABLE")
    assert kinds["email"][2].endswith("Personal data.")


def test_the_newest_snapshot_and_the_audit_trail_can_be_asked_there(
    machine: Path, client: Client, cloud: Cloud
) -> None:
    assert machine.is_dir()
    ask = "select count(*), min(snapshot_dt), max(snapshot_dt) from"
    ((count, first, last),) = client.query(f"{ask} {named(cloud, 'dims.customers')}").result()
    assert count > 0
    assert (first, last) == (date(2025, 10, 3), date(2025, 10, 3))
    runs = client.query(f"select distinct run_id from {named(cloud, 'audit.runs')}").result()
    assert [row.run_id for row in runs] == [cloud.current()]


def test_another_machine_with_an_empty_disk_loads_nothing_and_says_so(
    machine: Path, client: Client, cloud: Cloud, tmp_path: Path
) -> None:
    assert machine.is_dir()
    before = loads(client, cloud)
    told = run(cloud, tmp_path)
    assert "Nothing to load: BigQuery holds what run" in told
    assert loads(client, cloud) == before


def test_changed_days_are_loaded_once_each_although_answers_are_lost_and_jobs_fail(
    changed: Changed, client: Client, cloud: Cloud, spec: Spec, tmp_path: Path
) -> None:
    assert "rateLimitExceeded" in changed.told
    expect_equal(client, cloud, spec, tmp_path)
    assert changed.loads
    assert set(changed.loads.values()) == {1}
    assert not [uri for _, uri in changed.loads if "dt=2025-10-01" in uri]
    held = client.query(f"select distinct ingestion_dt from {named(cloud, 'base_silver.returns')}")
    assert changed.emptied not in {str(row.ingestion_dt) for row in held.result()}


def test_killed_between_two_loads_the_next_one_loads_what_is_left_and_nothing_twice(
    machine: Path, client: Client, cloud: Cloud, spec: Spec, tmp_path: Path
) -> None:
    assert machine.is_dir()
    before = loads(client, cloud)
    process = cloud.started(tmp_path / "victim", *AGAIN)
    begun: list[str] = []

    def kill(request: Request) -> Accident:
        job_id = submitted(request) or ""
        if "$" in request.body.decode() and job_id.startswith("medallion-"):
            begun.append(job_id)
        if len(begun) > 1:
            process.send_signal(signal.SIGKILL)
            return 503
        return None

    cloud.warehouse.accident = kill
    process.communicate(timeout=600)
    cloud.warehouse.forget()
    assert process.returncode == -signal.SIGKILL
    told = run(cloud, tmp_path / "next", "warehouse", "load")
    assert "was cut short while it loaded" in told
    expect_equal(client, cloud, spec, tmp_path, *TABLES)
    new = loads(client, cloud) - before
    assert len(new) == len(TABLES)
    assert set(new.values()) == {1}


def test_going_back_loads_if_it_is_wanted_and_else_tells_what_differs(
    changed: Changed, client: Client, cloud: Cloud, spec: Spec, tmp_path: Path
) -> None:
    assert changed.loads
    newest = cloud.current()
    back = run(cloud, tmp_path, "lake", "rollback", "--reload")
    assert "The warehouse holds this state" in back
    expect_equal(client, cloud, spec, tmp_path, "base_silver.shopping_carts", "base_silver.returns")
    told = run(cloud, tmp_path, "lake", "rollback", "--to", str(newest))
    assert "Pending in the warehouse: " in told
    status = run(cloud, tmp_path, "warehouse", "status")
    assert " 1 changed" in status
    assert " 1 removed" in status


def test_what_bigquery_refuses_ends_with_a_sentence(
    machine: Path, cloud: Cloud, tmp_path: Path
) -> None:
    assert machine.is_dir()
    cloud.warehouse.accident = FailingJobs(
        "quotaExceeded",
        times=99,
        message="Quota exceeded: Your table exceeded quota for Number of partition modifications"
        " to a column partitioned table. For more information, see https://cloud.google.com/x",
        is_meant=lambda job: "$" in str(job),
    )
    told = cloud.kedro(tmp_path, *AGAIN)
    cloud.warehouse.forget()
    assert told.returncode == 1
    assert (
        "a quota of BigQuery is used up (Your table exceeded quota for Number of partition"
        " modifications to a column partitioned table)"
    ) in " ".join(told.stderr.split())
    assert "Traceback" not in told.stderr
    run(cloud, tmp_path, "warehouse", "load")
