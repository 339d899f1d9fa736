"""From a connection as the catalog writes it to a warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion.errors import UsageError
from medallion.warehouse.duckdb import DuckDBWarehouse
from medallion.warehouse.protocol import Warehouse


def open_warehouse(connection: Mapping[str, Any]) -> Warehouse:
    """A handle on a warehouse; nothing is opened yet.

    Args:
        connection: `backend`, and what reaches it, as ibis takes it.

    Raises:
        UsageError: There is no such backend.
    """
    backend = connection.get("backend")
    if backend != "duckdb":
        raise UsageError(
            f"The catalog names the warehouse's backend {backend!r}, and there is none such.",
            hint="the backend is duckdb: see _warehouse in conf/base/catalog/warehouse.yml.",
        )
    return DuckDBWarehouse(str(connection["database"]))
