"""Carts with their contents and what became of them: one row per accepted cart of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from medallion.transforms._common import (
    DAY,
    NO_MONEY,
    count,
    hours_between,
    last_moment,
    money,
    of_days,
)
from medallion.transforms._matching import match_carts


def cart_attribution(
    *,
    shopping_carts: pl.LazyFrame,
    orders: pl.LazyFrame,
    cart_items: pl.LazyFrame,
    product_catalog: pl.LazyFrame,
    days: Sequence[date],
    horizon: date,
    attribution_tolerance_hours: float,
) -> pl.LazyFrame:
    """Says of every cart what was in it, which order it became, and how it ended.

    Args:
        shopping_carts: Base Silver carts of all partitions: others compete for the same order.
        orders: Base Silver orders of all partitions; they match by time.
        cart_items: Base Silver cart lines of all partitions.
        product_catalog: Newest snapshot of the products, which says their categories.
        days: The days to make.
        horizon: The last day that is known; a cart is final once its time has run out by its end.
        attribution_tolerance_hours: How long a cart can lead to an order.

    Returns:
        One row per cart of `days`; hours are those from the order's first touch to the order.
    """
    carts = of_days(shopping_carts, days).select(
        DAY,
        "cart_id",
        "customer_id",
        "cart_dt",
        "created_at",
        "updated_at",
        "status",
        "cart_total",
    )
    expires = pl.col("created_at") + timedelta(hours=attribution_tolerance_hours)
    conversions = _conversions(shopping_carts, orders, attribution_tolerance_hours)
    return (
        carts.join(_contents(cart_items, product_catalog), on="cart_id", how="left")
        .join(conversions, on="cart_id", how="left")
        .with_columns(
            count(pl.col("item_count")),
            count(pl.col("category_count")),
            count(pl.col("units")),
            money(pl.col("items_value")),
            cart_value=money(pl.coalesce("cart_total", "items_value")),
            is_final=expires <= last_moment(horizon),
        )
        .with_columns(cart_status=_cart_status())
        .select(
            DAY,
            "cart_id",
            "customer_id",
            "cart_dt",
            "created_at",
            "updated_at",
            "status",
            "item_count",
            "category_count",
            "units",
            "items_value",
            "cart_value",
            "order_id",
            "order_date",
            "order_channel",
            "hours_to_purchase",
            "cart_status",
            abandoned_value=pl.when(pl.col("cart_status") == "abandoned")
            .then("cart_value")
            .otherwise(NO_MONEY),
            is_final="is_final",
        )
        .sort(DAY, "cart_id")
    )


def _contents(cart_items: pl.LazyFrame, product_catalog: pl.LazyFrame) -> pl.LazyFrame:
    """What the lines of each cart amount to."""
    categories = product_catalog.select("product_id", "category")
    lines = cart_items.select("cart_id", "product_id", "quantity", "unit_price")
    with_categories = lines.join(categories, on="product_id", how="left")
    return with_categories.group_by("cart_id").agg(
        item_count=pl.len(),
        category_count=pl.col("category").drop_nulls().n_unique(),
        units=pl.col("quantity").sum(),
        items_value=(pl.col("unit_price") * pl.col("quantity")).sum(),
    )


def _conversions(
    shopping_carts: pl.LazyFrame, orders: pl.LazyFrame, tolerance_hours: float
) -> pl.LazyFrame:
    """The order that each cart became: the earliest of those whose converting cart it is."""
    bought = orders.select("order_id", "customer_id", "order_date", "order_channel")
    return (
        match_carts(bought, shopping_carts, tolerance_hours)
        .filter(pl.col("converting_cart_id").is_not_null())
        .sort("order_date", "order_id")
        .unique("converting_cart_id", keep="first", maintain_order=True)
        .select(
            "order_id",
            "order_date",
            "order_channel",
            cart_id="converting_cart_id",
            hours_to_purchase=hours_between(pl.col("first_touch_at"), pl.col("order_date")),
        )
    )


def _cart_status() -> pl.Expr:
    return (
        pl.when(pl.col("order_id").is_not_null())
        .then(pl.lit("converted"))
        .when(pl.col("status") == "emptied")
        .then(pl.lit("emptied"))
        .when(~pl.col("is_final"))
        .then(pl.lit("open"))
        .otherwise(pl.lit("abandoned"))
    )
