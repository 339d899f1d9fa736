"""The shop's money by day, by place and by parcel."""

from __future__ import annotations

from typing import Any

import pytest

from tests.transforms.conftest import Run
from tests.transforms.tables import Row, at, day, eur

MONEY_OF_AN_ORDER = {
    "gross_total": eur("110.00"),
    "net_total": eur("100.00"),
    "total_discount_amount": eur("10.00"),
    "shipping_cost": eur("8.00"),
    "actual_shipping_cost": eur("6.00"),
    "payment_processing_fee": eur("2.50"),
}


def order(order_id: str, number: int = 5, customer_id: str = "CUST-1", **more: Any) -> Row:
    row = {"order_id": order_id, "order_date": at(number), "customer_id": customer_id}
    return {**row, **MONEY_OF_AN_ORDER, **more}


def refund(order_id: str, number: int, amount: str) -> Row:
    row = {"return_id": f"R{order_id}{number}", "order_id": order_id, "return_date": day(number)}
    return {**row, "refunded_amount": eur(amount)}


def regions(run: Run, number: int = 5, **tables: list[Row]) -> list[Row]:
    rows: list[Row] = run("regional_financials", [day(number)], **tables)
    return rows


@pytest.mark.parametrize(
    ("address", "state", "region"),
    [
        ("1 Main St, Boston, MA 02134", "MA", "northeast"),
        ("1 Main St, Reno, nv 89501", "NV", "west"),
        ("1 Main St,Washington,DC 20001", "DC", "south"),
        ("1 Main St, Chicago, IL 60601", "IL", "midwest"),
        ("PSC 3, APO, AE 09012", "AE", "military"),
        ("1 Calle Luna, San Juan, PR 00901", "PR", "territory"),
        ("1 Main St, Nowhere, ZZ 12345", "ZZ", "unknown"),
        ("1 Main St, Boston, MA 02134-1234", "unknown", "unknown"),
        ("1 Main St, Boston, MA 02134, USA", "unknown", "unknown"),
        ("1 Main St, Boston MMA 02134", "unknown", "unknown"),
        ("1 Main St, Boston, MA 123456", "unknown", "unknown"),
        (None, "unknown", "unknown"),
    ],
)
def test_the_state_stands_before_the_zip_code(
    run: Run, address: str | None, state: str, region: str
) -> None:
    (row,) = regions(run, orders=[order("O1", shipping_address=address)])
    assert (row["state"], row["region"]) == (state, region)


CENSUS = {
    "northeast": "CT MA ME NH NJ NY PA RI VT",
    "midwest": "IA IL IN KS MI MN MO ND NE OH SD WI",
    "south": "AL AR DC DE FL GA KY LA MD MS NC OK SC TN TX VA WV",
    "west": "AK AZ CA CO HI ID MT NM NV OR UT WA WY",
    "territory": "AS FM GU MH MP PR PW VI",
    "military": "AA AE AP",
}


def test_every_state_is_in_its_census_region(run: Run) -> None:
    codes = [code for states in CENSUS.values() for code in states.split()]
    found: dict[str, list[str]] = {}
    for row in regions(run, orders=[order(c, shipping_address=f"X, {c} 12345") for c in codes]):
        found.setdefault(row["region"], []).append(row["state"])
    assert {region: " ".join(states) for region, states in found.items()} == CENSUS


def test_the_contribution_of_a_state_is_what_remains(run: Run) -> None:
    home = "X, OH 43004"
    orders = [
        order("O1", shipping_address=home),
        order("O2", shipping_address=home, shipping_cost=None, actual_shipping_cost=None),
        order("O3", 4, shipping_address=home, payment_processing_fee=None),
    ]
    (row,) = regions(
        run, orders=orders, returns=[refund("O3", 5, "40.25"), refund("O1", 6, "1.00")]
    )
    assert (row["orders"], row["customers"]) == (2, 1)
    assert (row["gross_revenue"], row["net_revenue"]) == (eur("220.00"), eur("200.00"))
    assert (row["discounts"], row["payment_fees"]) == (eur("20.00"), eur("5.00"))
    assert (row["shipping_revenue"], row["shipping_expense"]) == (eur("8.00"), eur("6.00"))
    assert row["refunds"] == eur("40.25")
    assert row["contribution"] == eur("156.75")


def test_a_refund_counts_where_its_order_went_even_alone(run: Run) -> None:
    orders = [order("O1", 1, shipping_address="X, TX 75001")]
    (row,) = regions(run, orders=orders, returns=[refund("O1", 5, "7.00")])
    assert (row["state"], row["orders"], row["customers"]) == ("TX", 0, 0)
    assert row["contribution"] == eur("-7.00")


def test_no_refund_is_lost(run: Run) -> None:
    (row,) = regions(run, returns=[refund("O1", 5, "7.00")])
    assert (row["state"], row["refunds"]) == ("unknown", eur("7.00"))


def test_a_day_without_anything_has_a_row_of_zeros(run: Run) -> None:
    rows = run("daily_business_metrics", [day(5), day(7)])
    assert [row["ingestion_dt"] for row in rows] == [day(5), day(7)]
    unknown = {"avg_order_value", "conversion_rate", "returns_per_order"}
    for name, value in rows[0].items():
        if name != "ingestion_dt":
            assert value is None if name in unknown else value == 0, name


def test_the_day_sums_orders_returns_and_carts(run: Run) -> None:
    carts: list[Row] = [
        {"cart_id": f"C{n}", "created_at": at(5), "cart_status": status, "abandoned_value": value}
        for n, (status, value) in enumerate(
            [("converted", "0.00"), ("abandoned", "5.50"), ("open", "0.00"), ("emptied", "0.00")]
        )
    ]
    (row,) = run(
        "daily_business_metrics",
        [day(5)],
        orders=[order("O1"), order("O2", shipping_cost=None), order("O3", 4)],
        order_items=[{"order_id": "O1", "quantity": 3, "ingestion_dt": day(5)}] * 2,
        returns=[refund("O3", 5, "30.00")],
        shopping_carts=[{k: cart[k] for k in ("cart_id", "created_at")} for cart in carts],
        cart_attribution=[
            {**cart, "ingestion_dt": day(5), "abandoned_value": eur(cart["abandoned_value"])}
            for cart in carts
        ],
        attributed_purchases=[
            {"order_id": "O1", "ingestion_dt": day(5), "is_recovered": True},
            {"order_id": "O2", "ingestion_dt": day(5), "is_recovered": False},
            {"order_id": "O3", "ingestion_dt": day(4), "is_recovered": True},
        ],
    )
    assert (row["orders"], row["customers"], row["units"]) == (2, 1, 6)
    assert (row["net_revenue"], row["avg_order_value"]) == (eur("200.00"), eur("100.00"))
    assert (row["returns"], row["refunds"]) == (1, eur("30.00"))
    assert row["net_after_refunds"] == eur("170.00")
    ends = ["converted_carts", "abandoned_carts", "open_carts", "emptied_carts"]
    assert (row["carts"], [row[name] for name in ends]) == (4, [1, 1, 1, 1])
    assert row["abandoned_value"] == eur("5.50")
    assert (row["conversion_rate"], row["returns_per_order"]) == (0.25, 0.5)
    assert row["shipping_margin"] == eur("-4.00")
    assert row["payment_fees"] == eur("5.00")
    assert row["recovered_orders"] == 1


def test_a_customer_is_new_on_the_first_day_with_an_order(run: Run) -> None:
    orders = [
        order("O1", 4, "CUST-1"),
        order("O2", 5, "CUST-1"),
        order("O3", 5, "GUEST-1"),
        order("O4", 5, "GUEST-1"),
        # the partition decides, not the date on the order
        order("O5", 4, "CUST-2", ingestion_dt=day(5)),
    ]
    rows = run("daily_business_metrics", [day(4), day(5), day(6)], orders=orders)
    assert [row["new_customers"] for row in rows] == [1, 2, 0]
    assert [row["customers"] for row in rows] == [1, 3, 0]


def test_the_average_order_is_rounded_half_away_from_zero(run: Run) -> None:
    orders = [order("O1", net_total=eur("0.02")), order("O2", net_total=eur("0.03"))]
    (row,) = run("daily_business_metrics", [day(5)], orders=orders)
    assert row["avg_order_value"] == eur("0.03")


@pytest.mark.parametrize(
    ("charged", "actual", "margin", "pct", "cost_ratio", "is_subsidised"),
    [
        ("8.00", "6.00", "2.00", 0.25, 0.06, False),
        ("8.00", "8.00", "0.00", 0.0, 0.08, False),
        ("8.00", "10.00", "-2.00", -0.25, 0.1, True),
        ("0.00", "5.00", "-5.00", None, 0.05, True),
        (None, "5.00", "-5.00", None, 0.05, True),
        ("8.00", None, "8.00", 1.0, 0.0, False),
        (None, None, "0.00", None, 0.0, False),
    ],
)
def test_shipping_earns_what_was_charged_less_what_it_cost(
    run: Run,
    charged: str | None,
    actual: str | None,
    margin: str,
    pct: float | None,
    cost_ratio: float,
    is_subsidised: bool,
) -> None:
    parcel = order("O1", shipping_cost=eur(charged), actual_shipping_cost=eur(actual))
    (row,) = run("shipping_economics", [day(5)], orders=[parcel, order("O2", 6)])
    assert row["shipping_margin"] == eur(margin)
    assert (row["shipping_margin_pct"], row["shipping_cost_ratio"]) == (pct, cost_ratio)
    assert row["is_subsidised"] is is_subsidised
    assert (row["shipping_cost"], row["actual_shipping_cost"]) == (eur(charged), eur(actual))


def test_a_free_order_has_no_shipping_cost_ratio(run: Run) -> None:
    (row,) = run("shipping_economics", [day(5)], orders=[order("O1", net_total=eur("0.00"))])
    assert row["shipping_cost_ratio"] is None
