"""What became of every product: one row per product with a sale, a return or a cart line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from medallion.transforms._common import DAY, count, known, money, of_days, ratio


def product_performance(
    *,
    product_catalog: pl.LazyFrame,
    order_items: pl.LazyFrame,
    return_items: pl.LazyFrame,
    cart_items: pl.LazyFrame,
    days: Sequence[date],
) -> pl.LazyFrame:
    """Sums sales, returns and cart lines per product.

    Args:
        product_catalog: The newest snapshot of the dimension.
        order_items: Base Silver order lines.
        return_items: Base Silver return lines.
        cart_items: Base Silver cart lines.
        days: The days to make.

    Returns:
        For each of `days` one row per product that was sold, returned or put into a cart.
    """
    grain = [DAY, "product_id"]
    sold = _sales(of_days(order_items, days))
    returned = _returns(of_days(return_items, days))
    carted = _carts(of_days(cart_items, days))
    net_sales = pl.col("gross_sales") - pl.col("discounts")
    return (
        sold.join(returned, on=grain, how="full", coalesce=True)
        .join(carted, on=grain, how="full", coalesce=True)
        .join(product_catalog.select("product_id", "category"), on="product_id", how="left")
        .with_columns(
            count(pl.col("orders", "units_sold", "returns", "units_returned")),
            count(pl.col("carts", "units_in_carts")),
            money(pl.col("gross_sales", "discounts", "cogs", "refunds")),
        )
        .with_columns(net_sales=money(net_sales))
        .with_columns(gross_profit=money(pl.col("net_sales") - pl.col("cogs")))
        .select(
            *grain,
            "category",
            "orders",
            "units_sold",
            "gross_sales",
            "discounts",
            "net_sales",
            "cogs",
            "gross_profit",
            ratio(pl.col("gross_profit"), pl.col("net_sales")).alias("margin_pct"),
            "returns",
            "units_returned",
            "refunds",
            "carts",
            "units_in_carts",
            ratio(pl.col("units_sold"), pl.col("units_in_carts")).alias("cart_to_order_rate"),
        )
        .sort(grain)
    )


def _sales(order_items: pl.LazyFrame) -> pl.LazyFrame:
    quantity = pl.col("quantity")
    return order_items.group_by(DAY, "product_id").agg(
        # an order has one line for a product: that is the table's key
        orders=pl.len(),
        units_sold=quantity.sum(),
        gross_sales=(pl.col("unit_price") * quantity).sum(),
        discounts=pl.col("discount_amount").sum(),
        cogs=(known("cost_price") * quantity).sum(),
    )


def _returns(return_items: pl.LazyFrame) -> pl.LazyFrame:
    return return_items.group_by(DAY, "product_id").agg(
        returns=pl.col("return_id").n_unique(),
        units_returned=pl.col("quantity_returned").sum(),
        refunds=pl.col("refunded_amount").sum(),
    )


def _carts(cart_items: pl.LazyFrame) -> pl.LazyFrame:
    return cart_items.group_by(DAY, "product_id").agg(
        carts=pl.col("cart_id").n_unique(),
        units_in_carts=pl.col("quantity").sum(),
    )
