"""A week of real Bronze, end to end: nothing is lost, totals are those of the source."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tests.running import Shop

ROWS = {
    "orders": 2_393,
    "order_items": 11_858,
    "shopping_carts": 18_140,
    "cart_items": 75_954,
    "returns": 242,
    "return_items": 952,
}


@pytest.fixture(scope="module")
def shop(real_bronze: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = Shop(real_bronze, tmp_path_factory.mktemp("real"))
    made.run()
    return made


def raw(shop: Shop, query: str) -> object:
    """Asks Bronze itself, past the pipeline; `{table}` stands for a table's files."""
    files = {
        table: f"read_parquet('{shop.bronze}/{table}/*/*.parquet')"
        for table in (*ROWS, "customers", "product_catalog")
    }
    return duckdb.sql(query.format(**files)).fetchall()[0][0]


def test_every_row_is_accepted(shop: Shop) -> None:
    tables = {row["table"]: row for row in shop.report()["tables"]["base_silver"]}
    assert {name: row["accepted"] for name, row in tables.items()} == ROWS
    assert {name: row["quarantined"] for name, row in tables.items()} == dict.fromkeys(ROWS, 0)


def test_the_dimensions_hold_every_customer_and_product(shop: Shop) -> None:
    assert shop.load("dims.customers").collect().height == 6_000
    assert shop.load("dims.product_catalog").collect().height == 1_286


@pytest.mark.parametrize(
    "total",
    [
        "select sum(net_total) from gold.fct_orders",
        "select sum(net_revenue) from gold.fct_finance_revenue",
        "select sum(net_revenue) from gold.fct_daily_dashboard",
        "select sum(net_revenue) from gold.fct_customers",
        "select sum(net_revenue) from gold.fct_marketing_attribution",
    ],
)
def test_net_revenue_is_that_of_bronze_to_the_cent(shop: Shop, total: str) -> None:
    source = raw(
        shop, "select sum(cast(cast(net_total as varchar) as decimal(18, 2))) from {orders}"
    )
    assert shop.sql(total) == [(source,)]


@pytest.mark.parametrize(
    "total",
    [
        "select sum(refunds) from gold.fct_orders",
        "select sum(refunds) from gold.fct_finance_revenue",
        "select sum(refunds) from gold.fct_daily_dashboard",
        "select sum(refunds) from gold.fct_sales_operations",
        "select sum(refund_total) from gold.fct_customers",
    ],
)
def test_refunds_are_those_of_bronze_to_the_cent(shop: Shop, total: str) -> None:
    source = raw(
        shop, "select sum(cast(cast(refunded_amount as varchar) as decimal(18, 2))) from {returns}"
    )
    assert shop.sql(total) == [(source,)]


def test_carts_are_counted_once(shop: Shop) -> None:
    assert shop.sql("select sum(carts) from gold.fct_cart_abandonment") == [(18_140,)]
    assert shop.sql("select sum(carts) from gold.fct_daily_dashboard") == [(18_140,)]


def test_every_order_is_converted_by_the_cart_of_its_very_moment(shop: Shop) -> None:
    query = """
        select count(*) from gold.fct_orders o
        join base_silver.shopping_carts c on c.cart_id = o.converting_cart_id
        where c.customer_id = o.customer_id and c.created_at = o.order_date
    """
    assert shop.sql(query) == [(ROWS["orders"],)]


def test_the_lines_of_every_order_add_up_to_it(shop: Shop) -> None:
    assert shop.sql("select count(*) from gold.fct_orders where not has_all_lines") == [(0,)]


def test_a_second_run_finds_nothing_to_do_and_changes_no_byte(shop: Shop) -> None:
    before = shop.fingerprints("silver") | shop.fingerprints("warehouse")
    report = shop.run()
    assert report["plan"]["partitions"] == []
    assert shop.fingerprints("silver") | shop.fingerprints("warehouse") == before


def test_the_same_window_again_changes_no_byte(shop: Shop) -> None:
    before = shop.fingerprints("silver") | shop.fingerprints("warehouse")
    report = shop.run(start="2025-05-05", end="2025-05-11")
    assert len(report["plan"]["partitions"]) == 40
    assert shop.fingerprints("silver") | shop.fingerprints("warehouse") == before


def test_a_fresh_dimension_is_not_read_again(shop: Shop) -> None:
    report = shop.run(ingest_dt="2025-05-11")
    assert [dim["stale"] for dim in report["plan"]["dimensions"]] == [False, False]
    assert report["tables"]["dims"] == []


def test_money_is_decimal_all_the_way(shop: Shop) -> None:
    kinds = shop.sql(
        "select distinct data_type from information_schema.columns where table_schema = 'gold' "
        "and column_name in ('net_total', 'net_revenue', 'refunds', 'gross_profit', 'net_clv')"
    )
    assert kinds == [("DECIMAL(18,2)",)]
    assert isinstance(shop.sql("select sum(net_total) from gold.fct_orders")[0][0], Decimal)


def test_no_personal_data_reaches_gold(shop: Shop) -> None:
    names = {
        name
        for (name,) in shop.sql(
            "select column_name from information_schema.columns where table_schema = 'gold'"
        )
    }
    assert not names & {
        "first_name",
        "last_name",
        "email",
        "phone_number",
        "mailing_address",
        "billing_address",
        "shipping_address",
    }
