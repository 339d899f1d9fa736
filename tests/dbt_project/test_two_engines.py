"""A mart is the same, cell by cell, on DuckDB and by Google's reference implementation.

Rows are few and odd: nulls, denominators of 0, halves of a cent, days around the turn of a year.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from medallion.gates.declared import load_gold_models
from medallion.spec import Spec, load_spec
from medallion.spec.types import SILVER
from tests.conftest import PROJECT
from tests.dbt_project.analysed_bigquery import DAYS, LISTED, SHOP, silver
from tests.dbt_project.googlesql import GoogleSql, inline, quoted

LAW = settings(
    max_examples=2,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SPEC: Spec = load_spec(PROJECT / "conf" / "base" / "spec.yml")
MODELS = load_gold_models(str(PROJECT / "dbt" / "models" / "gold"))
_OF_BIGQUERY = {kind.bigquery: kind.duckdb for kind in SILVER.values()}
# The tables that marts may read, one mart among them.
TABLES = {
    **{name.removeprefix(f"{SHOP}."): columns for name, columns in silver(SPEC).items()},
    "gold.fct_orders": {"order_id": "STRING", "customer_id": "STRING"},
}
Rows = Sequence[Mapping[str, object]]
Inputs = Mapping[str, Rows]

_LAST = date.fromisoformat(DAYS[-1])
_TEXTS = {
    "customer_id": ["CUST-1", "GUEST-7", "GUEST-", "XGUEST-7", "GUEST-7\n", "guest-7"],
    "cart_status": ["converted", "abandoned", "open", "emptied"],
    "order_id": ["ORD-1", "ORD-2", "ORD-3"],
}
_VALUES: dict[str, st.SearchStrategy[object]] = {
    "BOOL": st.booleans(),
    "INT64": st.sampled_from([0, 0, 1, 2, 3, 7, 100_000, -1]),
    "FLOAT64": st.sampled_from([0.0, 0.1, 1 / 3, 2 / 3, 0.125, 1.0, 1e-9, 0.7071067811865476]),
    "NUMERIC": st.sampled_from(
        [Decimal(x) for x in ("0", "0.01", "-0.01", "0.05", "33.33", "-12.35", "9999999999.99")]
    ),
    "STRING": st.sampled_from(["a", "b", "it's", 'é \\ "']),
    "DATE": st.dates(date(2024, 12, 26), date(2025, 1, 8)),
    "DATETIME": st.datetimes(),
}


def values(name: str, kind: str) -> st.SearchStrategy[object]:
    """Values of a column; a mart needs a day and, in its grain, no null."""
    if name == "ingestion_dt":
        return st.integers(0, 9).map(lambda back: _LAST - timedelta(days=back))
    if name in ("product_id", "order_id"):
        return st.sampled_from(_TEXTS["order_id"] if kind == "STRING" else [1, 2, 3])
    usual = st.sampled_from(_TEXTS[name]) if name in _TEXTS else _VALUES[kind]
    return st.one_of(st.none(), usual, usual, usual)


def rows(table: str) -> st.SearchStrategy[list[dict[str, object]]]:
    """Some rows of a table."""
    columns = {name: values(name, kind) for name, kind in TABLES[table].items()}
    return st.lists(st.fixed_dictionaries(columns), min_size=2, max_size=6)


class Marts:
    """The marts as both engines compute them from the same rows.

    Args:
        compiled: What dbt has made of the models, by engine.
    """

    def __init__(self, compiled: Mapping[str, Mapping[str, str]]) -> None:
        self._compiled = compiled
        self._google = GoogleSql()

    def reads(self, mart: str) -> list[str]:
        """The tables that a mart names."""
        sql = self._compiled["bigquery"][mart]
        return [table for table in TABLES if quoted(f"{SHOP}.{table}") in sql]

    def on_google(self, mart: str, inputs: Inputs) -> list[tuple[object, ...]]:
        sql = self._compiled["bigquery"][mart]
        for table in self.reads(mart):
            given = inline(TABLES[table], inputs.get(table, []))
            sql = sql.replace(quoted(f"{SHOP}.{table}"), f"({given})")
        return [tuple(row.values()) for row in self._google.rows(sql)]

    def on_duckdb(self, mart: str, inputs: Inputs) -> list[tuple[object, ...]]:
        with _lake() as connection:
            for table in self.reads(mart):
                slots = ", ".join("?" * len(TABLES[table]))
                for row in inputs.get(table, []):
                    cells = [row.get(name) for name in TABLES[table]]
                    connection.execute(f"insert into {_place(table)} values ({slots})", cells)
            return connection.execute(self._compiled["duckdb"][mart]).fetchall()


@contextmanager
def _lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as lake; attach ':memory:' as warehouse")
        for table, columns in TABLES.items():
            place = _place(table)
            declared = ", ".join(f"{name} {_OF_BIGQUERY[kind]}" for name, kind in columns.items())
            connection.execute(f"create schema if not exists {place.rpartition('.')[0]}")
            connection.execute(f"create table {place} ({declared})")
        yield connection


def _place(table: str) -> str:
    return f"{'warehouse' if table.startswith('gold.') else 'lake'}.{table}"


def ordered(found: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(found, key=repr)


def same(mart: str, marts: Marts, inputs: Inputs) -> list[tuple[object, ...]]:
    """The rows of a mart, which are those of both engines to the last bit."""
    kinds = list(MODELS[mart].columns.values())
    google, local = marts.on_google(mart, inputs), marts.on_duckdb(mart, inputs)
    shown = [
        ordered([tuple(map(_comparable, row, kinds)) for row in found]) for found in (google, local)
    ]
    assert shown[0] == shown[1]
    return local


def _comparable(value: Any, kind: str) -> object:
    if value is not None and kind.startswith("decimal"):
        return Decimal(value).quantize(Decimal("0.01"))
    return value


@pytest.fixture(scope="session")
def whole(built: dict[str, Any]) -> Marts:
    return Marts(built["compiled"]["whole"])


@pytest.fixture(scope="session")
def listed(built: dict[str, Any]) -> Marts:
    return Marts(built["compiled"]["listed"])


@pytest.mark.parametrize("mart", sorted(MODELS))
@LAW
@given(data=st.data())
def test_a_mart_is_the_same_on_both_engines(whole: Marts, mart: str, data: st.DataObject) -> None:
    inputs = {table: data.draw(rows(table), label=table) for table in whole.reads(mart)}
    same(mart, whole, inputs)


@pytest.mark.parametrize("mart", sorted(LISTED))
@LAW
@given(data=st.data())
def test_the_days_of_a_mart_are_the_same_on_both_engines(
    listed: Marts, mart: str, data: st.DataObject
) -> None:
    inputs = {table: data.draw(rows(table), label=table) for table in listed.reads(mart)}
    for row in same(mart, listed, inputs):
        assert LISTED[mart].days is None or str(row[0]) in DAYS
