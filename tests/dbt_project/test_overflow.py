"""A sum of a mart that does not fit its column is named, with the rows it stands in."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import duckdb
import pytest

from medallion.dbt_project.declared import Mart
from medallion.dbt_project.overflow import overflow_error

Ask = Callable[[str], list[tuple[object, ...]]]
COLUMNS = {"order_id": "varchar", "email": "varchar", "cogs": "decimal(18, 2)", "units": "bigint"}
SQL = """
select order_id, min(email) as email,
  cast(sum(quantity * price) as decimal(18, 2)) as cogs,
  cast(sum(quantity) as bigint) as units
from lines group by order_id
"""


@pytest.fixture
def ask() -> Iterator[Ask]:
    with duckdb.connect() as connection:
        connection.execute(
            "create table lines (order_id varchar, email varchar, quantity bigint,"
            " price decimal(18, 2))"
        )
        yield lambda query: connection.execute(query).fetchall()


def lines(ask: Ask, *rows: tuple[str, int, int]) -> None:
    for order, quantity, price in rows:
        ask(f"insert into lines values ('{order}', 'ada@example.org', {quantity}, {price})")


def mart(*grain: str, sql: str = SQL) -> tuple[Mart, str]:
    return Mart("fct_orders", COLUMNS, grain, reads=()), sql


def test_mart_column_and_rows_are_named_the_largest_first(ask: Ask) -> None:
    lines(ask, ("fits", 1, 1), ("b", 10**9, 10**8), ("a", 10**9, 10**7), ("a", 10**9, 10**7))
    error = overflow_error([mart("order_id")], ask, {"email"})
    assert error is not None
    assert error.details == [
        "gold.fct_orders.cogs (decimal(18, 2)): order_id b: 100,000,000,000,000,000.00",
        "gold.fct_orders.cogs (decimal(18, 2)): order_id a: 20,000,000,000,000,000.00",
    ]
    assert "cleaning.max_money" in error.hint


def test_a_count_that_does_not_fit_is_one_too(ask: Ask) -> None:
    most = 2**63 - 1
    lines(ask, ("a", most, 0), ("a", most, 0))
    error = overflow_error([mart("order_id")], ask, set())
    assert error is not None
    assert error.details == [f"gold.fct_orders.units (bigint): order_id a: {2 * most:,}"]


def test_no_value_of_a_personal_column_is_told(ask: Ask) -> None:
    lines(ask, ("a", 10**9, 10**8))
    error = overflow_error([mart("email", "order_id")], ask, {"email"})
    assert "ada@" not in str(error)
    assert "order_id a" in str(error)


def test_a_mart_of_one_row_has_no_key(ask: Ask) -> None:
    lines(ask, ("a", 10**9, 10**8))
    assert "(decimal(18, 2)): all rows: 100," in str(overflow_error([mart()], ask, set()))


@pytest.mark.parametrize("sql", ["", "select nonsense", "select 1 as order_id"])
def test_another_cause_is_not_called_an_overflow(ask: Ask, sql: str) -> None:
    assert overflow_error([mart("order_id", sql=sql)], ask, set()) is None


def test_sums_that_fit_are_not_the_cause(ask: Ask) -> None:
    lines(ask, ("a", 10**9, 10**6))
    assert overflow_error([mart("order_id")], ask, set()) is None
