"""Random small shops, in which times, prices and customers often coincide."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.transforms.tables import Row, at, day

Shop = dict[str, list[Row]]

LAST_DAY = 6
CUSTOMERS = ["CUST-1", "CUST-2", "GUEST-1"]
ADDRESSES = ["X, OH 43004", "X, OH 43005", "X, ZZ 12345", "elsewhere", None]
PRODUCTS = [1, 2, 3]

cents = st.integers(0, 300_000).map(lambda number: Decimal(number) / 100)
maybe_cents = st.none() | cents
# A day and a half apart at times, at times the same: near, at and beyond the tolerance.
times = st.integers(0, LAST_DAY * 4 - 1).map(lambda n: at(1, "00:00") + timedelta(hours=6 * n))
days = st.integers(1, LAST_DAY).map(day)


def _rows(prefix: str, key: str, columns: dict[str, st.SearchStrategy[Any]]) -> Any:
    drawn = st.lists(st.fixed_dictionaries(columns), max_size=12)
    return drawn.map(lambda rows: [{key: f"{prefix}{n}", **row} for n, row in enumerate(rows)])


_carts = _rows(
    "C",
    "cart_id",
    {
        "customer_id": st.sampled_from(CUSTOMERS),
        "created_at": times,
        "cart_total": maybe_cents,
        "status": st.sampled_from(["abandoned", "converted", "emptied", None]),
    },
)
_orders = _rows(
    "O",
    "order_id",
    {
        "customer_id": st.sampled_from(CUSTOMERS),
        "order_date": times,
        "gross_total": cents,
        "net_total": cents,
        "total_discount_amount": maybe_cents,
        "shipping_cost": maybe_cents,
        "actual_shipping_cost": maybe_cents,
        "payment_processing_fee": maybe_cents,
        "shipping_address": st.sampled_from(ADDRESSES),
        "shipping_speed": st.sampled_from(["standard", None]),
    },
)
_lines = {
    "product_id": st.sampled_from(PRODUCTS),
    "category": st.sampled_from(["home", "toys", None]),
    "quantity": st.integers(1, 5),
    "unit_price": cents,
}


@st.composite
def shops(draw: st.DrawFn) -> Shop:
    """Two dimensions and six event tables whose foreign keys hold."""
    carts, orders = draw(_carts), draw(_orders)
    shop: Shop = {"shopping_carts": carts, "orders": orders}
    shop["customers"] = [
        {"customer_id": name, "signup_date": draw(days), "loyalty_tier": "bronze"}
        for name in draw(st.sets(st.sampled_from(CUSTOMERS[:2])))
    ]
    shop["product_catalog"] = [
        {
            "product_id": number,
            "product_name": f"P{number}",
            "category": "home",
            "unit_price": draw(cents),
            "cost_price": draw(maybe_cents),
            "inventory_quantity": draw(st.none() | st.integers(0, 50)),
        }
        for number in draw(st.sets(st.sampled_from(PRODUCTS)))
    ]
    shop["cart_items"] = [
        {**line, "cart_id": cart["cart_id"], "added_at": draw(times), "cart_item_id": n}
        for cart in carts
        for n, line in enumerate(draw(st.lists(st.fixed_dictionaries(_lines), max_size=2)))
    ]
    shop["order_items"] = [
        {
            **draw(st.fixed_dictionaries(_lines)),
            "order_id": order["order_id"],
            "product_id": product,
            "discount_amount": draw(maybe_cents),
            "cost_price": draw(maybe_cents),
            "ingestion_dt": order["order_date"].date(),
        }
        for order in orders
        for product in draw(st.sets(st.sampled_from(PRODUCTS), max_size=2))
    ]
    shop["returns"], shop["return_items"] = _returns(draw, orders)
    return shop


def _returns(draw: st.DrawFn, orders: list[Row]) -> tuple[list[Row], list[Row]]:
    returned: list[Row] = []
    lines: list[Row] = []
    for order in orders:
        for sent_back in draw(st.sets(days, max_size=2)):
            return_id = f"R{len(returned)}"
            returned.append(
                {
                    "return_id": return_id,
                    "order_id": order["order_id"],
                    "customer_id": "CUST-1",
                    "return_date": sent_back,
                    "refunded_amount": draw(cents),
                }
            )
            lines.append(
                {
                    "return_id": return_id,
                    "return_item_id": 1,
                    "order_id": order["order_id"],
                    "product_id": draw(st.sampled_from(PRODUCTS)),
                    "quantity_returned": draw(st.integers(1, 3)),
                    "refunded_amount": draw(cents),
                    "ingestion_dt": sent_back,
                }
            )
    return returned, lines
