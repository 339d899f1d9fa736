"""Queries of suites see the same rows, whether a table is shown or was read into memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import polars as pl
import pytest

from medallion.gates import relations
from medallion.gates.expectation import Expectation
from medallion.gates.queries import columns_named
from medallion.gates.relations import view_lake
from medallion.gates.suite import Suite
from medallion.lake.inventory import LakeInventory
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.spec import Spec

FIRST = date(2025, 10, 1)
KIND = "unexpected_rows_expectation"
ONE_COLUMN = "select customer_id from base_silver.orders"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> LakeInventory:
    """Three days with an order each."""
    root = tmp_path_factory.mktemp("lake") / "silver"
    for n in range(3):
        folder = root / "base" / "orders" / f"ingestion_dt={FIRST + timedelta(days=n)}"
        folder.mkdir(parents=True)
        rows = pl.DataFrame({"order_id": [f"ORD-{n}"], "customer_id": [f"CUST-{n}"]})
        rows.write_parquet(folder / "part-0000.parquet")
        columns = {"order_id": "VARCHAR", "customer_id": "VARCHAR"}
        seal(folder, "base/orders", {"part-0000.parquet": 1}, columns)
    return LakeInventory(Lake(root), spec)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days are many."""
    monkeypatch.setattr(relations, "_MANY", 1)


def kind_of_orders(
    connection: duckdb.DuckDBPyConnection, lake: LakeInventory, query: str
) -> list[tuple[object, ...]]:
    """Lets a query name the tables of the lake; gives what `base_silver.orders` is then."""
    asking = Expectation(KIND, {"unexpected_rows_query": query}, "info", "A test.", "here")
    view_lake(connection, lake.spec, lake, [Suite("gold", "fct_orders", {"rows": (asking,)})])
    return connection.execute(
        "select table_type from information_schema.tables where table_name = 'orders'"
    ).fetchall()


CASES = pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("select order_id from base_silver.orders order by 1 limit 1", [("ORD-0",)]),
        ("select count(*) from base_silver.orders", [(3,)]),
        (
            "select order_id from base_silver.orders where ingestion_dt = '2025-10-03'",
            [("ORD-2",)],
        ),
        ("select max(ORDER_ID) from base_silver.orders", [("ORD-2",)]),
        ("select o.* exclude (order_id) from base_silver.orders as o limit 0", []),
        ("from base_silver.orders where false", []),
        ("select count(distinct o) from base_silver.orders as o", [(3,)]),
        ("select count(*) from base_silver.orders natural join base_silver.orders as b", [(0,)]),
    ],
)


@CASES
def test_a_query_finds_its_rows_where_a_table_is_shown(
    connection: duckdb.DuckDBPyConnection,
    lake: LakeInventory,
    query: str,
    rows: list[tuple[object, ...]],
) -> None:
    assert kind_of_orders(connection, lake, query) == [("VIEW",)]
    assert connection.execute(query).fetchall() == rows


@CASES
@pytest.mark.usefixtures("in_memory")
def test_a_query_finds_its_rows_where_a_table_is_in_memory(
    connection: duckdb.DuckDBPyConnection,
    lake: LakeInventory,
    query: str,
    rows: list[tuple[object, ...]],
) -> None:
    assert kind_of_orders(connection, lake, query) == [("BASE TABLE",)]
    assert connection.execute(query).fetchall() == rows


@pytest.mark.usefixtures("in_memory")
def test_only_columns_that_a_query_names_are_read_into_memory(
    connection: duckdb.DuckDBPyConnection, lake: LakeInventory
) -> None:
    kind_of_orders(connection, lake, ONE_COLUMN)
    held = connection.execute("describe base_silver.orders").fetchall()
    assert [column[0] for column in held] == ["customer_id"]


@pytest.mark.usefixtures("in_memory")
def test_a_large_table_is_shown(
    connection: duckdb.DuckDBPyConnection, lake: LakeInventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "_MOST_ROWS", 2)
    assert kind_of_orders(connection, lake, ONE_COLUMN) == [("VIEW",)]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("select a from t where B > 1 qualify row_number() over (order by c) = 1", "a b c"),
        ("select count(*) from t as o join {batch} as b using (k) where o.x <> b.y", "k o x b y"),
        ("select * from t", None),
        ("from t", None),
        ("select o.* exclude (a) from t as o", None),
        ("select columns('a.*') from t", None),
        ("select o from t as o", None),
        ("select a from t natural join u", None),
        ("select a from t positional join u", None),
        ("select a from t union by name select b from u", None),
        ("select a from t as o(a, b)", None),
        ("summarize t", None),
        ("pivot t on a using sum(b)", None),
        ("select v from (unpivot t on x, y into name n value v)", None),
    ],
)
def test_what_a_query_can_see_is_known_or_everything(
    connection: duckdb.DuckDBPyConnection, query: str, named: str | None
) -> None:
    found = columns_named(connection, [query])
    assert found == (frozenset(named.split()) if named is not None else None)
