"""What customers have been worth: one row per customer, as of the end of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from medallion.transforms._common import (
    DAY,
    amount,
    count,
    days_since,
    each_day,
    money,
    money_mean,
    up_to,
)


def customer_lifetime_value(  # noqa: PLR0913  (one argument for each parameter of the spec)
    *,
    customers: pl.LazyFrame,
    orders: pl.LazyFrame,
    returns: pl.LazyFrame,
    days: Sequence[date],
    guest_pattern: str,
    churned_after_days: int,
    whale_net_clv: float,
    whale_orders: int,
    high_net_clv: float,
    medium_net_clv: float,
) -> pl.LazyFrame:
    """Sums what customers bought and sent back, and sorts them into segments.

    Args:
        customers: The newest snapshot of the dimension.
        orders: Base Silver orders.
        returns: Base Silver returns.
        days: The days to describe, each from all history up to it.
        guest_pattern: Regular expression of the ids of guests, who have no row in the dimension.
        churned_after_days: Days without an order from which a customer has churned.
        whale_net_clv: Net value from which a customer is a whale.
        whale_orders: Number of orders from which a customer is a whale.
        high_net_clv: Net value from which the actual bucket is high.
        medium_net_clv: Net value from which the actual bucket is medium.

    Returns:
        For each of `days` one row per customer who had signed up or ordered by then.
    """
    segment = _segment(churned_after_days, whale_net_clv, whale_orders)
    bucket = _bucket(high_net_clv, medium_net_clv)

    def snapshot(day: date) -> pl.LazyFrame:
        history = _with_cohorts(_history(day, customers, orders, returns))
        return history.select(
            DAY,
            "customer_id",
            pl.col("customer_id").str.contains(guest_pattern).alias("is_guest"),
            "signup_date",
            "first_order_dt",
            "last_order_dt",
            "order_count",
            "return_count",
            "gross_revenue",
            "net_revenue",
            "discount_total",
            "refund_total",
            "net_clv",
            money_mean(pl.col("net_revenue"), pl.col("order_count")).alias("avg_order_value"),
            days_since(pl.col("first_order_dt"), day).alias("tenure_days"),
            "days_since_last_order",
            "cohort_month",
            "cohort_size",
            "cohort_avg_clv",
            segment.alias("customer_segment"),
            pl.col("clv_bucket").alias("predicted_clv_bucket"),
            bucket.alias("actual_clv_bucket"),
        )

    return each_day(days, snapshot).sort(DAY, "customer_id")


def _history(
    day: date, customers: pl.LazyFrame, orders: pl.LazyFrame, returns: pl.LazyFrame
) -> pl.LazyFrame:
    """The customers known by a day with their sums; 0 for those who bought nothing."""
    bought = up_to(orders, day)
    return (
        customers.select("customer_id", "signup_date", "clv_bucket")
        .join(_purchases(bought), on="customer_id", how="full", coalesce=True)
        .filter((pl.col("signup_date") <= day) | pl.col("order_count").is_not_null())
        .join(_refunds(bought, up_to(returns, day)), on="customer_id", how="left")
        .with_columns(
            pl.lit(day).alias(DAY),
            count(pl.col("order_count", "return_count")),
            money(pl.col("gross_revenue", "net_revenue", "discount_total", "refund_total")),
            cohort_month=pl.col("first_order_dt").dt.month_start(),
            days_since_last_order=days_since(pl.col("last_order_dt"), day),
        )
        .with_columns(net_clv=money(pl.col("net_revenue") - pl.col("refund_total")))
    )


def _purchases(orders: pl.LazyFrame) -> pl.LazyFrame:
    return orders.group_by("customer_id").agg(
        first_order_dt=pl.col("order_dt").min(),
        last_order_dt=pl.col("order_dt").max(),
        order_count=pl.len(),
        gross_revenue=pl.col("gross_total").sum(),
        net_revenue=pl.col("net_total").sum(),
        discount_total=pl.col("total_discount_amount").sum(),
    )


def _refunds(orders: pl.LazyFrame, returns: pl.LazyFrame) -> pl.LazyFrame:
    """Returns belong to the customer of the order, whoever sent the parcel back."""
    return (
        returns.select("order_id", "refunded_amount")
        .join(orders.select("order_id", "customer_id"), on="order_id")
        .group_by("customer_id")
        .agg(return_count=pl.len(), refund_total=pl.col("refunded_amount").sum())
    )


def _with_cohorts(history: pl.LazyFrame) -> pl.LazyFrame:
    cohorts = (
        history.filter(pl.col("cohort_month").is_not_null())
        .group_by("cohort_month")
        .agg(cohort_size=pl.len().cast(pl.Int64), cohort_clv=pl.col("net_clv").sum())
        .with_columns(cohort_avg_clv=money_mean(pl.col("cohort_clv"), pl.col("cohort_size")))
    )
    return history.join(cohorts, on="cohort_month", how="left")


def _segment(churned_after_days: int, whale_net_clv: float, whale_orders: int) -> pl.Expr:
    spends = pl.col("net_clv") >= amount(whale_net_clv)
    return (
        pl.when(pl.col("order_count") == 0)
        .then(pl.lit("prospect"))
        .when(pl.col("days_since_last_order") >= churned_after_days)
        .then(pl.lit("churned"))
        .when(spends | (pl.col("order_count") >= whale_orders))
        .then(pl.lit("whale"))
        .when(pl.col("order_count") == 1)
        .then(pl.lit("one_timer"))
        .otherwise(pl.lit("regular"))
    )


def _bucket(high_net_clv: float, medium_net_clv: float) -> pl.Expr:
    return (
        pl.when(pl.col("net_clv") >= amount(high_net_clv))
        .then(pl.lit("high"))
        .when(pl.col("net_clv") >= amount(medium_net_clv))
        .then(pl.lit("medium"))
        .otherwise(pl.lit("low"))
    )
