"""Money by place: one row per region and state with orders or refunds of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from medallion.transforms._common import DAY, count, money, of_days

_STATE_BEFORE_ZIP = r"[, ]([A-Za-z]{2}) \d{5}$"
_UNKNOWN = "unknown"

# The regions of the US Census Bureau, and what it leaves out.
_STATES = {
    "northeast": "CT ME MA NH RI VT NJ NY PA",
    "midwest": "IL IN MI OH WI IA KS MN MO NE ND SD",
    "south": "DE DC FL GA MD NC SC VA WV AL KY MS TN AR LA OK TX",
    "west": "AZ CO ID MT NV NM UT WY AK CA HI OR WA",
    "territory": "AS GU MP PR VI FM MH PW",
    "military": "AA AE AP",
}
_REGIONS = {state: region for region, states in _STATES.items() for state in states.split()}


def regional_financials(
    *, orders: pl.LazyFrame, returns: pl.LazyFrame, days: Sequence[date]
) -> pl.LazyFrame:
    """Sums revenue, shipping, fees and refunds by the state that orders were sent to.

    Args:
        orders: Base Silver orders of all partitions: refunds go to the state of their order.
        returns: Base Silver returns.
        days: The days to make.

    Returns:
        For each of `days` one row per state that had orders or refunds.
    """
    grain = [DAY, "region", "state"]
    sold = _sales(of_days(orders, days))
    refunded = _refunds(of_days(returns, days), orders)
    sums = ["gross_revenue", "discounts", "net_revenue", "shipping_revenue"]
    sums += ["shipping_expense", "payment_fees", "refunds"]
    spent = pl.col("shipping_expense") + pl.col("payment_fees") + pl.col("refunds")
    earned = pl.col("net_revenue") + pl.col("shipping_revenue")
    return (
        sold.join(refunded, on=[DAY, "state"], how="full", coalesce=True)
        .with_columns(count(pl.col("orders", "customers")), money(pl.col(sums)))
        .select(
            DAY,
            pl.col("state").replace_strict(_REGIONS, default=_UNKNOWN).alias("region"),
            "state",
            "orders",
            "customers",
            *sums,
            money(earned - spent).alias("contribution"),
        )
        .sort(grain)
    )


def _state() -> pl.Expr:
    state = pl.col("shipping_address").str.extract(_STATE_BEFORE_ZIP).str.to_uppercase()
    return state.fill_null(_UNKNOWN).alias("state")


def _sales(orders: pl.LazyFrame) -> pl.LazyFrame:
    return (
        orders.with_columns(_state())
        .group_by(DAY, "state")
        .agg(
            orders=pl.len(),
            customers=pl.col("customer_id").n_unique(),
            gross_revenue=pl.col("gross_total").sum(),
            discounts=pl.col("total_discount_amount").sum(),
            net_revenue=pl.col("net_total").sum(),
            shipping_revenue=pl.col("shipping_cost").sum(),
            shipping_expense=pl.col("actual_shipping_cost").sum(),
            payment_fees=pl.col("payment_processing_fee").sum(),
        )
    )


def _refunds(returns: pl.LazyFrame, orders: pl.LazyFrame) -> pl.LazyFrame:
    return (
        returns.select(DAY, "order_id", "refunded_amount")
        .join(orders.select("order_id", "shipping_address"), on="order_id", how="left")
        .with_columns(_state())
        .group_by(DAY, "state")
        .agg(refunds=pl.col("refunded_amount").sum())
    )
