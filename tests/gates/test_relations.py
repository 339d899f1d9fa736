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


@pytest.fixture(params=["shown", "in memory"])
def connection(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[duckdb.DuckDBPyConnection]:
    if request.param == "in memory":
        monkeypatch.setattr(relations, "_MANY", 1)
    with duckdb.connect() as connection:
        connection.execute("create table kind as select ?", [request.param])
        yield connection


@pytest.mark.parametrize(
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
def test_a_query_finds_its_rows(
    connection: duckdb.DuckDBPyConnection,
    lake: LakeInventory,
    spec: Spec,
    query: str,
    rows: list[tuple[object, ...]],
) -> None:
    asking = Expectation(KIND, {"unexpected_rows_query": query}, "info", "A test.", "here")
    view_lake(connection, spec, lake, [Suite("gold", "fct_orders", {"rows": (asking,)})])
    assert connection.execute(query).fetchall() == rows
    kind = connection.execute(
        "select table_type from information_schema.tables where table_name = 'orders'"
    ).fetchall()
    wanted = connection.execute("from kind").fetchall()[0][0]
    assert kind == [("BASE TABLE" if wanted == "in memory" else "VIEW",)]


def test_only_columns_that_a_query_names_are_read_into_memory(
    lake: LakeInventory, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "_MANY", 1)
    query = {"unexpected_rows_query": "select customer_id from base_silver.orders"}
    asking = Expectation(KIND, query, "info", "A test.", "here")
    with duckdb.connect() as connection:
        view_lake(connection, spec, lake, [Suite("gold", "fct_orders", {"rows": (asking,)})])
        held = connection.execute("describe base_silver.orders").fetchall()
    assert [column[0] for column in held] == ["customer_id"]


def test_a_large_table_is_shown(
    lake: LakeInventory, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "_MANY", 1)
    monkeypatch.setattr(relations, "_MOST_ROWS", 2)
    query = {"unexpected_rows_query": "select customer_id from base_silver.orders"}
    asking = Expectation(KIND, query, "info", "A test.", "here")
    with duckdb.connect() as connection:
        view_lake(connection, spec, lake, [Suite("gold", "fct_orders", {"rows": (asking,)})])
        kinds = connection.execute("select table_type from information_schema.tables").fetchall()
    assert kinds == [("VIEW",)]


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
def test_what_a_query_can_see_is_known_or_everything(query: str, named: str | None) -> None:
    with duckdb.connect() as connection:
        found = columns_named(connection, [query])
    assert found == (frozenset(named.split()) if named is not None else None)
