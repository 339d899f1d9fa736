"""What the transforms share: money, ratios, thresholds without floats, and windows of days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import polars as pl

DAY = "ingestion_dt"
MONEY = pl.Decimal(18, 2)
NO_MONEY = pl.lit(Decimal("0.00"), dtype=MONEY)
CENT = pl.lit(Decimal("0.01"), dtype=pl.Decimal(38, 2))


def of_days(frame: pl.LazyFrame, days: Sequence[date]) -> pl.LazyFrame:
    """The rows of these days."""
    return frame.filter(pl.col(DAY).is_in(list(days)))


def up_to(frame: pl.LazyFrame, day: date) -> pl.LazyFrame:
    """The rows of this day and of all days before it."""
    return frame.filter(pl.col(DAY) <= day)


def known(column: str) -> pl.Expr:
    """An amount that counts as 0 where it is null."""
    return pl.col(column).fill_null(NO_MONEY)


def money(amount: pl.Expr) -> pl.Expr:
    """An exact amount as DECIMAL(18,2); 0 where there is none."""
    return amount.fill_null(NO_MONEY).cast(MONEY)


def count(number: pl.Expr) -> pl.Expr:
    """A count as BIGINT; 0 where there is none."""
    return number.fill_null(0).cast(pl.Int64)


def ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """A quotient as DOUBLE; null where the denominator is 0 or null."""
    divisor = denominator.cast(pl.Float64)
    return numerator.cast(pl.Float64) / pl.when(divisor != 0).then(divisor)


def money_mean(total: pl.Expr, number: pl.Expr) -> pl.Expr:
    """A mean amount, rounded half away from zero to the cent; null of nothing."""
    cents = total.cast(pl.Decimal(38, 2)).to_physical()
    divisor = pl.when(number > 0).then(number).cast(pl.Int128)
    rounded = cents.sign() * ((2 * cents.abs() + divisor) // (2 * divisor))
    return (rounded.cast(pl.Decimal(38, 0)) * CENT).cast(MONEY)


def days_since(day: pl.Expr, now: date) -> pl.Expr:
    """Whole days from a day to now, never below 0."""
    return (pl.lit(now) - day).dt.total_days().clip(lower_bound=0)


def hours_between(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Hours as DOUBLE."""
    return (end - start).dt.total_microseconds() / 3_600_000_000.0


def exact(threshold: float) -> Fraction:
    """A threshold as it is written, so that 0.8 is 4/5 and no float decides a branch."""
    return Fraction(str(threshold))


def amount(threshold: float) -> pl.Expr:
    """A threshold on money, as it is written."""
    return pl.lit(Decimal(str(threshold)), dtype=pl.Decimal(38, 2))


def last_moment(day: date) -> datetime:
    """The last microsecond of a day."""
    return datetime.combine(day, time.max)


def window_length(longest: int, day: date, first_order_day: date | None) -> int:
    """Days of a window that ends at `day` and begins no earlier than the first order day."""
    return max(0, min(longest, (day - first_order_day).days + 1)) if first_order_day else 0


def lookback(days: Sequence[date], length: int) -> pl.LazyFrame:
    """Every day with each of the `length` days that end at it.

    Returns:
        `ingestion_dt`, `event_dt` and `age`, the days from `event_dt` to `ingestion_dt`.
    """
    pairs = [(day, day - timedelta(days=age), age) for day in days for age in range(length)]
    schema = {DAY: pl.Date, "event_dt": pl.Date, "age": pl.Int64}
    return pl.LazyFrame(pairs, schema=schema, orient="row")


def each_day(days: Sequence[date], snapshot: Callable[[date], pl.LazyFrame]) -> pl.LazyFrame:
    """The snapshots of all days, one under the other; no rows, but columns, without days."""
    return pl.concat([snapshot(day) for day in days] or [snapshot(date.max).clear()])
