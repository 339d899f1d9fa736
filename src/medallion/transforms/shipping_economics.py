"""What shipping earned and cost: one row per accepted order of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from medallion.transforms._common import DAY, known, money, of_days, ratio


def shipping_economics(*, orders: pl.LazyFrame, days: Sequence[date]) -> pl.LazyFrame:
    """Compares what customers paid for shipping with what it cost.

    Args:
        orders: Base Silver orders.
        days: The days to make.

    Returns:
        One row per order of `days`; an unknown amount counts as 0 in margin and ratios.
    """
    charged, actual = known("shipping_cost"), known("actual_shipping_cost")
    margin = money(charged - actual)
    return (
        of_days(orders, days)
        .select(
            DAY,
            "order_id",
            "order_dt",
            "order_channel",
            "shipping_speed",
            "is_expedited",
            "net_total",
            "shipping_cost",
            "actual_shipping_cost",
            margin.alias("shipping_margin"),
            ratio(margin, charged).alias("shipping_margin_pct"),
            ratio(actual, pl.col("net_total")).alias("shipping_cost_ratio"),
            (margin < 0).alias("is_subsidised"),
        )
        .sort(DAY, "order_id")
    )
