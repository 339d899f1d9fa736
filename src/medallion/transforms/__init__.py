"""The ten tables of Enriched Silver, as pure functions from LazyFrames to a LazyFrame.

Every transform takes the tables it reads over all partitions up to the horizon, the `days` to
make, what it must know of the run, and its parameters, all by keyword. It answers with the rows
of exactly those days: `ingestion_dt` first, sorted by it and by the grain. Nothing is computed
before the result is collected, and the result depends neither on the order of the input rows
nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import polars as pl

from medallion.transforms.attributed_purchases import attributed_purchases
from medallion.transforms.cart_attribution import cart_attribution
from medallion.transforms.customer_lifetime_value import customer_lifetime_value
from medallion.transforms.customer_retention_signals import customer_retention_signals
from medallion.transforms.daily_business_metrics import daily_business_metrics
from medallion.transforms.inventory_risk import inventory_risk
from medallion.transforms.product_performance import product_performance
from medallion.transforms.regional_financials import regional_financials
from medallion.transforms.sales_velocity import sales_velocity
from medallion.transforms.shipping_economics import shipping_economics

_ALL: tuple[Callable[..., pl.LazyFrame], ...] = (
    attributed_purchases,
    cart_attribution,
    customer_lifetime_value,
    customer_retention_signals,
    inventory_risk,
    product_performance,
    sales_velocity,
    regional_financials,
    daily_business_metrics,
    shipping_economics,
)

TRANSFORMS: Mapping[str, Callable[..., pl.LazyFrame]] = MappingProxyType(
    {transform.__name__: transform for transform in _ALL}
)

__all__ = [
    "TRANSFORMS",
    "attributed_purchases",
    "cart_attribution",
    "customer_lifetime_value",
    "customer_retention_signals",
    "daily_business_metrics",
    "inventory_risk",
    "product_performance",
    "regional_financials",
    "sales_velocity",
    "shipping_economics",
]
