"""Which carts match which orders, and which of them are an order's touches.

A cart at time c and an order at time o of the same customer match when c <= o <= c + T; the
matching carts with c < o are the order's touches. Carts in the order of (customer, time, id)
make every order's matches a contiguous stretch of one customer's carts, so its ends, found by
as-of joins, say everything: time and memory are linear however many carts a customer has.
"""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def match_carts(
    orders: pl.LazyFrame, shopping_carts: pl.LazyFrame, tolerance_hours: float
) -> pl.LazyFrame:
    """Finds the carts that lead to each order.

    Args:
        orders: `order_id`, `customer_id`, `order_date` and whatever else shall be kept.
        shopping_carts: The carts that may match, over all partitions.
        tolerance_hours: T in hours.

    Returns:
        The orders with `converting_cart_id`, `cart_touches`, `abandoned_touches`, `first_touch_*`
        and `last_touch_*` (`cart_id` and `at`). Counts are 0 and the rest null without a match.
    """
    carts = _ranked(shopping_carts.join(orders, on="customer_id", how="semi"))
    earliest = pl.col("order_date") - timedelta(hours=tolerance_hours)
    bounded = orders.with_columns(_earliest=earliest).sort("customer_id", "order_date")
    within = pl.col("_converting_at") >= pl.col("_earliest")
    touched = (pl.col("_first_at") < pl.col("order_date")).fill_null(value=False)
    joined = _as_of(bounded, carts, "converting", "order_date")
    joined = _as_of(joined, carts, "last", "order_date", exact=False)
    joined = _as_of(joined, carts, "first", "_earliest", forward=True)
    touches = pl.col("_last_rank") - pl.col("_first_rank") + 1
    abandoned = pl.col("_last_abandoned") - pl.col("_first_abandoned")
    return joined.with_columns(
        converting_cart_id=pl.when(within).then("_converting_cart"),
        cart_touches=pl.when(touched).then(touches).otherwise(0),
        abandoned_touches=pl.when(touched)
        .then(abandoned + pl.col("_first_is_abandoned"))
        .otherwise(0),
        first_touch_cart_id=pl.when(touched).then("_first_cart"),
        first_touch_at=pl.when(touched).then("_first_at"),
        last_touch_cart_id=pl.when(touched).then("_last_cart"),
        last_touch_at=pl.when(touched).then("_last_at"),
    ).select(pl.exclude("^_.*$"))


def _ranked(carts: pl.LazyFrame) -> pl.LazyFrame:
    """Carts by customer, time and id, with their rank and the abandoned carts so far."""
    is_abandoned = (pl.col("status") == "abandoned").fill_null(value=False).cast(pl.Int64)
    return (
        carts.select("customer_id", "created_at", "cart_id", is_abandoned=is_abandoned)
        .sort("customer_id", "created_at", "cart_id")
        .with_columns(
            rank=pl.int_range(pl.len(), dtype=pl.Int64), abandoned=pl.col("is_abandoned").cum_sum()
        )
    )


def _as_of(
    orders: pl.LazyFrame,
    carts: pl.LazyFrame,
    name: str,
    on: str,
    *,
    forward: bool = False,
    exact: bool = True,
) -> pl.LazyFrame:
    """Adds the nearest cart at or before (or after) a time, as columns `_<name>_*`."""
    right = carts.select(
        "customer_id",
        "created_at",
        pl.col("created_at").alias(f"_{name}_at"),
        pl.col("cart_id").alias(f"_{name}_cart"),
        pl.col("rank").alias(f"_{name}_rank"),
        pl.col("abandoned").alias(f"_{name}_abandoned"),
        pl.col("is_abandoned").alias(f"_{name}_is_abandoned"),
    )
    return orders.join_asof(
        right,
        left_on=on,
        right_on="created_at",
        by="customer_id",
        strategy="forward" if forward else "backward",
        allow_exact_matches=exact,
        coalesce=False,
        # sorted within each customer, which polars cannot see
        check_sortedness=False,
    ).drop("created_at")
