"""What customers have been worth, and who may be lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.transforms.conftest import Run
from tests.transforms.tables import Row, at, day, eur

TODAY = day(31)


def customer(customer_id: str, signup: int = 1, **more: Any) -> Row:
    return {"customer_id": customer_id, "signup_date": day(signup), **more}


def order(customer_id: str, number: int, net: str = "10.00", **more: Any) -> Row:
    row = {
        "order_id": f"{customer_id}@{number}",
        "customer_id": customer_id,
        "order_date": at(number),
        "gross_total": eur(net),
        "net_total": eur(net),
    }
    return {**row, **more}


def refund(order_id: str, number: int, amount: str, customer_id: str = "CUST-9") -> Row:
    return {
        "return_id": f"R{order_id}{number}",
        "order_id": order_id,
        "customer_id": customer_id,
        "return_date": day(number),
        "refunded_amount": eur(amount),
    }


def value(run: Run, days: list[Any] | None = None, **tables: list[Row]) -> dict[str, Row]:
    rows = run("customer_lifetime_value", days or [TODAY], **tables)
    return {row["customer_id"]: row for row in rows}


def test_a_customer_without_orders_is_a_prospect_with_sums_of_zero(run: Run) -> None:
    row = value(run, customers=[customer("CUST-1", clv_bucket="high")])["CUST-1"]
    assert row["customer_segment"] == "prospect"
    assert row["predicted_clv_bucket"] == "high"
    assert row["actual_clv_bucket"] == "low"
    assert (row["order_count"], row["return_count"]) == (0, 0)
    sums = ["gross_revenue", "net_revenue", "discount_total", "refund_total", "net_clv"]
    assert [row[name] for name in sums] == [eur("0.00")] * 5
    nothing = ["first_order_dt", "last_order_dt", "avg_order_value", "tenure_days"]
    nothing += ["days_since_last_order", "cohort_month", "cohort_size", "cohort_avg_clv"]
    assert [row[name] for name in nothing] == [None] * 8


def test_guests_and_unknown_customers_count_once_they_have_ordered(run: Run) -> None:
    rows = value(run, orders=[order("GUEST-12", 3), order("CUST-12", 3), order("GUEST-x", 3)])
    assert {name: row["is_guest"] for name, row in rows.items()} == {
        "GUEST-12": True,
        "CUST-12": False,
        "GUEST-x": False,
    }
    assert rows["GUEST-12"]["signup_date"] is None
    assert rows["GUEST-12"]["predicted_clv_bucket"] is None


def test_who_signs_up_later_appears_by_then_or_with_the_first_order(run: Run) -> None:
    customers = [customer("CUST-1", 20), customer("CUST-2", 20), customer("CUST-3", 10)]
    rows = value(run, [day(10)], customers=customers, orders=[order("CUST-2", 10)])
    assert sorted(rows) == ["CUST-2", "CUST-3"]
    assert rows["CUST-2"]["signup_date"] == day(20)


def test_a_snapshot_looks_no_further_than_its_day(run: Run) -> None:
    orders = [order("CUST-1", 5, "100.00"), order("CUST-1", 15, "50.00")]
    returns = [refund("CUST-1@5", 8, "30.00"), refund("CUST-1@5", 12, "20.00")]
    rows = run("customer_lifetime_value", [day(10), day(20)], orders=orders, returns=returns)
    seen = ["ingestion_dt", "order_count", "return_count", "net_clv", "days_since_last_order"]
    assert [[row[name] for name in seen] for row in rows] == [
        [day(10), 1, 1, eur("70.00"), 5],
        [day(20), 2, 2, eur("100.00"), 5],
    ]


def test_a_refund_belongs_to_the_customer_of_the_order(run: Run) -> None:
    rows = value(run, orders=[order("CUST-1", 5)], returns=[refund("CUST-1@5", 8, "4.00")])
    assert rows["CUST-1"]["refund_total"] == eur("4.00")
    assert rows["CUST-1"]["net_clv"] == eur("6.00")
    assert "CUST-9" not in rows


def test_unknown_discounts_count_as_nothing(run: Run) -> None:
    orders = [order("CUST-1", 5), order("CUST-1", 6, total_discount_amount=eur("1.25"))]
    assert value(run, orders=orders)["CUST-1"]["discount_total"] == eur("1.25")


def test_an_order_dated_after_its_partition_is_zero_days_ago(run: Run) -> None:
    row = value(run, [day(5)], orders=[order("CUST-1", 6, ingestion_dt=day(5))])["CUST-1"]
    assert row["first_order_dt"] == day(6)
    assert (row["tenure_days"], row["days_since_last_order"]) == (0, 0)


def test_a_cohort_is_all_customers_of_the_month_of_the_first_order(run: Run) -> None:
    orders = [order("CUST-1", 5, "1.00"), order("GUEST-1", 20, "2.00"), order("CUST-2", 33, "9.00")]
    orders.append(order("CUST-1", 34, "1.00"))
    rows = value(run, [day(40)], orders=orders, customers=[customer("CUST-3")])
    assert rows["CUST-1"]["cohort_month"] == rows["GUEST-1"]["cohort_month"] == day(1)
    assert rows["CUST-1"]["cohort_size"] == 2
    assert rows["CUST-1"]["cohort_avg_clv"] == eur("2.00")
    assert (rows["CUST-2"]["cohort_size"], rows["CUST-2"]["cohort_month"]) == (1, day(32))


@pytest.mark.parametrize(
    ("amounts", "mean"),
    [
        (["0.01", "0.00"], "0.01"),
        (["0.01", "0.00", "0.00"], "0.00"),
        (["0.05", "0.00", "0.00"], "0.02"),
        (["0.03", "0.02"], "0.03"),
        (["9999999999999.99", "0.00"], "5000000000000.00"),
    ],
)
def test_a_mean_of_money_is_rounded_half_away_from_zero(
    run: Run, amounts: list[str], mean: str
) -> None:
    orders = [order("CUST-1", 1 + n, amount) for n, amount in enumerate(amounts)]
    assert value(run, orders=orders)["CUST-1"]["avg_order_value"] == eur(mean)


def test_a_negative_mean_is_rounded_away_from_zero_too(run: Run) -> None:
    orders = [order("CUST-1", 1, "0.00"), order("CUST-2", 1, "0.00")]
    rows = value(run, orders=orders, returns=[refund("CUST-1@1", 2, "0.01")])
    assert rows["CUST-1"]["cohort_avg_clv"] == eur("-0.01")


@pytest.mark.parametrize(
    ("orders", "days_ago", "net", "segment"),
    [
        (1, 90, "2000.00", "churned"),
        (1, 89, "2000.00", "whale"),
        (1, 89, "1999.99", "one_timer"),
        (2, 0, "0.00", "regular"),
        (4, 0, "1999.99", "regular"),
        (5, 0, "0.00", "whale"),
    ],
)
def test_segments_begin_at_their_thresholds(
    run: Run, orders: int, days_ago: int, net: str, segment: str
) -> None:
    today = day(1) + timedelta(days=days_ago)
    placed = [
        order("CUST-1", 1, order_id=f"O{n}", net_total=eur("0.00")) for n in range(orders - 1)
    ]
    placed.append(order("CUST-1", 1, net))
    assert value(run, [today], orders=placed)["CUST-1"]["customer_segment"] == segment


@pytest.mark.parametrize(
    ("net", "bucket"),
    [("749.99", "low"), ("750.00", "medium"), ("1999.99", "medium"), ("2000.00", "high")],
)
def test_buckets_begin_at_their_thresholds(run: Run, net: str, bucket: str) -> None:
    assert value(run, orders=[order("CUST-1", 1, net)])["CUST-1"]["actual_clv_bucket"] == bucket


def signals(run: Run, days: list[Any] | None = None, **tables: list[Row]) -> dict[str, Row]:
    tables.setdefault("customers", [customer("CUST-1", loyalty_tier="bronze")])
    rows = run("customer_retention_signals", days or [TODAY], **tables)
    return {row["customer_id"]: row for row in rows}


def test_a_customer_without_orders_has_no_risk_and_no_engagement(run: Run) -> None:
    row = signals(run)["CUST-1"]
    assert row["churn_risk"] == "none"
    assert (row["total_orders"], row["orders_90d"], row["engagement_score"]) == (0, 0, 0.0)
    assert row["net_revenue_90d"] == eur("0.00")
    assert row["expected_gap_days"] == 60.0
    assert row["avg_days_between_orders"] is None
    assert row["days_since_last_buy"] is None
    assert (row["is_in_danger_zone"], row["needs_bronze_nudge"]) == (False, False)


def test_guests_send_no_signals(run: Run) -> None:
    assert sorted(signals(run, orders=[order("GUEST-1", 3)])) == ["CUST-1"]


def test_a_customer_sends_signals_from_signup_or_from_the_first_order(run: Run) -> None:
    customers = [customer("CUST-1", 20), customer("CUST-2", 20), customer("CUST-3", 10)]
    rows = signals(run, [day(10)], customers=customers, orders=[order("CUST-2", 9)])
    assert sorted(rows) == ["CUST-2", "CUST-3"]


@pytest.mark.parametrize(
    ("days", "average", "expected"),
    [([1], None, 60.0), ([1, 1], 0.0, 14.0), ([1, 14], 13.0, 14.0), ([1, 5, 32], 15.5, 15.5)],
)
def test_the_expected_gap_is_the_own_rhythm_but_no_less_than_the_minimum(
    run: Run, days: list[int], average: float | None, expected: float
) -> None:
    orders = [order("CUST-1", number, order_id=f"O{n}") for n, number in enumerate(days)]
    row = signals(run, [day(40)], orders=orders)["CUST-1"]
    assert row["avg_days_between_orders"] == average
    assert row["expected_gap_days"] == expected
    assert row["total_orders"] == len(days)


@pytest.mark.parametrize(
    ("days_ago", "risk"),
    [(0, "low"), (89, "low"), (90, "medium"), (179, "medium"), (180, "high")],
)
def test_the_risk_grows_with_the_gaps_waited(run: Run, days_ago: int, risk: str) -> None:
    today = day(1) + timedelta(days=days_ago)
    assert signals(run, [today], orders=[order("CUST-1", 1)])["CUST-1"]["churn_risk"] == risk


def test_the_risk_is_decided_without_floats(run: Run) -> None:
    # A gap of 47/3 days: 23.5 days would be 1.5 gaps exactly, 47 days 3 gaps exactly.
    orders = [order("CUST-1", number) for number in (1, 10, 20, 48)]
    risks = [
        signals(run, [day(48 + waited)], orders=orders)["CUST-1"]["churn_risk"]
        for waited in (23, 24, 46, 47)
    ]
    assert risks == ["low", "medium", "medium", "high"]


def test_recent_orders_are_those_of_ninety_days_with_the_day_itself(run: Run) -> None:
    orders = [
        order("CUST-1", 1, "1.00"),
        order("CUST-1", 2, "20.00"),
        order("CUST-1", 91, "300.00"),
        order("CUST-1", 92, "4000.00", ingestion_dt=day(91)),
    ]
    row = signals(run, [day(91)], orders=orders)["CUST-1"]
    assert (row["orders_90d"], row["net_revenue_90d"]) == (2, eur("320.00"))
    assert row["total_orders"] == 4


def test_engagement_weighs_recency_frequency_and_revenue(run: Run) -> None:
    row = signals(run, [day(19)], orders=[order("CUST-1", 1, "125.00")])["CUST-1"]
    assert row["engagement_score"] == pytest.approx(0.5 * 0.8 + 0.3 * 0.2 + 0.2 * 0.25)


def test_engagement_is_full_at_most_and_recency_never_below_zero(run: Run) -> None:
    many = [order("CUST-1", 1, "200.00", order_id=f"O{n}") for n in range(6)]
    assert signals(run, [day(1)], orders=many)["CUST-1"]["engagement_score"] == pytest.approx(1.0)
    assert signals(run, [day(400)], orders=many)["CUST-1"]["engagement_score"] == 0.0


@pytest.mark.parametrize(
    ("orders", "days_ago", "in_danger"),
    [(1, 29, False), (1, 30, True), (1, 90, True), (1, 91, False), (2, 30, False)],
)
def test_the_danger_zone_is_for_only_orders_of_one_to_three_months_ago(
    run: Run, orders: int, days_ago: int, in_danger: bool
) -> None:
    today = day(1) + timedelta(days=days_ago)
    placed = [order("CUST-1", 1, order_id=f"O{n}") for n in range(orders)]
    assert signals(run, [today], orders=placed)["CUST-1"]["is_in_danger_zone"] is in_danger


@pytest.mark.parametrize(
    ("tier", "days_ago", "nudge"),
    [("bronze", 14, False), ("bronze", 15, True), ("silver", 15, False), (None, 15, False)],
)
def test_bronze_customers_are_nudged_after_two_weeks(
    run: Run, tier: str | None, days_ago: int, nudge: bool
) -> None:
    today = day(1) + timedelta(days=days_ago)
    customers = [customer("CUST-1", loyalty_tier=tier)]
    rows = signals(run, [today], customers=customers, orders=[order("CUST-1", 1)])
    assert rows["CUST-1"]["needs_bronze_nudge"] is nudge
