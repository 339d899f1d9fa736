"""The warehouse: where people query the lake's tables and the marts of Gold."""

from medallion.warehouse.marts import MartsPlan, MartsState, plan_marts
from medallion.warehouse.opening import open_warehouse
from medallion.warehouse.protocol import MartsBuild, Publication, Warehouse

__all__ = [
    "MartsBuild",
    "MartsPlan",
    "MartsState",
    "Publication",
    "Warehouse",
    "open_warehouse",
    "plan_marts",
]
