"""From a connection as the catalog writes it to a warehouse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion.errors import UsageError
from medallion.warehouse.bigquery.warehouse import BigQueryWarehouse
from medallion.warehouse.duckdb import DuckDBWarehouse
from medallion.warehouse.protocol import Warehouse

_BACKENDS = ("bigquery", "duckdb")


def open_warehouse(connection: Mapping[str, Any]) -> Warehouse:
    """A handle on a warehouse; nothing is opened yet.

    Args:
        connection: `backend`, and what reaches it, as `warehouse` of `globals.yml` says it.

    Raises:
        ConfigurationError: It says something that cannot be.
        UsageError: There is no such backend.
    """
    match connection.get("backend"):
        case "duckdb":
            return DuckDBWarehouse(str(connection["database"]))
        case "bigquery":
            return BigQueryWarehouse(connection)
    raise UsageError(
        f"The configuration names the warehouse's backend {connection.get('backend')!r}, and"
        " there is none such.",
        hint=f"it is one of {', '.join(_BACKENDS)}: see warehouse in conf/base/globals.yml.",
    )
