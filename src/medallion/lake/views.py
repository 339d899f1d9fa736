"""SQL views over the lake, for the warehouse and for whoever opens it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from medallion.lake.inventory import LakeInventory
from medallion.lake.scans import read_table
from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec
from medallion.spec.types import DATE, SILVER, TEXT
from medallion.sql import no_rows

if TYPE_CHECKING:
    import duckdb


def lake_views(spec: Spec, lake: LakeInventory) -> dict[str, str]:
    """The statement of each view, by its qualified name.

    `base_silver`, `quarantine` and `enriched` show all partitions, `dims` the newest snapshot
    and, as `<name>_history`, all of them. A table without partitions is an empty view.
    """
    return dict(_views(spec, lake))


def folder_of(view: str) -> str:
    """Layer and table, as the lake names them, of the table that a view shows.

    >>> folder_of("base_silver.orders"), folder_of("enriched.sales_velocity")
    ('base/orders', 'enriched/sales_velocity')
    """
    layer, _, table = view.partition(".")
    return f"{'base' if layer == 'base_silver' else layer}/{table}"


def _views(spec: Spec, lake: LakeInventory) -> Iterable[tuple[str, str]]:
    for table in spec.events:
        view, columns = f"base_silver.{table}", silver_columns(spec, table)
        yield view, _view(lake, folder_of(view), columns, INGESTION_DAY)
    for name, transform in spec.transforms.items():
        columns = {
            c: SILVER[kind].duckdb for c, kind in transform.columns.items() if c != INGESTION_DAY
        }
        yield f"enriched.{name}", _view(lake, f"enriched/{name}", columns, INGESTION_DAY)
    for name in spec.dimensions:
        columns = silver_columns(spec, name)
        newest = str(lake.newest_snapshots().get(name))
        yield f"dims.{name}", _view(lake, f"dims/{name}", columns, SNAPSHOT_DAY, newest)
        yield f"dims.{name}_history", _view(lake, f"dims/{name}", columns, SNAPSHOT_DAY)
    for name, declared in spec.tables.items():
        day = INGESTION_DAY if declared.kind == "event" else SNAPSHOT_DAY
        yield f"quarantine.{name}", _view(lake, f"quarantine/{name}", _raw(spec, name), day)


def create_views(connection: duckdb.DuckDBPyConnection, views: Mapping[str, str]) -> None:
    """Makes views in a database, and the schemas that hold them.

    Args:
        connection: The database.
        views: Statement by qualified name.
    """
    for schema in sorted({name.split(".")[0] for name in views}):
        connection.execute(f"create schema if not exists {schema}")
    for name, statement in views.items():
        connection.execute(f"create or replace view {name} as {statement}")


def silver_columns(spec: Spec, table: str) -> dict[str, str]:
    """The stored columns of a Base Silver table or dimension, name to DuckDB type."""
    contract = spec.contract(table)
    columns = {name: SILVER[column.silver].duckdb for name, column in contract.items()}
    business = spec.tables[table].business_date
    return {**columns, business.column: DATE.duckdb} if business else columns


def _raw(spec: Spec, table: str) -> dict[str, str]:
    return dict.fromkeys([*spec.contract(table), "invalid_reason"], TEXT.duckdb)


def _view(
    lake: LakeInventory, table: str, columns: Mapping[str, str], day: str, only: str = "*"
) -> str:
    current = lake.lake.partitions(table)
    if only != "*":
        current = {value: manifest for value, manifest in current.items() if value == only}
    if not current:
        return no_rows({**columns, day: DATE.duckdb})
    held = [set(manifest.columns) for manifest in current.values()]
    somewhere = set().union(*held)
    named = [
        name if name in somewhere else f"cast(null as {kind}) as {name}"
        for name, kind in columns.items()
    ]
    differ = any(columns != held[0] for columns in held)
    folder = lake.lake.root / table
    return read_table(folder, day, named, only=only, union_by_name=differ)
