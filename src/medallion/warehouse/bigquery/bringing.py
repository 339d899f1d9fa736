"""Marts of BigQuery in a gate's DuckDB: so the suites are the same, and what they find is, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from medallion.lake.views import create_views
from medallion.spec.types import SILVER
from medallion.sql import google_name, identifier
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.settings import GOLD
from medallion.warehouse.bigquery.tables import kinds_held

if TYPE_CHECKING:
    import duckdb

# A NUMERIC has 9 digits behind the point. A column that uses more than money's two stays as it is,
# and the gate finds another type than the declared one.
_OF_BIGQUERY = {one.bigquery: one.duckdb for one in SILVER.values()}
_MONEY = SILVER["money"]


def bring(calls: BigQuery, connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Copies the rows of marts, as `warehouse.gold.<table>`, and makes views `gold.<table>`.

    Args:
        calls: How BigQuery is reached.
        connection: The gate's database.
        tables: Marts, such as `fct_orders`.

    Raises:
        CallError: BigQuery does not give them.
    """
    names = list(tables)
    connection.execute("attach ':memory:' as warehouse; create schema warehouse.gold")
    for name in names:
        _bring(calls, connection, name)
    create_views(connection, {f"gold.{name}": f"from warehouse.gold.{name}" for name in names})


def _bring(calls: BigQuery, connection: duckdb.DuckDBPyConnection, name: str) -> None:
    place = calls.settings.table(f"{GOLD}.{name}")
    table = calls.table(place)
    kinds = kinds_held(table) if table else {}
    chosen = ", ".join(map(google_name, kinds)) or "*"
    rows = calls.rows(f"select {chosen} from {google_name(place)}")
    connection.register("brought", rows)
    cast = ", ".join(
        f"cast({identifier(column)} as {_kind(connection, column, kind)}) as {identifier(column)}"
        for column, kind in kinds.items()
    )
    connection.execute(f"create table warehouse.gold.{name} as select {cast} from brought")
    connection.unregister("brought")


def _kind(connection: duckdb.DuckDBPyConnection, column: str, kind: str) -> str:
    """What DuckDB calls the type of a column."""
    if kind == _MONEY.bigquery:
        named = identifier(column)
        finer = connection.execute(
            f"select count(*) from brought where {named} <> round({named}, 2)"
        ).fetchall()
        if finer[0][0]:
            return "decimal(38, 9)"
    return _OF_BIGQUERY.get(kind, "varchar")
