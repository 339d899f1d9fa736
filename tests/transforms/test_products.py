"""What became of products: pace, stock, and the day's sales, returns and carts."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.transforms.conftest import Run
from tests.transforms.tables import FIRST_DAY, Row, day, eur


def product(product_id: int = 1, stock: int | None = 100, **more: Any) -> Row:
    row = {"product_id": product_id, "product_name": "Lamp", "category": "home"}
    return {**row, "inventory_quantity": stock, "unit_price": eur("10.00"), **more}


def sale(number: int, quantity: int, product_id: int = 1, **more: Any) -> Row:
    row = {"order_id": f"O{number}", "product_id": product_id, "quantity": quantity}
    return {**row, "unit_price": eur("10.00"), "ingestion_dt": day(number), **more}


def sent_back(number: int, quantity: int, product_id: int = 1, **more: Any) -> Row:
    row = {"return_id": f"R{number}", "return_item_id": 1, "product_id": product_id}
    row |= {"quantity_returned": quantity, "refunded_amount": eur("10.00")}
    return {**row, "ingestion_dt": day(number), **more}


def in_cart(number: int, quantity: int, product_id: int = 1, **more: Any) -> Row:
    row = {"cart_id": f"C{number}", "product_id": product_id, "quantity": quantity}
    row |= {
        "cart_item_id": 1,
        "unit_price": eur("10.00"),
        "added_at": None,
        "added_dt": day(number),
    }
    return {**row, "ingestion_dt": day(number), **more}


def stock(run: Run, today: date, first: date | None = FIRST_DAY, **tables: list[Row]) -> Row:
    tables.setdefault("product_catalog", [product()])
    (row,) = run("inventory_risk", [today], {"first_order_day": first}, **tables)
    return row


def test_the_pace_is_that_of_the_days_since_the_first_order(run: Run) -> None:
    sold = [sale(1, 2), sale(3, 6)]
    row = stock(run, day(4), order_items=sold, return_items=[sent_back(4, 2)])
    assert (row["units_sold"], row["units_returned"], row["window_days"]) == (8, 2, 4)
    assert row["daily_velocity"] == 2.0
    assert row["days_of_cover"] == 50.0
    assert row["return_rate"] == 0.25
    assert row["utilization_ratio"] == 0.08


def test_the_window_holds_no_more_than_its_days(run: Run) -> None:
    sold = [sale(3, 100), sale(4, 1), sale(31, 2), sale(32, 100)]
    back = [sent_back(3, 100), sent_back(4, 1), sent_back(32, 100)]
    row = stock(run, day(31), order_items=sold, return_items=back)
    assert (row["window_days"], row["units_sold"], row["units_returned"]) == (28, 3, 1)


@pytest.mark.parametrize("first", [None, day(5)])
def test_before_the_first_order_nothing_is_known_of_the_pace(run: Run, first: date | None) -> None:
    row = stock(run, day(4), first)
    assert (row["window_days"], row["units_sold"]) == (0, 0)
    unknown = ["daily_velocity", "days_of_cover", "stockout_dt", "return_rate"]
    assert [row[name] for name in unknown] == [None] * 4
    assert (row["attention_score"], row["risk_tier"]) == (0.0, "HEALTHY")


def test_lines_before_the_first_order_day_are_outside_of_every_window(run: Run) -> None:
    sold = [sale(2, 50), sale(3, 4)]
    row = stock(run, day(4), day(3), order_items=sold, return_items=[sent_back(2, 50)])
    assert (row["window_days"], row["units_sold"], row["units_returned"]) == (2, 4, 0)
    assert velocity(run, day(4), sold, first=day(3))[1]["velocity_28d"] == 2.0


@pytest.mark.parametrize(
    ("on_hand", "sold", "stockout"),
    [
        (100, 8, day(4 + 50)),
        (99, 8, day(4 + 49)),
        (0, 8, day(4)),
        (100, 0, None),
        (3650, 4, day(4 + 3650)),
        (3651, 4, None),
        (None, 4, None),
    ],
)
def test_stock_runs_out_after_the_whole_days_of_its_cover(
    run: Run, on_hand: int | None, sold: int, stockout: date | None
) -> None:
    lines = [sale(4, sold)] if sold else []
    row = stock(run, day(4), product_catalog=[product(stock=on_hand)], order_items=lines)
    assert row["stockout_dt"] == stockout


@pytest.mark.parametrize(
    ("on_hand", "sold", "is_short", "is_ample"),
    [
        (0, 0, True, False),
        (13, 1, True, False),
        (14, 1, False, False),
        (120, 1, False, False),
        (121, 1, False, True),
        (1, 0, False, True),
        (None, 1, False, False),
    ],
)
def test_short_and_ample_stock_are_told_by_days_of_cover(
    run: Run, on_hand: int | None, sold: int, is_short: bool, is_ample: bool
) -> None:
    lines = [sale(1, sold)] if sold else []
    row = stock(run, day(1), product_catalog=[product(stock=on_hand)], order_items=lines)
    assert (row["is_stockout_risk"], row["is_overstock"]) == (is_short, is_ample)


@pytest.mark.parametrize(
    ("on_hand", "sold", "returned", "score", "tier"),
    [
        (0, 0, 0, 1.0, "HIGH"),
        (140, 8, 0, 0.8, "HIGH"),
        (140, 5, 0, 0.5, "MODERATE"),
        (1400, 499, 0, 4.99, "HIGH"),
        (140, 4, 0, 0.4, "HEALTHY"),
        # 0.7 + 0.1 is 0.7999999999999999 in floats
        (2800, 140, 14, 0.8, "HIGH"),
        (None, 10, 8, 0.8, "HIGH"),
        (None, 10, 4, 0.4, "HEALTHY"),
        (140, 0, 5, 0.0, "HEALTHY"),
        (100, 10, 20, 1.0, "HIGH"),
    ],
)
def test_attention_is_urgency_plus_returns_and_its_tier_is_exact(
    run: Run, on_hand: int | None, sold: int, returned: int, score: float, tier: str
) -> None:
    lines = [sale(1, sold)] if sold else []
    back = [sent_back(1, returned)] if returned else []
    catalog = [product(stock=on_hand)]
    row = stock(run, day(1), product_catalog=catalog, order_items=lines, return_items=back)
    assert row["attention_score"] == pytest.approx(min(score, 1.0))
    assert row["risk_tier"] == tier


@pytest.mark.parametrize(
    ("cost", "on_hand", "locked"), [("2.35", 3, "7.05"), (None, 3, "0.00"), ("2.35", None, None)]
)
def test_locked_capital_is_stock_at_cost(
    run: Run, cost: str | None, on_hand: int | None, locked: str | None
) -> None:
    row = stock(run, day(1), product_catalog=[product(stock=on_hand, cost_price=eur(cost))])
    assert row["locked_capital"] == eur(locked)
    assert row["cost_price"] == eur(cost)


def test_every_product_has_a_row_for_every_day(run: Run) -> None:
    catalog = [product(2), product(1)]
    rows = run(
        "inventory_risk", [day(1), day(3)], product_catalog=catalog, order_items=[sale(2, 1)]
    )
    assert [(row["ingestion_dt"], row["product_id"], row["units_sold"]) for row in rows] == [
        (day(1), 1, 0),
        (day(1), 2, 0),
        (day(3), 1, 1),
        (day(3), 2, 0),
    ]


def performance(run: Run, **tables: list[Row]) -> dict[int, Row]:
    tables.setdefault("product_catalog", [product()])
    return {row["product_id"]: row for row in run("product_performance", [day(5)], **tables)}


def test_sales_add_up_to_profit_and_margin(run: Run) -> None:
    lines = [
        sale(5, 3, discount_amount=eur("5.00"), cost_price=eur("4.00")),
        sale(5, 1, order_id="O6", discount_amount=None, cost_price=None),
    ]
    row = performance(run, order_items=lines)[1]
    assert (row["orders"], row["units_sold"]) == (2, 4)
    assert (row["gross_sales"], row["discounts"]) == (eur("40.00"), eur("5.00"))
    assert (row["net_sales"], row["cogs"]) == (eur("35.00"), eur("12.00"))
    assert row["gross_profit"] == eur("23.00")
    assert row["margin_pct"] == pytest.approx(23 / 35)
    assert row["category"] == "home"


def test_returns_and_carts_are_counted_once_whatever_their_lines(run: Run) -> None:
    back = [sent_back(5, 1), sent_back(5, 2, return_item_id=2), sent_back(5, 1, return_id="R9")]
    carts = [in_cart(5, 3), in_cart(5, 2, cart_item_id=2), in_cart(5, 3, cart_id="C9")]
    row = performance(run, order_items=[sale(5, 2)], return_items=back, cart_items=carts)[1]
    assert (row["returns"], row["units_returned"], row["refunds"]) == (2, 4, eur("30.00"))
    assert (row["carts"], row["units_in_carts"]) == (2, 8)
    assert row["cart_to_order_rate"] == 0.25


def test_a_sale_a_return_or_a_cart_line_alone_makes_a_row_of_the_day(run: Run) -> None:
    rows = performance(
        run,
        order_items=[sale(5, 1, 1), sale(4, 1, 4)],
        return_items=[sent_back(5, 1, 2), sent_back(6, 1, 4)],
        cart_items=[in_cart(5, 1, 3), in_cart(4, 1, 4)],
    )
    assert sorted(rows) == [1, 2, 3]
    assert (rows[1]["returns"], rows[1]["carts"], rows[1]["cart_to_order_rate"]) == (0, 0, None)
    assert (rows[2]["gross_sales"], rows[2]["margin_pct"]) == (eur("0.00"), None)
    assert (rows[3]["units_sold"], rows[3]["cart_to_order_rate"]) == (0, 0.0)
    assert rows[2]["category"] is None


def test_nothing_earned_has_no_margin(run: Run) -> None:
    given_away = sale(5, 1, discount_amount=eur("10.00"), cost_price=eur("4.00"))
    row = performance(run, order_items=[given_away])[1]
    assert (row["net_sales"], row["gross_profit"]) == (eur("0.00"), eur("-4.00"))
    assert row["margin_pct"] is None


def velocity(
    run: Run, today: date, sold: list[Row], first: date | None = FIRST_DAY, **options: float
) -> dict[int, Row]:
    given = {"first_order_day": first, **options}
    rows = run("sales_velocity", [today], given, product_catalog=[product()], order_items=sold)
    return {row["product_id"]: row for row in rows}


def test_days_without_sales_count_as_zero_in_both_velocities(run: Run) -> None:
    sold = [sale(3, 28), sale(4, 14), sale(24, 7), sale(25, 7), sale(31, 7)]
    row = velocity(run, day(31), sold)[1]
    assert row["units_day"] == 7
    assert row["velocity_7d"] == 2.0
    assert row["velocity_28d"] == 35 / 28
    assert row["category"] == "home"


def test_short_histories_divide_by_the_days_there_are(run: Run) -> None:
    row = velocity(run, day(10), [sale(1, 5), sale(10, 14)])[1]
    assert (row["velocity_7d"], row["velocity_28d"]) == (2.0, 1.9)


def test_a_product_is_listed_for_as_long_as_the_window_holds_its_sale(run: Run) -> None:
    assert velocity(run, day(28), [sale(1, 5)])[1]["units_day"] == 0
    assert velocity(run, day(29), [sale(1, 5)]) == {}
    assert velocity(run, day(1), [sale(2, 5)]) == {}


@pytest.mark.parametrize(
    ("recent", "earlier", "trend"),
    [
        # of 28 days; the threshold up is a share of 6/20, the threshold down one of 4/20
        (6, 14, "STABLE"),
        (7, 14, "UP"),
        (4, 16, "STABLE"),
        (3, 16, "DOWN"),
        (5, 15, "STABLE"),
    ],
)
def test_the_trend_is_told_exactly(run: Run, recent: int, earlier: int, trend: str) -> None:
    row = velocity(run, day(28), [sale(22, recent), sale(21, earlier)])[1]
    assert row["trend_signal"] == trend


def test_the_forecast_weighs_each_day_less_than_the_next(run: Run) -> None:
    row = velocity(run, day(3), [sale(1, 10), sale(2, 20), sale(3, 30)])[1]
    weights = [1, 0.7, 0.49]
    expected = 7 * (30 + 0.7 * 20 + 0.49 * 10) / sum(weights)
    assert row["forecast_7d"] == pytest.approx(expected, rel=1e-14)


def test_the_forecast_looks_at_the_whole_long_window(run: Run) -> None:
    row = velocity(run, day(31), [sale(4, 100)])[1]
    expected = 7 * 0.7**27 * 100 / sum(0.7**i for i in range(28))
    assert row["forecast_7d"] == pytest.approx(expected, rel=1e-12)


def test_without_order_days_there_is_no_velocity(run: Run) -> None:
    row = velocity(run, day(3), [sale(3, 5)], first=None)[1]
    assert (row["velocity_7d"], row["velocity_28d"], row["forecast_7d"]) == (None, None, None)
    assert (row["units_day"], row["trend_signal"]) == (5, "STABLE")
