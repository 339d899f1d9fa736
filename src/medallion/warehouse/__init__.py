"""The warehouse: where people query the lake's tables and the marts of Gold."""

from medallion.warehouse.opening import open_warehouse
from medallion.warehouse.protocol import MartsBuild, Publication, Warehouse

__all__ = ["MartsBuild", "Publication", "Warehouse", "open_warehouse"]
