"""What a raw value becomes in Silver, or why its row is put aside."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medallion.datasets.schema import bronze_schema
from medallion.spec import Spec
from tests.bronze_writing import GOOD, LINEAGE, ingest, write_dimensions, write_frame
from tests.running import Shop

NAN, INF = float("nan"), float("inf")

# Column, raw value as text, what Silver holds.
TIMES = [
    ("2025-10-01T10:00:00.123456", datetime(2025, 10, 1, 10, 0, 0, 123456)),
    ("2025-10-01 10:00:00", datetime(2025, 10, 1, 10)),
    ("2025-10-01T10:00", datetime(2025, 10, 1, 10)),
    ("2025-10-01", datetime(2025, 10, 1)),
    ("2025-10-01T10:00:00.123456789", datetime(2025, 10, 1, 10, 0, 0, 123456)),
    ("2025-10-01T10:00:00.9999999", datetime(2025, 10, 1, 10, 0, 0, 999999)),
    ("2025-10-01T10:00:00Z", datetime(2025, 10, 1, 10)),
    ("2025-10-01T10:00:00+02:00", datetime(2025, 10, 1, 8)),
    ("2025-10-01T10:00:00+0200", datetime(2025, 10, 1, 8)),
    ("2025-10-01T10:00:00 +02", datetime(2025, 10, 1, 8)),
    ("2025-10-01T10:00:00.5-05:30", datetime(2025, 10, 1, 15, 30, 0, 500000)),
    ("2025-10-01T01:00:00+02:00", datetime(2025, 9, 30, 23)),
    (" \t2025-10-01T10:00:00\r\n", datetime(2025, 10, 1, 10)),
]
NO_TIMES = [
    "2025-10-01T24:00:00",
    "2025-13-01",
    "2025-02-30T10:00:00",
    "01.10.2025",
    "2025-10-1",
    "20251001",
    "yesterday",
    "2025-10-01T10:00:00 UTC",
    "2025-10-01T10:60",
    "1759312800",
]
FLOAT_MONEY = [
    (1.005, Decimal("1.01")),
    (2.675, Decimal("2.68")),
    (0.125, Decimal("0.13")),
    (1.0049, Decimal("1.00")),
    (-0.004, Decimal("0.00")),
    (1e10, Decimal("10000000000.00")),
    (0.1 + 0.2, Decimal("0.30")),
]
TEXT_MONEY = [
    ("12", Decimal("12.00")),
    ("12.5", Decimal("12.50")),
    ("1.005", Decimal("1.01")),
    (" 12.50 ", Decimal("12.50")),
    ("1e2", Decimal("100.00")),
    ("+3.10", Decimal("3.10")),
]
LARGE_TEXT_MONEY = ["10000000000000000", "9999999999999999.995", "1e400", "+.5e17"]
NO_TEXT_MONEY = ["12,50", "$12", "twelve", "inf", "1.2.3", "12 50"]
TEXT_INT = [("12", 12), ("12.0", 12), (" 7 ", 7), ("+3", 3)]
NO_TEXT_INT = ["12.5", "1e3", "twelve", "0x10", "99999999999999999999"]
TEXT_BOOL = [
    *((text, True) for text in ("true", "T", "Yes", "y", "1", "1.0", " TRUE ")),
    *((text, False) for text in ("false", "F", "no", "N", "0", "0.0")),
    *((text, None) for text in ("maybe", "2", "", "null")),
]
NULL_WORDS = ["", "  ", "null", "NULL", "None", "nan", "N/A", "\t n/a \n"]


def orders(shop: Shop, spec: Spec, column: str, values: list[Any], kind: Any) -> pl.DataFrame:
    """Runs one order for each raw value of a column; gives its Silver value and its reason."""
    rows = [
        {**GOOD["orders"], **LINEAGE, "order_id": f"ORD-{n:03}", column: value}
        for n, value in enumerate(values)
    ]
    schema = {**bronze_schema(spec, "orders"), column: kind}
    write_dimensions(shop.bronze, spec)
    write_frame(shop.bronze, "orders", ingest(0), pl.DataFrame(rows, schema=schema, strict=False))
    shop.run("dims", "base_silver")
    accepted = shop.table("base_silver.orders").select("order_id", column)
    put_aside = shop.table("quarantine.orders").select("order_id", raw=column, r="invalid_reason")
    return accepted.join(put_aside, on="order_id", how="full", coalesce=True).sort("order_id")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "bronze", tmp_path / "data")


def test_timestamps(shop: Shop, spec: Spec) -> None:
    texts = [text for text, _ in TIMES] + NO_TIMES
    found = orders(shop, spec, "order_date", texts, pl.String)
    assert found["order_date"].to_list() == [time for _, time in TIMES] + [None] * len(NO_TIMES)
    assert set(found["r"][len(TIMES) :]) == {"unparseable:order_date"}
    assert found["raw"][len(TIMES) :].to_list() == NO_TIMES


def test_a_float_becomes_money_by_its_shortest_text(shop: Shop, spec: Spec) -> None:
    values = [value for value, _ in FLOAT_MONEY] + [
        NAN,
        INF,
        -INF,
        -0.005,
        None,
        1e16,
        1e300,
        -1e16,
    ]
    found = orders(shop, spec, "shipping_cost", values, pl.Float64)
    money = [money for _, money in FLOAT_MONEY]
    assert found["shipping_cost"].to_list() == [*money, *[None] * 8]
    assert found["r"].to_list() == [None] * (len(money) + 3) + [
        "negative:shipping_cost",
        None,
        "too_large:shipping_cost",
        "too_large:shipping_cost",
        "negative:shipping_cost",
    ]
    lost = shop.report()["tables"]["base_silver"][0]["nullified"]
    assert lost == {"shipping_cost": 3}


def test_a_required_float_that_is_no_number_is_unparseable_and_kept_as_it_was(
    shop: Shop, spec: Spec
) -> None:
    found = orders(shop, spec, "net_total", [NAN, INF, -INF, None, 12.0], pl.Float64)
    assert found["r"].to_list() == [
        "unparseable:net_total",
        "unparseable:net_total",
        "unparseable:net_total",
        "missing:net_total",
        None,
    ]
    assert found["raw"].to_list() == ["nan", "inf", "-inf", None, None]


def test_money_that_arrives_as_text(shop: Shop, spec: Spec) -> None:
    texts = [text for text, _ in TEXT_MONEY] + NO_TEXT_MONEY + ["nan", "-1E17"] + LARGE_TEXT_MONEY
    found = orders(shop, spec, "net_total", texts, pl.String)
    assert found["net_total"].to_list()[: len(TEXT_MONEY)] == [m for _, m in TEXT_MONEY]
    assert found["r"].to_list()[len(TEXT_MONEY) :] == [
        *["unparseable:net_total"] * len(NO_TEXT_MONEY),
        "missing:net_total",
        "negative:net_total",
        *["too_large:net_total|rule:net_exceeds_gross"] * len(LARGE_TEXT_MONEY),
    ]


def test_integers_that_arrive_as_text(shop: Shop, spec: Spec) -> None:
    texts = [text for text, _ in TEXT_INT] + NO_TEXT_INT
    found = orders(shop, spec, "total_items", texts, pl.String)
    assert found["total_items"].to_list() == [n for _, n in TEXT_INT] + [None] * len(NO_TEXT_INT)
    lost = shop.report()["tables"]["base_silver"][0]["nullified"]
    assert lost == {"total_items": len(NO_TEXT_INT)}


def test_integers_that_arrive_as_floats(shop: Shop, spec: Spec) -> None:
    found = orders(shop, spec, "total_items", [12.0, 12.5, NAN, 1e300], pl.Float64)
    assert found["total_items"].to_list() == [12, None, None, None]


def test_numbers_that_do_not_fit_are_too_large_or_negative(shop: Shop, spec: Spec) -> None:
    quantities, prices = [1e15, 1e16, 1e300, -1e17, 1.0], [1, 1, 1, -(2**63), 10**16]
    rows = [{**GOOD["cart_items"], **LINEAGE, "cart_item_id": n} for n in range(len(prices))]
    held = pl.DataFrame(rows, schema=bronze_schema(spec, "cart_items"), strict=False).with_columns(
        pl.Series("quantity", quantities, pl.Float64), pl.Series("unit_price", prices, pl.Int64)
    )
    cart = [{**GOOD["shopping_carts"], **LINEAGE}]
    carts = pl.DataFrame(cart, schema=bronze_schema(spec, "shopping_carts"), strict=False)
    write_dimensions(shop.bronze, spec)
    write_frame(shop.bronze, "cart_items", ingest(0), held)
    write_frame(shop.bronze, "shopping_carts", ingest(0), carts)
    shop.run("dims", "base_silver")
    found = shop.table("quarantine.cart_items").sort("cart_item_id")["invalid_reason"]
    assert found.to_list() == [
        *["too_large:quantity"] * 3,
        "not_positive:quantity|negative:unit_price",
        "too_large:unit_price",
    ]


def test_booleans_that_arrive_as_text(shop: Shop, spec: Spec) -> None:
    found = orders(shop, spec, "is_expedited", [text for text, _ in TEXT_BOOL], pl.String)
    assert found["is_expedited"].to_list() == [flag for _, flag in TEXT_BOOL]
    assert shop.report()["tables"]["base_silver"][0]["nullified"] == {"is_expedited": 2}


def test_booleans_that_arrive_as_numbers(shop: Shop, spec: Spec) -> None:
    found = orders(shop, spec, "is_expedited", [1, 0, 2, None], pl.Int64)
    assert found["is_expedited"].to_list() == [True, False, None, None]


def test_text_that_arrives_as_numbers(shop: Shop, spec: Spec) -> None:
    found = orders(shop, spec, "agent_id", [12, None], pl.Int64)
    assert found["agent_id"].to_list() == ["12", None]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (pl.Datetime("ns"), datetime(2025, 10, 1, 10), datetime(2025, 10, 1, 10)),
        # Polars takes a time without zone for UTC, and only shows it as Paris.
        (pl.Datetime("us", "Europe/Paris"), datetime(2025, 10, 1, 10), datetime(2025, 10, 1, 10)),
        (pl.Date, date(2025, 10, 1), datetime(2025, 10, 1)),
    ],
)
def test_timestamps_that_arrive_as_such(
    shop: Shop, spec: Spec, kind: Any, value: Any, expected: datetime
) -> None:
    found = orders(shop, spec, "order_date", [value], kind)
    assert found["order_date"].to_list() == [expected]


def test_null_words_are_missing_in_any_case(shop: Shop, spec: Spec) -> None:
    found = orders(shop, spec, "customer_id", NULL_WORDS, pl.String)
    assert set(found["r"]) == {"missing:customer_id"}
    assert found["raw"].to_list() == NULL_WORDS


def test_text_is_trimmed_and_lowered_and_ids_keep_their_case(shop: Shop, spec: Spec) -> None:
    found = orders(
        shop, spec, "payment_method", ["  Credit CARD\t", "N/A", "\vPayPal\f"], pl.String
    )
    assert found["payment_method"].to_list() == ["credit card", None, "paypal"]
    other = Shop(shop.bronze.with_name("b2"), shop.data.with_name("d2"))
    found = orders(other, spec, "agent_id", [" CSR-0001 "], pl.String)
    assert found["agent_id"].to_list() == ["CSR-0001"]


def test_an_email_that_is_none_is_nullified_and_counted(shop: Shop, spec: Spec) -> None:
    texts = ["A@B.com", "a@b", "a b@c.de", "@b.c", "a@b.c", "none"]
    found = orders(shop, spec, "email", texts, pl.String)
    assert found["email"].to_list() == ["a@b.com", None, None, None, "a@b.c", None]
    assert shop.report()["tables"]["base_silver"][0]["nullified"] == {"email": 3}
