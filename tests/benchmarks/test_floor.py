"""The floor is the oracle of the pipeline, so its own rules are checked by hand here."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import REAL_BRONZE

import floor
from compare import compare
from floor_sql import MACROS

DAY = "2025-05-05"
NEXT = "2025-05-06"
SMALL = REAL_BRONZE

Write = Callable[..., Path]


@cache
def with_macros() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("set timezone = 'UTC'")
    for macro in MACROS:
        con.execute(f"create macro {macro}")
    return con


@pytest.fixture
def macros() -> duckdb.DuckDBPyConnection:
    return with_macros()


def evaluate(con: duckdb.DuckDBPyConnection, expression: str, value: Any) -> Any:
    return con.execute(
        f"select {expression.replace('?', 'x')} from (select ? as x)", [value]
    ).fetchall()[0][0]


def quarantine(out: Path, table: str) -> dict[str, str]:
    """Reasons by event_id, which the tests use as a name for the row."""
    folder = out / "quarantine" / table
    if not folder.is_dir():
        return {}
    frame = pl.read_parquet(f"{folder}/*/*.parquet", hive_partitioning=True)
    return dict(zip(frame["event_id"], frame["invalid_reason"], strict=True))


def base(out: Path, table: str) -> pl.DataFrame:
    return pl.read_parquet(f"{out}/base/{table}/*/*.parquet", hive_partitioning=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-05-05T10:00:00.1234567", "2025-05-05 10:00:00.123456"),
        ("2025-05-05 10:00", "2025-05-05 10:00:00"),
        ("2025-05-05", "2025-05-05 00:00:00"),
        ("2025-05-05T10:00:00Z", "2025-05-05 10:00:00"),
        ("2025-05-05T10:00:00 +02", "2025-05-05 08:00:00"),
        ("2025-05-05T10:00:00-0230", "2025-05-05 12:30:00"),
        ("2025-05-05T10:00:00+05:30", "2025-05-05 04:30:00"),
        ("2025-05-05T10:00-00:30", "2025-05-05 10:30:00"),
        ("2025-05-05T24:00:00", None),
        ("2025-02-30", None),
        ("05.05.2025", None),
        ("2025-05-05T10:00:00 CET", None),
        ("2025-05-05  10:00:00", None),
    ],
)
def test_a_timestamp_is_read_as_the_reference_says(
    macros: duckdb.DuckDBPyConnection, text: str, expected: str | None
) -> None:
    assert evaluate(macros, "cast(text_to_timestamp(?) as varchar)", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("12", 12), ("12.0", 12), ("-3", -3), ("12.5", None), ("1e3", None), ("9" * 20, None)],
)
def test_an_integer_has_no_exponent_and_no_fraction(
    macros: duckdb.DuckDBPyConnection, text: str, expected: int | None
) -> None:
    assert evaluate(macros, "text_to_int(?)", text) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1.005, "1.01"), (-1.005, "-1.01"), (0.1 + 0.2, "0.30"), (1e-7, "0.00"), (-0.001, "0.00")],
)
def test_a_float_becomes_money_from_its_shortest_text(
    macros: duckdb.DuckDBPyConnection, number: float, expected: str
) -> None:
    assert evaluate(macros, "float_to_money(?::double)", number) == Decimal(expected)


@given(number=st.floats(-1e13, 1e13))
def test_money_of_any_float_is_its_decimal_text_rounded_half_away(number: float) -> None:
    cents = abs(Fraction(repr(number))) * 100
    rounded = int(cents + Fraction(1, 2)) * (1 if number >= 0 else -1)
    con = with_macros()
    assert evaluate(con, "float_to_money(?::double)", number) == Decimal(rounded) / 100


@given(cents=st.integers(-(10**12), 10**12), count=st.integers(1, 10**6))
def test_a_money_mean_is_rounded_half_away_from_zero(cents: int, count: int) -> None:
    exact = Fraction(abs(cents), count) + Fraction(1, 2)
    expected = Decimal(int(exact) * (1 if cents >= 0 else -1)) / 100
    total = Decimal(cents) / 100
    mean = (
        with_macros()
        .execute("select money_mean(?::decimal(18, 2), ?)", [total, count])
        .fetchall()[0][0]
    )
    assert mean == expected


@pytest.mark.parametrize(
    ("expression", "text", "expected"),
    [
        ("no_null_word(trimmed(?))", " \t N/A\x0b\r\n", None),
        ("trimmed(?)", " épée ", "épée"),
        ("trimmed(?)", "\x0b\t", ""),
        ("title(trimmed(?))", "  WIRELESS  hEADPHONES ", "Wireless  Headphones"),
        ("valid_email(?)", "a b@c.d", None),
        ("state_of(?)", "Unit 9957 Box 2832, DPO ae 34206", "AE"),
        ("region_of(state_of(?))", "1 Road, Town, DC 12345", "south"),
        ("region_of(state_of(?))", "1 Road, Town, QQ 12345", "unknown"),
        ("state_of(?)", "1 Road", "unknown"),
    ],
)
def test_text_is_cleaned(
    macros: duckdb.DuckDBPyConnection, expression: str, text: str, expected: str | None
) -> None:
    assert evaluate(macros, expression, text) == expected


def test_each_defect_is_found_under_its_reason(write_bronze: Write, tmp_path: Path) -> None:
    rows = [
        {"event_id": "good"},
        {"event_id": "guest", "order_id": "G", "customer_id": "GUEST-1"},
        {"event_id": "missing", "order_id": " null "},
        {"event_id": "unparseable", "order_id": "U", "order_date": "tomorrow"},
        {"event_id": "negative", "order_id": "N", "net_total": -1.0, "shipping_cost": -1.0},
        {"event_id": "nan", "order_id": "X", "gross_total": float("nan"), "net_total": None},
        {"event_id": "rule", "order_id": "R", "net_total": 11.0, "order_date": "1999-12-31"},
        {"event_id": "late", "order_id": "L", "order_date": "2025-05-07"},
        {"event_id": "orphan", "order_id": "P", "customer_id": "C9"},
        {"event_id": "many", "order_id": "", "gross_total": -2.0, "customer_id": "C9"},
    ]
    items = [
        {"event_id": "line"},
        {"event_id": "zero", "quantity": 0, "product_id": 2},
        {"event_id": "child", "order_id": "N"},
    ]
    bronze = write_bronze(orders={DAY: rows}, order_items={DAY: items})
    report = floor.run(bronze, tmp_path / "out")
    assert quarantine(tmp_path / "out", "orders") == {
        "missing": "missing:order_id",
        "unparseable": "unparseable:order_date",
        "negative": "negative:net_total|negative:shipping_cost",
        "nan": "missing:net_total|unparseable:gross_total",
        "rule": "rule:net_exceeds_gross|rule:implausible_date:order_date",
        "late": "rule:implausible_date:order_date",
        "orphan": "fk:customer_id",
        "many": "missing:order_id|negative:gross_total|rule:net_exceeds_gross|fk:customer_id",
    }
    assert quarantine(tmp_path / "out", "order_items") == {
        "zero": "not_positive:quantity|fk:product_id",
        "child": "fk:order_id",
    }
    assert report["tables"]["orders"]["silver"] == 2


def test_optional_values_that_do_not_cast_are_nullified_and_counted(
    write_bronze: Write, tmp_path: Path
) -> None:
    customers = [{"age": 131.0}, {"customer_id": "C2", "age": 12.5, "email": "no"}]
    bronze = write_bronze(
        customers={"signup_date=2025-01-01": customers},
        orders={DAY: [{"email": "no mail", "total_items": 1.5, "shipping_cost": float("nan")}]},
        product_catalog={"category=Home": [{"inventory_quantity": -1}]},
    )
    tables = floor.run(bronze, tmp_path / "out")["tables"]
    assert tables["orders"]["nullified"] == {"total_items": 1, "email": 1, "shipping_cost": 1}
    assert tables["customers"]["nullified"] == {"email": 1, "age": 2}
    assert tables["product_catalog"]["nullified"] == {"inventory_quantity": 1}


def test_the_latest_version_of_a_key_wins_over_all_days(
    write_bronze: Write, tmp_path: Path
) -> None:
    first = [
        {"event_id": "old", "ingestion_ts": "2025-06-01T00:00:00Z"},
        {"event_id": "bad and later", "ingestion_ts": "2025-07-01T00:00:00Z", "net_total": -1.0},
    ]
    second = [{"event_id": "new", "ingestion_ts": "2025-06-01T02:00:00+01:00"}]
    bronze = write_bronze(orders={DAY: first, NEXT: second})
    floor.run(bronze, tmp_path / "out")
    assert base(tmp_path / "out", "orders")["event_id"].to_list() == ["new"]
    assert quarantine(tmp_path / "out", "orders") == {
        "old": "duplicate:order_id",
        "bad and later": "negative:net_total",
    }


def test_files_of_other_types_and_columns_give_the_same_rows(
    write_bronze: Write, tmp_path: Path
) -> None:
    usual = {"order_id": "O1", "event_id": "e1"}
    bronze = write_bronze(orders={DAY: [usual]})
    drifted = {
        "order_id": "O2",
        "event_id": "e2",
        "order_date": "2025-05-06 10:00:00",
        "gross_total": " 10.00 ",
        "net_total": 10,
        "is_expedited": "No",
        "surprise": 1.5,
    }
    write_bronze(orders={NEXT: [drifted, drifted | {"event_id": "e3", "gross_total": "1"}]})
    floor.run(bronze, tmp_path / "out")
    rows = base(tmp_path / "out", "orders").sort("order_id")
    assert rows["gross_total"].to_list() == [Decimal("10.00"), Decimal("10.00")]
    assert rows["is_expedited"].to_list() == [False, False]
    assert "surprise" not in rows.columns
    bad = pl.read_parquet(f"{tmp_path}/out/quarantine/orders/*/*.parquet")
    kept = bad.select("gross_total", "net_total", "surprise", "shipping_cost").to_dicts()
    assert kept == [
        {"gross_total": "1", "net_total": "10", "surprise": "1.5", "shipping_cost": "5.0"}
    ]


def test_amounts_and_quantities_beyond_their_bounds_are_too_large(
    write_bronze: Write, tmp_path: Path
) -> None:
    huge = {"product_id": 1, "quantity": 100_001, "unit_price": 10_000_000_000.01}
    bronze = write_bronze(
        orders={DAY: [{}]},
        order_items={
            DAY: [
                {"event_id": "most", "quantity": 100_000, "unit_price": 10_000_000_000.0},
                {"event_id": "more", **huge},
            ]
        },
        product_catalog={"category=Home": [{"inventory_quantity": 1_000_000_001}]},
    )
    report = floor.run(bronze, tmp_path / "out")
    assert quarantine(tmp_path / "out", "order_items") == {
        "more": "too_large:quantity|too_large:unit_price"
    }
    assert report["tables"]["product_catalog"]["nullified"] == {"inventory_quantity": 1}


def test_a_column_that_stands_twice_has_no_value(write_bronze: Write, tmp_path: Path) -> None:
    bronze = write_bronze(orders={DAY: [{"event_id": "e1", "agent_id": "A"}]})
    path = bronze / "orders" / f"ingest_dt={DAY}" / "part-0000.parquet"
    table = pl.read_parquet(path).to_arrow()
    for column in ("net_total", "agent_id"):
        table = table.append_column(table.schema.field(column), table[column])
    pq.write_table(table, path)
    report = floor.run(bronze, tmp_path / "out")
    assert quarantine(tmp_path / "out", "orders") == {"e1": "ambiguous:net_total"}
    assert report["tables"]["orders"]["nullified"] == {"agent_id": 1}


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1001.0, "1001"), (-0.0, "0"), (1.5e20, "15" + "0" * 19), (12.5, "12.5"), (1e-5, "1e-05")],
)
def test_a_whole_number_in_a_text_column_has_no_point(
    macros: duckdb.DuckDBPyConnection, number: float, expected: str
) -> None:
    assert evaluate(macros, "plain_number(finite_text(?::double))", number) == expected


def test_a_required_column_that_a_file_lacks_is_missing_in_all_its_rows(
    write_bronze: Write, tmp_path: Path
) -> None:
    bronze = write_bronze(orders={DAY: [{}]}, returns={DAY: [{"event_id": "r"}]})
    path = bronze / "returns" / f"ingest_dt={DAY}" / "part-0000.parquet"
    pl.read_parquet(path).drop("return_date", "source_file").write_parquet(path)
    floor.run(bronze, tmp_path / "out")
    assert quarantine(tmp_path / "out", "returns") == {"r": "missing:return_date"}


def test_a_partition_without_manifest_is_not_yet_there(write_bronze: Write, tmp_path: Path) -> None:
    bronze = write_bronze(orders={DAY: [{}], NEXT: [{"order_id": "O2"}]})
    (bronze / "orders" / f"ingest_dt={NEXT}" / "_MANIFEST.json").unlink()
    assert floor.run(bronze, tmp_path / "out")["tables"]["orders"]["bronze"] == 1


@pytest.mark.skipif(not SMALL.is_dir(), reason="the real producer's sample is not on this machine")
def test_the_real_sample_reconciles_to_the_cent(tmp_path: Path) -> None:
    report = floor.run(SMALL, tmp_path / "out")
    assert {name: counts["silver"] for name, counts in report["tables"].items()} == {
        "customers": 6000,
        "product_catalog": 1286,
        "orders": 2393,
        "shopping_carts": 18140,
        "order_items": 11858,
        "cart_items": 75954,
        "returns": 242,
        "return_items": 952,
    }
    with duckdb.connect(str(tmp_path / "out" / "warehouse.duckdb"), read_only=True) as con:
        totals = con.execute(
            "select (select sum(net_total) from gold.fct_orders),"
            " (select sum(net_revenue) from gold.fct_finance_revenue),"
            " (select sum(net_revenue) from gold.fct_daily_dashboard),"
            " (select sum(net_revenue) from gold.fct_customers)"
        ).fetchall()[0]
    assert set(totals) == {Decimal("3462214.02")}


def enriched(out: Path, transform: str, *columns: str) -> list[tuple[Any, ...]]:
    frame = pl.read_parquet(f"{out}/enriched/{transform}/*/*.parquet", hive_partitioning=True)
    return frame.select(columns).sort(pl.all()).rows()


def test_carts_up_to_48_hours_before_an_order_are_its_touches(
    write_bronze: Write, tmp_path: Path
) -> None:
    carts = [
        {"cart_id": "too early", "created_at": "2025-05-04T09:59:59.999999", "status": "abandoned"},
        {"cart_id": "first", "created_at": "2025-05-04T10:00:00", "status": "Abandoned"},
        {"cart_id": "last a", "created_at": "2025-05-06T04:00:00", "status": "emptied"},
        {"cart_id": "last b", "created_at": "2025-05-06T04:00:00", "cart_total": None},
        {"cart_id": "converted", "created_at": "2025-05-06T10:00:00"},
        {"cart_id": "too late", "created_at": "2025-05-06T10:00:01", "status": "abandoned"},
    ]
    bronze = write_bronze(
        orders={NEXT: [{"order_date": "2025-05-06T10:00:00"}]},
        shopping_carts={NEXT: [cart | {"updated_at": None} for cart in carts]},
        cart_items={NEXT: [{"cart_id": "last b"}, {"cart_id": "last b", "cart_item_id": 2}]},
    )
    floor.run(bronze, tmp_path / "out")
    columns = ("converting_cart_id", "cart_touches", "abandoned_touches")
    columns += ("first_touch_cart_id", "last_touch_cart_id")
    columns += ("hours_first_touch", "hours_last_touch", "is_recovered")
    assert enriched(tmp_path / "out", "attributed_purchases", *columns) == [
        ("converted", 3, 1, "first", "last b", 48.0, 6.0, True)
    ]
    columns = ("cart_id", "cart_status", "is_final", "hours_to_purchase", "cart_value", "units")
    assert enriched(tmp_path / "out", "cart_attribution", *columns) == [
        ("converted", "converted", False, 48.0, Decimal("10.00"), 0),
        ("first", "abandoned", True, None, Decimal("10.00"), 0),
        ("last a", "emptied", False, None, Decimal("10.00"), 0),
        ("last b", "open", False, None, Decimal("20.00"), 4),
        ("too early", "abandoned", True, None, Decimal("10.00"), 0),
        ("too late", "open", False, None, Decimal("10.00"), 0),
    ]


def test_gold_marks_orders_whose_lines_were_lost(write_bronze: Write, tmp_path: Path) -> None:
    orders = [{}, {"order_id": "O2"}]
    lines = [{"cost_price": 1.5}, {"order_id": "O2", "quantity": 1}]
    bronze = write_bronze(
        orders={DAY: orders},
        order_items={DAY: lines},
        returns={NEXT: [{"return_date": NEXT}]},
    )
    floor.run(bronze, tmp_path / "out")
    with duckdb.connect(str(tmp_path / "out" / "warehouse.duckdb"), read_only=True) as con:
        rows = con.execute(
            "select order_id, cogs, has_all_lines, gross_profit, refunds"
            " from gold.fct_orders order by order_id"
        ).fetchall()
    assert rows == [
        ("O1", Decimal("3.00"), True, Decimal("7.00"), Decimal("5.00")),
        ("O2", Decimal("0.00"), False, None, Decimal("0.00")),
    ]


def test_sales_of_a_window_are_divided_by_the_days_there_are(
    write_bronze: Write, tmp_path: Path
) -> None:
    second = {"order_id": "O2", "order_date": "2025-05-06T10:00:00"}
    bronze = write_bronze(
        orders={DAY: [{}], NEXT: [second]},
        order_items={DAY: [{"quantity": 10}], NEXT: [{"order_id": "O2", "quantity": 4}]},
    )
    floor.run(bronze, tmp_path / "out")
    columns = ("ingestion_dt", "units_sold", "window_days", "daily_velocity", "days_of_cover")
    rows = enriched(tmp_path / "out", "inventory_risk", *columns)
    assert [row[1:] for row in rows] == [(10, 1, 10.0, 10.0), (14, 2, 7.0, 100 * 2 / 14)]
    rows = enriched(tmp_path / "out", "sales_velocity", "ingestion_dt", "units_day", "forecast_7d")
    assert [row[1:] for row in rows] == [
        (10, pytest.approx(70)),
        (4, pytest.approx(7 * (4 + 0.7 * 10) / 1.7)),
    ]


def test_the_size_of_a_batch_changes_nothing(
    write_bronze: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = [
        {"event_id": f"v{n}", "ingestion_ts": f"2025-06-0{n}T00:00:00Z", "order_id": order}
        for n, order in enumerate(("O1", "O2", "O3"), start=1)
    ]
    later = [row | {"ingestion_ts": "2025-07-01", "event_id": "late"} for row in versions[:2]]
    bronze = write_bronze(
        orders={DAY: versions, NEXT: later},
        order_items={DAY: [{}, {"order_id": "O9"}], NEXT: [{"quantity": 3}]},
    )
    floor.run(bronze, tmp_path / "whole")
    monkeypatch.setattr(floor, "BATCH_ROWS", 1)
    floor.run(bronze, tmp_path / "pieces", threads=1)
    compared = compare(tmp_path / "whole", tmp_path / "pieces")
    assert [problem for entry in compared for problem in entry.problems] == []
    assert quarantine(tmp_path / "pieces", "orders") == {
        "v1": "duplicate:order_id",
        "v2": "duplicate:order_id",
    }
