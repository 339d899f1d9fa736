"""Who may be lost: one row per customer of the dimension, as of the end of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from medallion.transforms._common import (
    DAY,
    count,
    days_since,
    each_day,
    exact,
    money,
    ratio,
    up_to,
)

_RECENCY_WEIGHT = 0.5
_FREQUENCY_WEIGHT = 0.3
_REVENUE_WEIGHT = 0.2


def customer_retention_signals(  # noqa: PLR0913  (one argument for each parameter of the spec)
    *,
    customers: pl.LazyFrame,
    orders: pl.LazyFrame,
    days: Sequence[date],
    min_expected_gap_days: int,
    default_expected_gap_days: int,
    low_risk_below: float,
    medium_risk_below: float,
    recent_days: int,
    engaged_orders: int,
    engaged_net_revenue: float,
    danger_zone_from_days: int,
    danger_zone_to_days: int,
    bronze_nudge_after_days: int,
) -> pl.LazyFrame:
    """Compares the time since a customer's last order with the customer's own rhythm.

    Args:
        customers: The newest snapshot of the dimension.
        orders: Base Silver orders.
        days: The days to describe, each from all history up to it.
        min_expected_gap_days: The shortest gap between orders that is expected of anyone.
        default_expected_gap_days: The gap expected of those with fewer than two orders.
        low_risk_below: Expected gaps since the last order below which the risk is low.
        medium_risk_below: Expected gaps since the last order below which the risk is medium.
        recent_days: Days that count as recent, the day itself included.
        engaged_orders: Recent orders that make full engagement.
        engaged_net_revenue: Recent net revenue that makes full engagement.
        danger_zone_from_days: Days since the only order from which it may remain the only one.
        danger_zone_to_days: Days since the only order up to which there is hope.
        bronze_nudge_after_days: Days after which a customer of the bronze tier gets a nudge.

    Returns:
        For each of `days` one row per customer who had signed up or ordered by then.
    """
    risk = _churn_risk(low_risk_below, medium_risk_below)
    engagement = _engagement(recent_days, engaged_orders, engaged_net_revenue)
    in_danger = pl.col("days_since_first_buy").is_between(
        danger_zone_from_days, danger_zone_to_days
    )
    is_bronze = pl.col("loyalty_tier") == "bronze"
    is_late = pl.col("days_since_last_buy") > bronze_nudge_after_days

    def snapshot(day: date) -> pl.LazyFrame:
        history = _history(day, customers, orders, recent_days)
        return history.with_columns(
            *_rhythm(min_expected_gap_days, default_expected_gap_days)
        ).select(
            DAY,
            "customer_id",
            "loyalty_tier",
            "first_purchase_dt",
            "last_purchase_dt",
            "total_orders",
            "days_since_first_buy",
            "days_since_last_buy",
            "avg_days_between_orders",
            ratio(pl.col("gap_days"), pl.col("gap_count")).alias("expected_gap_days"),
            risk.alias("churn_risk"),
            "orders_90d",
            "net_revenue_90d",
            engagement.alias("engagement_score"),
            ((pl.col("total_orders") == 1) & in_danger)
            .fill_null(value=False)
            .alias("is_in_danger_zone"),
            (is_bronze & is_late).fill_null(value=False).alias("needs_bronze_nudge"),
        )

    return each_day(days, snapshot).sort(DAY, "customer_id")


def _history(
    day: date, customers: pl.LazyFrame, orders: pl.LazyFrame, recent_days: int
) -> pl.LazyFrame:
    """The customers of the dimension known by a day, with what they bought."""
    recent = pl.col("order_dt").is_between(day - timedelta(days=recent_days - 1), day)
    purchases = (
        up_to(orders, day)
        .group_by("customer_id")
        .agg(
            first_purchase_dt=pl.col("order_dt").min(),
            last_purchase_dt=pl.col("order_dt").max(),
            total_orders=pl.len(),
            orders_90d=recent.sum(),
            net_revenue_90d=pl.col("net_total").filter(recent).sum(),
        )
    )
    return (
        customers.select("customer_id", "signup_date", "loyalty_tier")
        .join(purchases, on="customer_id", how="left")
        .filter((pl.col("signup_date") <= day) | pl.col("total_orders").is_not_null())
        .with_columns(
            pl.lit(day).alias(DAY),
            count(pl.col("total_orders", "orders_90d")),
            money(pl.col("net_revenue_90d")),
            days_since_first_buy=days_since(pl.col("first_purchase_dt"), day),
            days_since_last_buy=days_since(pl.col("last_purchase_dt"), day),
        )
    )


def _rhythm(min_expected_gap_days: int, default_expected_gap_days: int) -> list[pl.Expr]:
    """The expected gap as whole days over a whole number of gaps, so that no float decides."""
    gaps = pl.col("total_orders") - 1
    span = (pl.col("last_purchase_dt") - pl.col("first_purchase_dt")).dt.total_days()
    longest = pl.max_horizontal(span, gaps * min_expected_gap_days)
    has_rhythm = gaps >= 1
    return [
        ratio(span, pl.when(has_rhythm).then(gaps)).alias("avg_days_between_orders"),
        pl.when(has_rhythm).then(longest).otherwise(default_expected_gap_days).alias("gap_days"),
        pl.when(has_rhythm).then(gaps).otherwise(1).alias("gap_count"),
    ]


def _churn_risk(low_risk_below: float, medium_risk_below: float) -> pl.Expr:
    def below(threshold: float) -> pl.Expr:
        limit = exact(threshold)
        waited = pl.col("days_since_last_buy") * pl.col("gap_count") * limit.denominator
        return waited < pl.col("gap_days") * limit.numerator

    return (
        pl.when(pl.col("total_orders") == 0)
        .then(pl.lit("none"))
        .when(below(low_risk_below))
        .then(pl.lit("low"))
        .when(below(medium_risk_below))
        .then(pl.lit("medium"))
        .otherwise(pl.lit("high"))
    )


def _engagement(recent_days: int, engaged_orders: int, engaged_net_revenue: float) -> pl.Expr:
    recency = 1 - pl.col("days_since_last_buy") / recent_days
    frequency = pl.col("orders_90d") / engaged_orders
    revenue = pl.col("net_revenue_90d").cast(pl.Float64) / engaged_net_revenue
    score = (
        _RECENCY_WEIGHT * recency.clip(lower_bound=0)
        + _FREQUENCY_WEIGHT * frequency.clip(upper_bound=1)
        + _REVENUE_WEIGHT * revenue.clip(upper_bound=1)
    )
    return pl.when(pl.col("total_orders") > 0).then(score).otherwise(0.0)
