"""Orders with the carts that led to them: one row per accepted order of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from medallion.transforms._common import DAY, hours_between, of_days
from medallion.transforms._matching import match_carts


def attributed_purchases(
    *,
    orders: pl.LazyFrame,
    shopping_carts: pl.LazyFrame,
    days: Sequence[date],
    attribution_tolerance_hours: float,
) -> pl.LazyFrame:
    """Finds the converting cart and the touches of every order.

    Args:
        orders: Base Silver orders.
        shopping_carts: Base Silver carts of all partitions; they match by time.
        days: The days to make.
        attribution_tolerance_hours: How long a cart can lead to an order.

    Returns:
        One row per order of `days`; hours are those from the touch to the order.
    """
    bought = of_days(orders, days).select(
        DAY,
        "order_id",
        "customer_id",
        "order_dt",
        "order_date",
        "order_channel",
        "gross_total",
        "net_total",
    )
    return (
        match_carts(bought, shopping_carts, attribution_tolerance_hours)
        .with_columns(
            hours_first_touch=hours_between(pl.col("first_touch_at"), pl.col("order_date")),
            hours_last_touch=hours_between(pl.col("last_touch_at"), pl.col("order_date")),
            is_attributed=pl.col("cart_touches") > 0,
            is_recovered=pl.col("abandoned_touches") > 0,
        )
        .sort(DAY, "order_id")
    )
