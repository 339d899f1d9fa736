"""Marts in the catalog: whether they are there is what the warehouse says."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from kedro.io import DatasetError

from medallion.datasets.warehouse import GoldTableDataset, MartsDataset
from medallion.lake.writes import BuiltTable
from tests.conftest import PROJECT


@pytest.fixture
def connection(tmp_path: Path) -> dict[str, object]:
    path = tmp_path / "medallion.duckdb"
    with duckdb.connect(str(path)) as database:
        database.execute("create schema gold")
        database.execute("create table gold.fct_orders as select 'ORD-1' as order_id")
    return {"backend": "duckdb", "database": str(path), "read_only": True}


def mart(connection: dict[str, object], table: str) -> GoldTableDataset:
    spec = str(PROJECT / "conf" / "base" / "spec.yml")
    return GoldTableDataset(table=table, connection=connection, spec=spec)


def test_a_mart_exists_if_the_warehouse_holds_it(connection: dict[str, object]) -> None:
    assert mart(connection, "fct_orders").exists()
    assert not mart(connection, "fct_customers").exists()


def test_no_mart_exists_without_a_warehouse(tmp_path: Path) -> None:
    nowhere = {"backend": "duckdb", "database": str(tmp_path / "medallion.duckdb")}
    assert not mart(nowhere, "fct_orders").exists()
    assert not MartsDataset(connection=nowhere).exists()


def test_a_mart_that_is_not_there_cannot_be_noted(connection: dict[str, object]) -> None:
    mart(connection, "fct_orders").save(BuiltTable("gold", "fct_orders"))
    with pytest.raises(DatasetError, match="is not there"):
        mart(connection, "fct_customers").save(BuiltTable("gold", "fct_customers"))
    with pytest.raises(DatasetError, match=r"is not gold\.fct_orders"):
        mart(connection, "fct_orders").save(BuiltTable("gold", "fct_customers"))


def test_a_mart_as_of_a_run_is_refused_because_only_the_newest_stand(
    connection: dict[str, object],
) -> None:
    spec = str(PROJECT / "conf" / "base" / "spec.yml")
    earlier = GoldTableDataset(table="fct_orders", connection=connection, spec=spec, as_of="r1")
    with pytest.raises(DatasetError, match=r"gold\.fct_orders cannot be loaded as of r1"):
        earlier.load()
