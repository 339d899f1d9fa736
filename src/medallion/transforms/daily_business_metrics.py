"""The shop's day in one line: one row per calendar day, zeros included."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from medallion.transforms._common import DAY, count, known, money, money_mean, of_days, ratio

_COUNTS = [
    "orders",
    "customers",
    "new_customers",
    "units",
    "returns",
    "carts",
    "converted_carts",
    "abandoned_carts",
    "open_carts",
    "emptied_carts",
    "recovered_orders",
]
_SUMS = [
    "gross_revenue",
    "discounts",
    "net_revenue",
    "refunds",
    "abandoned_value",
    "shipping_margin",
    "payment_fees",
]


def daily_business_metrics(
    *,
    orders: pl.LazyFrame,
    order_items: pl.LazyFrame,
    returns: pl.LazyFrame,
    shopping_carts: pl.LazyFrame,
    attributed_purchases: pl.LazyFrame,
    cart_attribution: pl.LazyFrame,
    days: Sequence[date],
) -> pl.LazyFrame:
    """Sums orders, returns and carts per day.

    Args:
        orders: Base Silver orders of all partitions: a customer is new on the first of them.
        order_items: Base Silver order lines.
        returns: Base Silver returns.
        shopping_carts: Base Silver carts.
        attributed_purchases: The enriched table of that name.
        cart_attribution: The enriched table of that name.
        days: The days to make.

    Returns:
        One row for each of `days`.
    """
    calendar = pl.LazyFrame({DAY: list(days)}, schema={DAY: pl.Date})
    parts = [
        _sales(of_days(orders, days)),
        _first_orders(orders),
        _by_day(of_days(order_items, days), units=pl.col("quantity").sum()),
        _by_day(of_days(returns, days), returns=pl.len(), refunds=pl.col("refunded_amount").sum()),
        _by_day(of_days(shopping_carts, days), carts=pl.len()),
        _cart_ends(of_days(cart_attribution, days)),
        _by_day(of_days(attributed_purchases, days), recovered_orders=pl.col("is_recovered").sum()),
    ]
    for part in parts:
        calendar = calendar.join(part, on=DAY, how="left")
    return (
        calendar.with_columns(count(pl.col(_COUNTS)), money(pl.col(_SUMS)))
        .select(
            DAY,
            "orders",
            "customers",
            "new_customers",
            "units",
            "gross_revenue",
            "discounts",
            "net_revenue",
            money_mean(pl.col("net_revenue"), pl.col("orders")).alias("avg_order_value"),
            "returns",
            "refunds",
            money(pl.col("net_revenue") - pl.col("refunds")).alias("net_after_refunds"),
            "carts",
            "converted_carts",
            "abandoned_carts",
            "open_carts",
            "emptied_carts",
            "abandoned_value",
            ratio(pl.col("converted_carts"), pl.col("carts")).alias("conversion_rate"),
            ratio(pl.col("returns"), pl.col("orders")).alias("returns_per_order"),
            "shipping_margin",
            "payment_fees",
            "recovered_orders",
        )
        .sort(DAY)
    )


def _by_day(rows: pl.LazyFrame, **sums: pl.Expr) -> pl.LazyFrame:
    return rows.group_by(DAY).agg(**sums)


def _sales(orders: pl.LazyFrame) -> pl.LazyFrame:
    margin = known("shipping_cost") - known("actual_shipping_cost")
    return _by_day(
        orders,
        orders=pl.len(),
        customers=pl.col("customer_id").n_unique(),
        gross_revenue=pl.col("gross_total").sum(),
        discounts=pl.col("total_discount_amount").sum(),
        net_revenue=pl.col("net_total").sum(),
        shipping_margin=margin.sum(),
        payment_fees=pl.col("payment_processing_fee").sum(),
    )


def _first_orders(orders: pl.LazyFrame) -> pl.LazyFrame:
    firsts = orders.group_by("customer_id").agg(pl.col(DAY).min())
    return _by_day(firsts, new_customers=pl.len())


def _cart_ends(carts: pl.LazyFrame) -> pl.LazyFrame:
    ended = pl.col("cart_status")
    return _by_day(
        carts,
        converted_carts=(ended == "converted").sum(),
        abandoned_carts=(ended == "abandoned").sum(),
        open_carts=(ended == "open").sum(),
        emptied_carts=(ended == "emptied").sum(),
        abandoned_value=pl.col("abandoned_value").sum(),
    )
