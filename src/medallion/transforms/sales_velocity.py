"""How fast products sell: one row per product sold in the long window that ends at the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from medallion.transforms._common import DAY, exact, lookback, ratio, window_length

# Weights of the forecast are whole multiples of its inverse: sums of them have no order.
_WEIGHT_UNIT = 10**18


def sales_velocity(  # noqa: PLR0913  (one argument for each parameter of the spec)
    *,
    product_catalog: pl.LazyFrame,
    order_items: pl.LazyFrame,
    days: Sequence[date],
    first_order_day: date | None,
    short_days: int,
    long_days: int,
    forecast_days: int,
    forecast_decay: float,
    trend_up_above: float,
    trend_down_below: float,
) -> pl.LazyFrame:
    """Compares the pace of a short window with that of a long one, and looks ahead.

    Args:
        product_catalog: The newest snapshot of the dimension.
        order_items: Base Silver order lines.
        days: The days to make.
        first_order_day: The first Base Silver order day; windows begin no earlier.
        short_days: Longest short window.
        long_days: Longest long window.
        forecast_days: Days that the forecast sums.
        forecast_decay: Weight of a day's units relative to those of the day after it.
        trend_up_above: Short over long velocity above which the trend is up.
        trend_down_below: Short over long velocity below which the trend is down.

    Returns:
        For each of `days` one row per product sold in the `long_days` days that end at it;
        velocities are units per day, the forecast is in units.
    """
    windows = _windows(days, first_order_day, short_days, long_days, forecast_decay)
    reach = _reach(days, long_days, forecast_decay, windows)
    short, long = pl.col("short_units"), pl.col("long_units")
    weighted, total_weight = pl.col("weighted_units"), pl.col("total_weight")
    return (
        _units(order_items, reach)
        .join(windows, on=DAY)
        .join(product_catalog.select("product_id", "category"), on="product_id", how="left")
        .select(
            DAY,
            "product_id",
            "category",
            "units_day",
            ratio(short, pl.col("short_length")).alias("velocity_7d"),
            ratio(long, pl.col("long_length")).alias("velocity_28d"),
            _trend(trend_up_above, trend_down_below).alias("trend_signal"),
            ratio(forecast_days * weighted, total_weight).alias("forecast_7d"),
        )
        .sort(DAY, "product_id")
    )


def _weights(length: int, decay: float) -> list[int]:
    """The weight of each day of a window, the youngest first."""
    return [round(exact(decay) ** age * _WEIGHT_UNIT) for age in range(length)]


def _windows(
    days: Sequence[date],
    first_order_day: date | None,
    short_days: int,
    long_days: int,
    decay: float,
) -> pl.LazyFrame:
    """The lengths of both windows of every day, and the sum of the weights of the long one."""
    weights = _weights(long_days, decay)
    rows = []
    for day in days:
        short = window_length(short_days, day, first_order_day)
        long = window_length(long_days, day, first_order_day)
        rows.append((day, short, long, sum(weights[:long])))
    schema = {
        DAY: pl.Date,
        "short_length": pl.Int64,
        "long_length": pl.Int64,
        "total_weight": pl.Int128,
    }
    return pl.LazyFrame(rows, schema=schema, orient="row")


def _reach(
    days: Sequence[date], long_days: int, decay: float, windows: pl.LazyFrame
) -> pl.LazyFrame:
    """Every day with the days of its long window, and what their sales count for."""
    weights = pl.LazyFrame(
        {"age": list(range(long_days)), "weight": _weights(long_days, decay)},
        schema={"age": pl.Int64, "weight": pl.Int128},
    )
    is_short = pl.col("age") < pl.col("short_length")
    is_long = pl.col("age") < pl.col("long_length")
    return (
        lookback(days, long_days)
        .join(windows, on=DAY)
        .join(weights, on="age")
        .select(DAY, "event_dt", "age", is_short=is_short, is_long=is_long, weight="weight")
    )


def _units(order_items: pl.LazyFrame, reach: pl.LazyFrame) -> pl.LazyFrame:
    """Units per day and product: of the day, of both windows, and weighted."""
    sold = (
        order_items.rename({DAY: "event_dt"})
        .join(reach, on="event_dt", how="semi")
        .group_by("event_dt", "product_id")
        .agg(units=pl.col("quantity").sum())
    )
    units = pl.col("units")
    return (
        sold.join(reach, on="event_dt")
        .group_by(DAY, "product_id")
        .agg(
            units_day=units.filter(pl.col("age") == 0).sum(),
            short_units=units.filter("is_short").sum(),
            long_units=units.filter("is_long").sum(),
            weighted_units=(units * pl.col("weight")).filter("is_long").sum(),
        )
    )


def _trend(up_above: float, down_below: float) -> pl.Expr:
    """Compares whole numbers: units times the other window's length."""
    short = pl.col("short_units") * pl.col("long_length")
    long = pl.col("long_units") * pl.col("short_length")
    up, down = exact(up_above), exact(down_below)
    return (
        pl.when(short * up.denominator > long * up.numerator)
        .then(pl.lit("UP"))
        .when(short * down.denominator < long * down.numerator)
        .then(pl.lit("DOWN"))
        .otherwise(pl.lit("STABLE"))
    )
