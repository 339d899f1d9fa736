"""The genuine dbt-bigquery builds a project in the stand-in twice, the second time by the day."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from google.cloud.bigquery import Client

from tests.cloud.conftest import Cloud
from tests.cloud.warehouse import Warehouse

PROJECT = {
    "name": "shop",
    "profile": "shop",
    "model-paths": ["models"],
    "test-paths": ["tests"],
    "flags": {"send_anonymous_usage_stats": False},
    "models": {"shop": {"+persist_docs": {"relation": True, "columns": True}}},
}
SOURCES = {
    "sources": [
        {"name": "silver", "schema": "{{ var('silver') }}", "tables": [{"name": "t"}]},
    ]
}
MODELS: dict[str, str] = {
    "days": """
        {{ config(
            materialized = 'incremental', incremental_strategy = 'insert_overwrite',
            partition_by = {'field': 'day', 'data_type': 'date'}, cluster_by = ['orders'],
            require_partition_filter = true, on_schema_change = 'fail',
            partitions = var('days')
        ) }}
        select
            ingestion_dt as day,
            count(*) as orders,
            cast(sum(id) / count(*) as numeric) as mean,
            max(datetime(ingestion_dt)) as seen
        from {{ source('silver', 't') }}
        where ingestion_dt in ({{ var('days') | join(', ') }})
        group by ingestion_dt
    """,
    "ids": """
        {{ config(materialized = 'table', labels = {'layer': 'gold'}) }}
        select id, string_agg(cast(ingestion_dt as string) order by ingestion_dt) as days
        from {{ source('silver', 't') }}
        where ingestion_dt >= date '2025-01-01'
        group by id
    """,
    "latest": """
        {{ config(materialized = 'view') }}
        select id from {{ ref('ids') }} where days like '%2025-10-02%'
    """,
}
WHERE = {"config": {"where": "day >= date '2025-01-01'"}}
DESCRIBED = {
    "days": {
        "description": "Orders by day; it isn't \"raw\".",
        "config": {"contract": {"enforced": True}},
        "columns": [
            {"name": "day", "data_type": "date", "description": "The day.",
             "data_tests": [{"unique": WHERE}, {"not_null": WHERE}]},
            {"name": "orders", "data_type": "int64", "constraints": [{"type": "not_null"}]},
            {"name": "mean", "data_type": "numeric"},
            {"name": "seen", "data_type": "datetime"},
        ],
    },
    "ids": {
        "description": "The ids.",
        "config": {"contract": {"enforced": True}},
        "columns": [
            {"name": "id", "data_type": "int64", "description": "The id.",
             "data_tests": ["unique", "not_null"],
             "constraints": [{"type": "not_null"}]},
            {"name": "days", "data_type": "string"},
        ],
    },
    "latest": {
        "description": "Those of the last day.",
        "columns": [
            {"name": "id", "description": "The id.",
             "data_tests": [
                 {"relationships": {"arguments": {"to": "ref('ids')", "field": "id"}}}
             ]},
        ],
    },
}  # fmt: skip
UNIT = {
    "name": "ids_are_joined",
    "model": "ids",
    "given": [
        {
            "input": "source('silver', 't')",
            "rows": [
                {"id": 7, "ingestion_dt": "2025-10-02"},
                {"id": 7, "ingestion_dt": "2025-10-01"},
            ],
        }
    ],
    "expect": {"rows": [{"id": 7, "days": "2025-10-01,2025-10-02"}]},
}


@dataclass(frozen=True)
class Dbt:
    """A project in a folder, and the dataset that it builds in.

    Attributes:
        folder: The folder.
        silver: What it reads.
        gold: What it builds.
        environment: The variables of its process.
    """

    folder: Path
    silver: Warehouse
    gold: Warehouse
    environment: dict[str, str]

    def build(self, *days: str, fails: bool = False) -> dict[str, dict[str, Any]]:
        """Builds and tests everything.

        Returns:
            What dbt says of each node, by name.
        """
        given = {"silver": self.silver.dataset, "days": [f"date '{day}'" for day in days]}
        done = subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "build", "--vars", json.dumps(given),
             "--profiles-dir", ".", "--threads", "4", "--no-use-colors"],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode != 0) is fails, done.stdout + done.stderr
        results = json.loads((self.folder / "target" / "run_results.json").read_text())["results"]
        return {one["unique_id"].split(".")[2]: one for one in results}


@pytest.fixture
def dbt(cloud: Cloud, tmp_path: Path) -> Iterator[Dbt]:
    with mock.patch.dict(os.environ, cloud.environment):
        from google.cloud.storage import Client as Store

        client, store = Client(project="shop", location="us-central1"), Store(project="shop")
    silver, gold = (
        Warehouse(client, f"{tmp_path.name}_{name}".replace("-", "_"), store.bucket(cloud.lake))
        for name in ("silver", "gold")
    )
    client.create_dataset(silver.dataset)
    output = {
        "type": "bigquery", "method": "oauth", "project": "shop", "dataset": gold.dataset,
        "location": "us-central1", "threads": 4,
    }  # fmt: skip
    write(tmp_path / "dbt_project.yml", PROJECT)
    write(tmp_path / "profiles.yml", {"shop": {"target": "t", "outputs": {"t": output}}})
    write(tmp_path / "models" / "sources.yml", SOURCES)
    models = [{"name": name, **more} for name, more in DESCRIBED.items()]
    write(tmp_path / "models" / "models.yml", {"models": models, "unit_tests": [UNIT]})
    for name, sql in MODELS.items():
        (tmp_path / "models" / f"{name}.sql").write_text(sql)
    made = Dbt(tmp_path, silver, gold, {**os.environ, **cloud.environment})
    yield made
    for one in (silver, gold):
        client.delete_dataset(one.dataset, delete_contents=True, not_found_ok=True)
    client.close()
    store.close()


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def test_a_project_is_built_twice_and_an_emptied_day_is_cleared(dbt: Dbt) -> None:
    for day, ids in {"2025-10-01": [1, 2], "2025-10-02": [2, 5], "2025-10-03": [9]}.items():
        dbt.silver.load_day(day, ids)
    require_filter(dbt.silver)
    dbt.build("2025-10-01", "2025-10-02", "2025-10-03")
    assert orders(dbt) == {"2025-10-01": 2, "2025-10-02": 2, "2025-10-03": 1}
    assert dbt.gold.query(f"select id from `{dbt.gold.name('latest')}` order by id") == [(2,), (5,)]

    dbt.silver.load_day("2025-10-02", [4, 5, 6])
    dbt.silver.load_day("2025-10-03", [])
    built = dbt.build("2025-10-02", "2025-10-03")
    assert orders(dbt) == {"2025-10-01": 2, "2025-10-02": 3}
    assert dbt.gold.query(f"select sum(id) from `{dbt.gold.name('latest')}`") == [(15,)]
    response = built["days"]["adapter_response"]
    assert (response["location"], response["code"]) == ("us-central1", "SCRIPT")
    assert built["ids"]["adapter_response"]["rows_affected"] == 5

    days, ids = dbt.gold.table("days"), dbt.gold.table("ids")
    assert days.description == DESCRIBED["days"]["description"]
    assert [one.description for one in days.schema] == ["The day.", "", "", ""]
    assert [one.field_type for one in days.schema] == ["DATE", "INTEGER", "NUMERIC", "DATETIME"]
    assert [one.mode for one in days.schema] == ["NULLABLE", "REQUIRED", "NULLABLE", "NULLABLE"]
    assert days.time_partitioning.field == "day"
    assert (days.clustering_fields, days.require_partition_filter) == (["orders"], True)
    assert (ids.description, ids.labels) == ("The ids.", {"layer": "gold"})
    assert dbt.gold.table("latest").schema[0].description == "The id."


def require_filter(silver: Warehouse) -> None:
    table = silver.table()
    table.require_partition_filter = True
    silver.client.update_table(table, ["require_partition_filter"])


def orders(dbt: Dbt) -> dict[str, int]:
    sql = f"select day, orders from `{dbt.gold.name('days')}` where day > date '2025-01-01'"
    return {str(day): count for day, count in dbt.gold.query(f"{sql} order by day")}
