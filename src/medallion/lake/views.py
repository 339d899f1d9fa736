"""SQL views over the lake, for the warehouse and for whoever opens it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import PartitionManifest
from medallion.lake.scans import read_table
from medallion.lake.store import Lake
from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec
from medallion.spec.types import DATE, SILVER, TEXT
from medallion.sql import no_rows

if TYPE_CHECKING:
    import duckdb

# Lake, table, partitions, columns, and the one partition that is meant if it is not all. It gives
# a statement, or nothing if there is nothing to read.
Over = Callable[[Lake, str, Mapping[str, PartitionManifest], Sequence[str], str | None], str]
Show = Callable[[Over], str]


def lake_views(spec: Spec, lake: LakeInventory) -> dict[str, str]:
    """The statement of each view, by its qualified name.

    `base_silver`, `quarantine` and `enriched` show all partitions, `dims` the newest snapshot
    and, as `<name>_history`, all of them. A table without partitions is an empty view.
    """
    return {view: show(_over_folders) for view, show in _views(spec, lake)}


def reading_views(
    spec: Spec,
    lake: LakeInventory,
    is_read: Callable[[str], bool],
    days: Mapping[str, Collection[str] | None] | None = None,
) -> dict[str, str]:
    """The same views, for queries of this process: quicker, and of what stands just now.

    Args:
        spec: The tables.
        lake: The lake.
        is_read: Whether a view is read at all.
        days: The days that are read, of views that are not read whole.
    """
    return {
        view: show(partial(_over_files, among=(days or {}).get(view)))
        for view, show in _views(spec, lake)
        if is_read(view)
    }


def folder_of(view: str) -> str:
    """Layer and table, as the lake names them, of the table that a view shows.

    >>> folder_of("base_silver.orders"), folder_of("enriched.sales_velocity")
    ('base/orders', 'enriched/sales_velocity')
    """
    layer, _, table = view.partition(".")
    return f"{'base' if layer == 'base_silver' else layer}/{table}"


def view_columns(spec: Spec) -> dict[str, dict[str, str]]:
    """The columns of each view and their DuckDB types, whatever the lake holds."""
    return {one.name: {**one.columns, one.day: DATE.duckdb} for one in _shows(spec)}


class _Shown(NamedTuple):
    """What a view shows of the lake."""

    name: str
    folder: str
    columns: Mapping[str, str]
    day: str
    newest_of: str | None = None


def _shows(spec: Spec) -> Iterable[_Shown]:
    for table in spec.events:
        view = f"base_silver.{table}"
        yield _Shown(view, folder_of(view), silver_columns(spec, table), INGESTION_DAY)
    for name, transform in spec.transforms.items():
        columns = {
            c: SILVER[kind].duckdb for c, kind in transform.columns.items() if c != INGESTION_DAY
        }
        yield _Shown(f"enriched.{name}", f"enriched/{name}", columns, INGESTION_DAY)
    for name in spec.dimensions:
        dims = _Shown(f"dims.{name}", f"dims/{name}", silver_columns(spec, name), SNAPSHOT_DAY)
        yield dims._replace(newest_of=name)
        yield dims._replace(name=f"dims.{name}_history")
    for name, declared in spec.tables.items():
        day = INGESTION_DAY if declared.kind == "event" else SNAPSHOT_DAY
        yield _Shown(f"quarantine.{name}", f"quarantine/{name}", _raw(spec, name), day)


def _views(spec: Spec, lake: LakeInventory) -> Iterable[tuple[str, Show]]:
    """Each view, and what gives its statement."""
    newest = lake.newest_snapshots()
    for one in _shows(spec):
        only = str(newest.get(one.newest_of)) if one.newest_of else None
        yield one.name, partial(_shown, lake, one.folder, one.columns, one.day, only)


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


def _shown(
    lake: LakeInventory,
    table: str,
    columns: Mapping[str, str],
    day: str,
    only: str | None,
    over: Over,
) -> str:
    standing = lake.lake.partitions(table)
    current = {v: m for v, m in standing.items() if only is None or v == only}
    if not current:
        return no_rows({**columns, day: DATE.duckdb})
    somewhere = set().union(*(manifest.columns for manifest in current.values()))
    named = [
        name if name in somewhere else f"cast(null as {kind}) as {name}"
        for name, kind in columns.items()
    ]
    return over(lake.lake, table, current, named, only) or no_rows({**columns, day: DATE.duckdb})


def _over_folders(
    lake: Lake,
    table: str,
    current: Mapping[str, PartitionManifest],
    columns: Sequence[str],
    only: str | None,
) -> str:
    """A statement that shows whatever partitions there are when it is asked."""
    first = next(iter(current.values()))
    differ = any(one.columns.keys() != first.columns.keys() for one in current.values())
    return read_table(lake.root / table, first.key, columns, only=only or "*", union_by_name=differ)


def _over_files(
    lake: Lake,
    table: str,
    current: Mapping[str, PartitionManifest],
    columns: Sequence[str],
    only: str | None,  # noqa: ARG001
    *,
    among: Collection[str] | None,
) -> str:
    """A statement that reads partitions that stand now; empty if none of those meant stands."""
    wanted = current if among is None else current.keys() & among
    return lake.rows(table, wanted, columns) if wanted else ""
