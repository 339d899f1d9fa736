"""Attribution and lifetime value agree with plain loops over the reference's sentences."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.spec import Spec
from tests.transforms.shops import LAST_DAY, Shop, shops
from tests.transforms.tables import Row, day, transform

WEEK = [day(number) for number in range(1, LAST_DAY + 1)]
TOLERANCE = timedelta(hours=48)
ORACLE = settings(max_examples=80, deadline=None, derandomize=True)
ZERO = Decimal("0.00")


def purchase(order: Row, carts: list[Row]) -> Row:
    matching = [
        (cart["created_at"], cart["cart_id"], cart["status"])
        for cart in carts
        if cart["customer_id"] == order["customer_id"]
        and cart["created_at"] <= order["order_date"] <= cart["created_at"] + TOLERANCE
    ]
    touches = (
        sorted(match for match in matching if match[0] < order["order_date"]) if matching else []
    )
    converting = max(((c, i) for c, i, _ in matching), default=(None, None))[1]
    first = touches[0] if touches else (None, None)
    last = touches[-1] if touches else (None, None)
    return {
        "order_id": order["order_id"],
        "converting_cart_id": converting,
        "cart_touches": len(touches),
        "abandoned_touches": sum(touch[2] == "abandoned" for touch in touches),
        "first_touch_cart_id": first[1],
        "first_touch_at": first[0],
        "last_touch_cart_id": last[1],
        "last_touch_at": last[0],
    }


def by_key(rows: list[Row], key: str) -> dict[str, Row]:
    return {row[key]: row for row in rows}


def compare(actual: list[Row], expected: list[Row], key: str) -> None:
    found = by_key(actual, key)
    assert sorted(found) == sorted(row[key] for row in expected)
    for row in expected:
        assert {name: found[row[key]][name] for name in row} == row


@ORACLE
@given(shop=shops())
def test_orders_find_their_carts(spec: Spec, shop: Shop) -> None:
    actual = transform(spec, "attributed_purchases", WEEK, shop).collect().to_dicts()
    expected = [purchase(order, shop["shopping_carts"]) for order in shop["orders"]]
    compare(actual, expected, "order_id")


def ending(cart: Row, shop: Shop, horizon: date) -> Row:
    purchases = by_key([purchase(o, shop["shopping_carts"]) for o in shop["orders"]], "order_id")
    converted = sorted(
        (order["order_date"], order["order_id"])
        for order in shop["orders"]
        if purchases[order["order_id"]]["converting_cart_id"] == cart["cart_id"]
    )
    bought_at, order_id = converted[0] if converted else (None, None)
    lines = [line for line in shop["cart_items"] if line["cart_id"] == cart["cart_id"]]
    categories = {row["product_id"]: row["category"] for row in shop["product_catalog"]}
    worth = sum((line["quantity"] * line["unit_price"] for line in lines), ZERO)
    value = worth if cart["cart_total"] is None else cart["cart_total"]
    is_final = cart["created_at"] + TOLERANCE <= datetime.combine(horizon, time.max)
    unsold = "abandoned" if is_final else "open"
    status = "emptied" if cart["status"] == "emptied" else unsold
    first_touch = purchases[order_id]["first_touch_at"] if order_id else None
    hours = (bought_at - first_touch) / timedelta(hours=1) if first_touch else None
    return {
        "cart_id": cart["cart_id"],
        "item_count": len(lines),
        "category_count": len({categories.get(line["product_id"]) for line in lines} - {None}),
        "units": sum(line["quantity"] for line in lines),
        "items_value": worth,
        "cart_value": value,
        "order_id": order_id,
        "order_date": bought_at,
        "hours_to_purchase": hours,
        "cart_status": "converted" if order_id else status,
        "abandoned_value": value if status == "abandoned" and not order_id else ZERO,
        "is_final": is_final,
    }


@ORACLE
@given(shop=shops(), horizon=st.sampled_from(WEEK))
def test_carts_end_as_the_reference_says(spec: Spec, shop: Shop, horizon: date) -> None:
    result = transform(spec, "cart_attribution", WEEK, shop, horizon=horizon)
    expected = [ending(cart, shop, horizon) for cart in shop["shopping_carts"]]
    compare(result.collect().to_dicts(), expected, "cart_id")


def cents_mean(amounts: list[Decimal]) -> Decimal | None:
    if not amounts:
        return None
    return (sum(amounts, ZERO) / len(amounts)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def worth(customer_id: str, signup: date | None, shop: Shop, today: date) -> Row:
    orders = [
        order
        for order in shop["orders"]
        if order["customer_id"] == customer_id and order["order_date"].date() <= today
    ]
    ids = {order["order_id"] for order in orders}
    refunds = [
        sent["refunded_amount"]
        for sent in shop["returns"]
        if sent["order_id"] in ids and sent["return_date"] <= today
    ]
    days = sorted(order["order_date"].date() for order in orders)
    net = [order["net_total"] for order in orders]
    clv = sum(net, ZERO) - sum(refunds, ZERO)
    return {
        "customer_id": customer_id,
        "is_guest": customer_id.startswith("GUEST"),
        "signup_date": signup,
        "first_order_dt": days[0] if days else None,
        "last_order_dt": days[-1] if days else None,
        "order_count": len(orders),
        "return_count": len(refunds),
        "gross_revenue": sum((order["gross_total"] for order in orders), ZERO),
        "net_revenue": sum(net, ZERO),
        "discount_total": sum((o["total_discount_amount"] or ZERO for o in orders), ZERO),
        "refund_total": sum(refunds, ZERO),
        "net_clv": clv,
        "avg_order_value": cents_mean(net),
        "days_since_last_order": (today - days[-1]).days if days else None,
        "cohort_month": days[0].replace(day=1) if days else None,
        "customer_segment": segment(len(orders), clv),
    }


def segment(orders: int, clv: Decimal) -> str:
    if orders == 0:
        return "prospect"
    if clv >= Decimal(2000) or orders >= 5:
        return "whale"
    return "one_timer" if orders == 1 else "regular"


@ORACLE
@given(shop=shops(), today=st.sampled_from(WEEK))
def test_customers_are_worth_what_the_reference_says(spec: Spec, shop: Shop, today: date) -> None:
    actual = transform(spec, "customer_lifetime_value", [today], shop).collect().to_dicts()
    signups: dict[str, Any] = {row["customer_id"]: row["signup_date"] for row in shop["customers"]}
    buyers = {o["customer_id"] for o in shop["orders"] if o["order_date"].date() <= today}
    known = {name for name, signup in signups.items() if signup <= today}
    expected = [worth(name, signups.get(name), shop, today) for name in sorted(buyers | known)]
    cohort = [row["net_clv"] for row in expected if row["cohort_month"]]
    for row in expected:
        row["cohort_size"] = len(cohort) if row["cohort_month"] else None
        row["cohort_avg_clv"] = cents_mean(cohort) if row["cohort_month"] else None
    compare(actual, expected, "customer_id")
