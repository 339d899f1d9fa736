"""Stock against sales: one row per product of the dimension, as of the end of every day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from medallion.transforms._common import (
    DAY,
    MONEY,
    count,
    exact,
    known,
    lookback,
    ratio,
    window_length,
)


def inventory_risk(  # noqa: PLR0913  (one argument for each parameter of the spec)
    *,
    product_catalog: pl.LazyFrame,
    order_items: pl.LazyFrame,
    return_items: pl.LazyFrame,
    days: Sequence[date],
    first_order_day: date | None,
    window_days: int,
    stockout_horizon_days: int,
    stockout_cover_days: int,
    overstock_cover_days: int,
    high_risk_from: float,
    moderate_risk_from: float,
) -> pl.LazyFrame:
    """Says how long the stock of every product lasts at the pace of the last days.

    Args:
        product_catalog: The newest snapshot of the dimension.
        order_items: Base Silver order lines.
        return_items: Base Silver return lines.
        days: The days to describe.
        first_order_day: The first Base Silver order day; sales are unknown before it.
        window_days: The longest window of sales, in days.
        stockout_horizon_days: Days beyond which no stock-out is foretold.
        stockout_cover_days: Days of cover below which stock may run out.
        overstock_cover_days: Days of cover above which there is too much stock.
        high_risk_from: Attention score from which the risk is high.
        moderate_risk_from: Attention score from which the risk is moderate.

    Returns:
        For each of `days` one row per product.
    """
    lengths = {day: window_length(window_days, day, first_order_day) for day in days}
    windows = pl.LazyFrame(
        {DAY: list(lengths), "window_days": list(lengths.values())},
        schema={DAY: pl.Date, "window_days": pl.Int64},
    )
    reach = (
        lookback(days, window_days)
        .join(windows, on=DAY)
        .filter(pl.col("age") < pl.col("window_days"))
    )
    products = product_catalog.select(
        "product_id", "product_name", "category", "inventory_quantity", "unit_price", "cost_price"
    )
    return (
        products.join(windows, how="cross")
        .join(
            _in_window(order_items, "quantity", "units_sold", reach),
            on=[DAY, "product_id"],
            how="left",
        )
        .join(
            _in_window(return_items, "quantity_returned", "units_returned", reach),
            on=[DAY, "product_id"],
            how="left",
        )
        .with_columns(count(pl.col("units_sold", "units_returned")))
        .with_columns(*_cover(stockout_horizon_days, stockout_cover_days, overstock_cover_days))
        .with_columns(*_attention(stockout_cover_days))
        .select(
            DAY,
            "product_id",
            "product_name",
            "category",
            "inventory_quantity",
            "unit_price",
            "cost_price",
            "units_sold",
            "units_returned",
            "window_days",
            "daily_velocity",
            "days_of_cover",
            "stockout_dt",
            "return_rate",
            "utilization_ratio",
            "locked_capital",
            "is_stockout_risk",
            "is_overstock",
            ratio(pl.col("_score"), pl.col("_out_of")).alias("attention_score"),
            _tier(high_risk_from, moderate_risk_from).alias("risk_tier"),
        )
        .sort(DAY, "product_id")
    )


def _in_window(lines: pl.LazyFrame, quantity: str, total: str, reach: pl.LazyFrame) -> pl.LazyFrame:
    """Units per product over the window that ends at each day."""
    by_day = (
        lines.rename({DAY: "event_dt"})
        .join(reach.select("event_dt"), on="event_dt", how="semi")
        .group_by("event_dt", "product_id")
        .agg(pl.col(quantity).sum().alias(total))
    )
    return (
        by_day.join(reach.select(DAY, "event_dt"), on="event_dt")
        .group_by(DAY, "product_id")
        .agg(pl.col(total).sum())
    )


def _cover(
    stockout_horizon_days: int, stockout_cover_days: int, overstock_cover_days: int
) -> list[pl.Expr]:
    """How long the stock lasts: cover in unit-days, against units sold."""
    stock, sold = pl.col("inventory_quantity"), pl.col("units_sold")
    cover = stock * pl.col("window_days")
    lasting_days = cover // pl.when(sold > 0).then(sold)
    short = (stock <= 0) | (cover < stockout_cover_days * sold)
    ample = (sold == 0) | (cover > overstock_cover_days * sold)
    return [
        ratio(sold, pl.col("window_days")).alias("daily_velocity"),
        ratio(cover, sold).alias("days_of_cover"),
        pl.when(lasting_days <= stockout_horizon_days)
        .then(pl.col(DAY) + pl.duration(days=lasting_days))
        .alias("stockout_dt"),
        ratio(pl.col("units_returned"), sold).alias("return_rate"),
        ratio(sold, stock).alias("utilization_ratio"),
        (known("cost_price") * stock).cast(MONEY).alias("locked_capital"),
        short.fill_null(value=False).alias("is_stockout_risk"),
        ((stock > 0) & ample).fill_null(value=False).alias("is_overstock"),
    ]


def _attention(stockout_cover_days: int) -> list[pl.Expr]:
    """The attention score as a fraction of whole numbers, so that no float decides the tier.

    It is urgency (cover wanted over cover there) plus the rate of returns; a part that cannot
    be known counts as 0.
    """
    wide = [
        pl.col(name).cast(pl.Int128)
        for name in ("inventory_quantity", "window_days", "units_sold", "units_returned")
    ]
    stock, window, sold, returned = wide
    cover = stock * window
    urgent = stockout_cover_days * sold * sold + returned * cover
    score = (
        pl.when(stock <= 0)
        .then(1)
        .when(sold == 0)
        .then(0)
        .when(stock.is_null())
        .then(returned)
        .otherwise(urgent)
    )
    out_of = (
        pl.when((stock <= 0) | (sold == 0))
        .then(1)
        .when(stock.is_null())
        .then(sold)
        .otherwise(cover * sold)
    )
    return [pl.min_horizontal(score, out_of).alias("_score"), out_of.alias("_out_of")]


def _tier(high_risk_from: float, moderate_risk_from: float) -> pl.Expr:
    def reaches(threshold: float) -> pl.Expr:
        limit = exact(threshold)
        return pl.col("_score") * limit.denominator >= pl.col("_out_of") * limit.numerator

    return (
        pl.when(reaches(high_risk_from))
        .then(pl.lit("HIGH"))
        .when(reaches(moderate_risk_from))
        .then(pl.lit("MODERATE"))
        .otherwise(pl.lit("HEALTHY"))
    )
