"""Which carts lead to which orders, and what becomes of carts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.transforms.conftest import Run
from tests.transforms.tables import Row, at, day, eur

MICROSECOND = timedelta(microseconds=1)
TWO_DAYS = timedelta(hours=48)


def cart(cart_id: str, created_at: Any, customer_id: str | None = "CUST-1", **more: Any) -> Row:
    return {"cart_id": cart_id, "created_at": created_at, "customer_id": customer_id, **more}


def order(order_id: str, order_date: Any, customer_id: str = "CUST-1", **more: Any) -> Row:
    return {"order_id": order_id, "order_date": order_date, "customer_id": customer_id, **more}


def purchase(run: Run, ordered: Row, carts: list[Row], **options: float) -> Row:
    (row,) = run(
        "attributed_purchases",
        [ordered["order_date"].date()],
        options,
        orders=[ordered],
        shopping_carts=carts,
    )
    return row


def test_a_cart_of_the_very_time_of_its_order_converts_and_is_no_touch(run: Run) -> None:
    row = purchase(run, order("O1", at(5)), [cart("C1", at(5), status="converted")])
    assert row["converting_cart_id"] == "C1"
    assert row["cart_touches"] == 0
    assert row["first_touch_cart_id"] is None
    assert row["last_touch_at"] is None
    assert row["hours_first_touch"] is None
    assert row["is_attributed"] is False


def test_earlier_carts_are_touches_with_their_hours(run: Run) -> None:
    carts = [cart("C1", at(4, "06:00")), cart("C2", at(5, "10:30")), cart("C3", at(5))]
    row = purchase(run, order("O1", at(5)), carts)
    assert row["converting_cart_id"] == "C3"
    assert row["cart_touches"] == 2
    assert (row["first_touch_cart_id"], row["first_touch_at"]) == ("C1", at(4, "06:00"))
    assert (row["last_touch_cart_id"], row["last_touch_at"]) == ("C2", at(5, "10:30"))
    assert (row["hours_first_touch"], row["hours_last_touch"]) == (30.0, 1.5)
    assert row["is_attributed"] is True


@pytest.mark.parametrize(
    ("created_at", "converting"),
    [
        (at(5) - TWO_DAYS, "C1"),
        (at(5) - TWO_DAYS - MICROSECOND, None),
        (at(5) + MICROSECOND, None),
    ],
)
def test_a_cart_matches_up_to_the_tolerance_and_never_after_the_order(
    run: Run, created_at: Any, converting: str | None
) -> None:
    row = purchase(run, order("O1", at(5)), [cart("C1", created_at)])
    assert row["converting_cart_id"] == converting
    assert row["cart_touches"] == (1 if converting else 0)


def test_the_tolerance_is_a_parameter(run: Run) -> None:
    carts = [cart("C1", at(5, "10:00"))]
    longer = purchase(run, order("O1", at(5)), carts, attribution_tolerance_hours=2)
    shorter = purchase(run, order("O1", at(5)), carts, attribution_tolerance_hours=1.5)
    assert longer["converting_cart_id"] == "C1"
    assert shorter["converting_cart_id"] is None


def test_carts_of_other_customers_do_not_match(run: Run) -> None:
    row = purchase(run, order("O1", at(5)), [cart("C1", at(5), "CUST-2"), cart("C2", at(5), None)])
    assert row["converting_cart_id"] is None


def test_among_carts_of_one_time_the_first_is_the_smallest_and_the_last_the_largest(
    run: Run,
) -> None:
    early, late = at(5, "08:00"), at(5, "09:00")
    carts = [cart(name, early) for name in ("C2", "C1", "C3")]
    carts += [cart(name, late) for name in ("C5", "C6", "C4")]
    row = purchase(run, order("O1", at(5)), carts)
    assert row["converting_cart_id"] == "C6"
    assert row["first_touch_cart_id"] == "C1"
    assert row["last_touch_cart_id"] == "C6"
    assert row["cart_touches"] == 6


def test_only_touches_whose_status_is_abandoned_recover_an_order(run: Run) -> None:
    carts = [
        cart("C0", at(2), status="abandoned"),
        cart("C1", at(4), status="abandoned"),
        cart("C2", at(4, "13:00"), status=None),
        cart("C3", at(4, "14:00"), status="emptied"),
        cart("C4", at(4, "15:00"), status="abandoned"),
        cart("C5", at(5), status="abandoned"),
    ]
    row = purchase(run, order("O1", at(5)), carts)
    assert row["cart_touches"] == 4
    assert row["abandoned_touches"] == 2
    assert row["is_recovered"] is True
    assert purchase(run, order("O1", at(5)), carts[-1:])["is_recovered"] is False


def test_an_order_without_carts_is_kept_with_zeros(run: Run) -> None:
    row = purchase(run, order("O1", at(5), net_total=eur("9.50")), [])
    assert row["net_total"] == eur("9.50")
    assert (row["cart_touches"], row["abandoned_touches"]) == (0, 0)
    assert (row["is_attributed"], row["is_recovered"]) == (False, False)
    assert row["converting_cart_id"] is None


def test_carts_match_by_time_whatever_partition_they_lie_in(run: Run) -> None:
    late_partition = cart("C1", at(5, "11:00"), ingestion_dt=day(8))
    assert purchase(run, order("O1", at(5)), [late_partition])["converting_cart_id"] == "C1"


def test_a_purchase_belongs_to_the_day_of_its_partition(run: Run) -> None:
    orders = [order("O1", at(5)), order("O2", at(5), ingestion_dt=day(6)), order("O3", at(7))]
    rows = run("attributed_purchases", [day(6)], orders=orders)
    assert [(row["ingestion_dt"], row["order_id"]) for row in rows] == [(day(6), "O2")]
    assert rows[0]["order_dt"] == day(5)


def ended(run: Run, carts: list[Row], horizon: Any = None, **tables: list[Row]) -> dict[str, Row]:
    days = sorted({row.get("ingestion_dt", row["created_at"].date()) for row in carts})
    options = {"horizon": horizon or day(31)}
    rows = run("cart_attribution", days, options, shopping_carts=carts, **tables)
    return {row["cart_id"]: row for row in rows}


def test_a_cart_becomes_the_earliest_order_it_converts(run: Run) -> None:
    orders = [
        order("O3", at(5, "15:00"), order_channel="phone"),
        order("O2", at(5, "13:00"), order_channel="web"),
        order("O1", at(5, "13:00"), order_channel="ebay"),
    ]
    row = ended(run, [cart("C1", at(5, "11:00"))], orders=orders)["C1"]
    assert (row["order_id"], row["order_channel"]) == ("O1", "ebay")
    assert row["order_date"] == at(5, "13:00")
    assert row["hours_to_purchase"] == 2.0
    assert row["cart_status"] == "converted"


def test_hours_to_purchase_begin_with_the_first_touch_of_the_order(run: Run) -> None:
    carts = [cart("C1", at(4)), cart("C2", at(5))]
    rows = ended(run, carts, orders=[order("O1", at(5))])
    assert rows["C2"]["hours_to_purchase"] == 24.0
    assert rows["C1"]["order_id"] is None
    assert rows["C1"]["hours_to_purchase"] is None


def test_an_order_without_a_touch_has_no_hours_to_purchase(run: Run) -> None:
    row = ended(run, [cart("C1", at(5))], orders=[order("O1", at(5))])["C1"]
    assert row["cart_status"] == "converted"
    assert row["hours_to_purchase"] is None


def test_a_cart_of_another_day_can_take_the_order(run: Run) -> None:
    carts = [cart("C1", at(4)), cart("C2", at(5, "11:00"))]
    rows = run("cart_attribution", [day(4)], shopping_carts=carts, orders=[order("O1", at(5))])
    assert [(row["cart_id"], row["order_id"]) for row in rows] == [("C1", None)]


def test_an_order_of_a_later_day_converts_a_cart(run: Run) -> None:
    carts = [cart("C1", at(4, "23:30"))]
    orders = [order("O1", at(6, "23:30"), ingestion_dt=day(7))]
    assert ended(run, carts, orders=orders)["C1"]["order_id"] == "O1"


@pytest.mark.parametrize(
    ("status", "has_order", "is_late", "expected"),
    [
        ("emptied", True, False, "converted"),
        ("emptied", False, False, "emptied"),
        ("emptied", False, True, "emptied"),
        ("converted", False, False, "open"),
        ("converted", False, True, "abandoned"),
        ("abandoned", False, False, "open"),
        (None, False, True, "abandoned"),
    ],
)
def test_a_cart_ends_by_its_order_then_its_status_then_its_time(
    run: Run, status: str | None, has_order: bool, is_late: bool, expected: str
) -> None:
    carts = [cart("C1", at(5), status=status, cart_total=eur("10.00"))]
    orders = [order("O1", at(5))] if has_order else []
    row = ended(run, carts, day(9) if is_late else day(5), orders=orders)["C1"]
    assert row["cart_status"] == expected
    assert row["status"] == status
    assert row["abandoned_value"] == eur("10.00" if expected == "abandoned" else "0.00")
    assert row["is_final"] is is_late


def test_a_cart_is_final_when_its_time_runs_out_with_the_last_moment_of_the_horizon(
    run: Run,
) -> None:
    carts = [cart("C1", at(5, "23:59:59.999999")), cart("C2", at(6, "00:00"))]
    rows = ended(run, carts, day(7))
    assert (rows["C1"]["is_final"], rows["C1"]["cart_status"]) == (True, "abandoned")
    assert (rows["C2"]["is_final"], rows["C2"]["cart_status"]) == (False, "open")


def item(cart_id: str, number: int, category: str | None, quantity: int, price: str) -> Row:
    return {
        "cart_id": cart_id,
        "cart_item_id": number,
        "product_id": number,
        "category": category,
        "quantity": quantity,
        "unit_price": eur(price),
        "added_at": at(5 + number),
    }


def test_a_cart_holds_its_lines_of_all_partitions_by_the_newest_categories(run: Run) -> None:
    lines = [
        item("C1", 0, "books", 2, "1.10"),
        item("C1", 1, "books", 1, "0.05"),
        item("C1", 2, "toys", 3, "10.00"),
        item("C1", 3, None, 1, "1.00"),
        item("C2", 0, "home", 9, "9.00"),
    ]
    catalog = [
        {"product_id": 0, "category": "home"},
        {"product_id": 1, "category": "home"},
        {"product_id": 2, "category": "toys"},
    ]
    carts = [cart("C1", at(5), cart_total=eur("40.00"))]
    row = ended(run, carts, cart_items=lines, product_catalog=catalog)["C1"]
    assert (row["item_count"], row["category_count"], row["units"]) == (4, 2, 7)
    assert row["items_value"] == eur("33.25")
    assert row["cart_value"] == eur("40.00")


def test_a_cart_without_a_total_is_worth_its_lines(run: Run) -> None:
    carts = [cart("C1", at(5)), cart("C2", at(5))]
    rows = ended(run, carts, cart_items=[item("C1", 0, "books", 2, "1.10")])
    assert rows["C1"]["cart_value"] == rows["C1"]["abandoned_value"] == eur("2.20")
    assert rows["C2"]["cart_value"] == rows["C2"]["items_value"] == eur("0.00")
    assert (rows["C2"]["item_count"], rows["C2"]["category_count"]) == (0, 0)
