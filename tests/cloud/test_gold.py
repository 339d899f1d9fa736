"""Gold in BigQuery, by the genuine clients against stand-ins: that of the laptop, cell by cell."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from google.cloud.bigquery import Client

from tests.cloud.conftest import Cloud
from tests.cloud.test_loads import deliver_again
from tests.parity import Rows, all_compared, on_bigquery
from tests.running import Shop, kedro
from tests.standins.job_accidents import FailingJobs
from tests.standins.proxy import Accident, Request


@pytest.fixture(scope="module")
def laptop(bronze: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(bronze, tmp_path_factory.mktemp("laptop"))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, bronze: Path, cloud: Cloud) -> str:
    """What the run said that has built Gold from what was delivered first."""
    assert bronze.is_dir()
    return run(cloud, tmp_path_factory.mktemp("first"))


@dataclass(frozen=True)
class Changed:
    """What came of days that were delivered again, one of them without rows.

    Attributes:
        before: Gold before that.
        killed: Gold after a run that was killed when it was about to take it over.
        told: What the next run said, of whose take-over the answer was lost.
        scripts: How many transactions it has begun.
        again: What the run after that said, on a machine with an empty disk.
    """

    before: dict[str, Rows]
    killed: dict[str, Rows]
    told: str
    scripts: int
    again: str


@pytest.fixture(scope="module")
def changed(
    first: str, bronze: Path, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Changed:
    assert first
    before = in_bigquery(cloud)
    deliver_again(bronze, "shopping_carts", "2025-10-03")
    day = max(path.name[-10:] for path in (bronze / "returns").glob("ingest_dt=*"))
    for table in ("returns", "return_items"):
        deliver_again(bronze, table, day, rows=0)
    cloud.deliver(bronze)
    process = cloud.started(tmp_path_factory.mktemp("killed"), "run")

    def kill(request: Request) -> Accident:
        if b"begin transaction" in request.body:
            process.send_signal(signal.SIGKILL)
            return 503
        return None

    cloud.warehouse.accident = kill
    process.communicate(timeout=600)
    cloud.warehouse.forget()
    assert process.returncode == -signal.SIGKILL
    killed = in_bigquery(cloud)
    scripts: list[Request] = []

    def lose(request: Request) -> Accident:
        if b"begin transaction" not in request.body:
            return None
        scripts.append(request)
        return "lost"

    cloud.warehouse.accident = lose
    told = run(cloud, tmp_path_factory.mktemp("next"))
    cloud.warehouse.forget()
    return Changed(before, killed, told, len(scripts), run(cloud, tmp_path_factory.mktemp("again")))


def run(cloud: Cloud, folder: Path, *arguments: str) -> str:
    told = cloud.kedro(folder, *(arguments or ("run",)))
    assert told.returncode == 0, told.stderr
    return told.stdout + told.stderr


def in_bigquery(cloud: Cloud) -> dict[str, Rows]:
    with mock.patch.dict(os.environ, cloud.environment):
        return on_bigquery(cloud.environment["MEDALLION_EMULATOR_DATASETS"])


def expect_as_on(laptop: Shop, cloud: Cloud) -> None:
    """Both Golds are equal, cell by cell."""
    told = kedro(laptop, "run")
    assert told.returncode == 0, told.stderr
    file = laptop.data / "warehouse" / "medallion.duckdb"
    with mock.patch.dict(os.environ, cloud.environment):
        found = all_compared(file, cloud.environment["MEDALLION_EMULATOR_DATASETS"])
    assert [example for one in found for example in one.examples] == []
    assert all(one.rows for one in found)


def named(cloud: Cloud, name: str) -> str:
    dataset, _, table = name.partition(".")
    return f"emulator.{cloud.environment['MEDALLION_EMULATOR_DATASETS']}_{dataset}.{table}"


def test_gold_is_that_of_the_laptop_cell_by_cell(first: str, laptop: Shop, cloud: Cloud) -> None:
    assert "13 marts taken over in one transaction" in first
    assert re.search(r"to scan: [\d.]+ [KM]iB; [\d.]+ GiB are allowed", " ".join(first.split()))
    assert "warehouse/medallion.duckdb" not in first
    expect_as_on(laptop, cloud)


def test_tables_are_made_as_they_are_declared_and_stay_when_they_are_filled_anew(
    first: str, client: Client, cloud: Cloud
) -> None:
    assert first
    by_day = client.get_table(named(cloud, "gold.fct_shipping_analysis"))
    whole = client.get_table(named(cloud, "gold.fct_orders"))
    assert by_day.time_partitioning.field == "ingestion_dt"
    assert by_day.clustering_fields == ["shipping_speed", "order_channel"]
    assert (whole.time_partitioning, whole.clustering_fields) == (None, ["order_id"])
    assert by_day.description == "What shipping earned and cost, by day, speed and channel."
    kinds = {one.name: (one.field_type, one.mode, one.description) for one in by_day.schema}
    assert kinds["subsidised_orders"] == (
        "INTEGER",
        "NULLABLE",
        "Orders whose shipping cost more than was charged.",
    )
    assert kinds["shipping_margin"][0] == "NUMERIC"


def test_what_people_add_to_a_table_stays(
    changed: Changed, client: Client, cloud: Cloud, tmp_path: Path
) -> None:
    assert changed.told
    table = client.get_table(named(cloud, "gold.fct_shipping_analysis"))
    table.labels = {**table.labels, "owner": "logistics"}
    client.update_table(table, ["labels"])
    run(cloud, tmp_path, "warehouse", "rebuild", "fct_shipping_analysis")
    told = run(cloud, tmp_path)
    assert "1 mart taken over in one transaction" in told
    after = client.get_table(named(cloud, "gold.fct_shipping_analysis"))
    assert (after.labels, after.created) == (table.labels, table.created)


def test_a_kill_before_the_take_over_changes_nothing_that_people_read(changed: Changed) -> None:
    assert {mart: sorted(map(repr, rows)) for mart, rows in changed.killed.items()} == {
        mart: sorted(map(repr, rows)) for mart, rows in changed.before.items()
    }


def test_changed_and_emptied_days_come_as_on_the_laptop_although_an_answer_is_lost(
    changed: Changed, laptop: Shop, cloud: Cloud
) -> None:
    assert "marts for" in changed.told
    assert changed.scripts == 1
    expect_as_on(laptop, cloud)


def test_another_machine_with_an_empty_disk_builds_nothing(changed: Changed) -> None:
    assert "Nothing to do: every layer is up to date" in changed.again
    assert "taken over" not in changed.again


def test_the_status_tells_of_each_mart(changed: Changed, cloud: Cloud, tmp_path: Path) -> None:
    assert changed.again
    told = run(cloud, tmp_path, "warehouse", "status")
    line = next(line for line in told.splitlines() if "gold.fct_orders" in line)
    assert str(cloud.current()) in line
    assert "Gold is what the lake says." in told
    run(cloud, tmp_path, "warehouse", "rebuild", "fct_orders")
    told = run(cloud, tmp_path, "warehouse", "status")
    assert "somebody has asked to build it again" in told
    assert "The next run builds 1 mart." in told
    run(cloud, tmp_path, "run", "--pipelines", "gold")


def test_marts_load_as_ibis_tables(changed: Changed, cloud: Cloud, tmp_path: Path) -> None:
    assert changed.again
    with cloud.catalog(tmp_path) as catalog:
        orders = catalog.load("gold.fct_orders")
        assert orders.count().to_pyarrow().as_py() > 0
        frame = orders.select("order_id", "order_date", "net_total").to_pyarrow()
    assert frame.num_rows == len(in_bigquery(cloud)["fct_orders"])


def test_a_quota_that_is_used_up_while_dbt_builds_ends_with_a_sentence(
    changed: Changed, cloud: Cloud, tmp_path: Path
) -> None:
    assert changed.again
    run(cloud, tmp_path, "warehouse", "rebuild", "fct_orders")
    cloud.warehouse.accident = FailingJobs(
        "quotaExceeded",
        times=99,
        message="Quota exceeded: Your project exceeded quota for concurrent queries.",
        is_meant=lambda job: "create or replace table" in str(job),
    )
    told = cloud.kedro(tmp_path, "run", "--pipelines", "gold")
    cloud.warehouse.forget()
    assert told.returncode == 1
    said = " ".join(told.stderr.split())
    assert "Gold is not built in BigQuery: a quota of BigQuery is used up" in said
    assert "Traceback" not in told.stderr
    assert "taken over" in run(cloud, tmp_path, "run", "--pipelines", "gold")
