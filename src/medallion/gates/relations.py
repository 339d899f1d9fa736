"""The DuckDB connection of a gate, and the relations in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.gates.batch import Row
from medallion.gates.queries import columns_named
from medallion.gates.suite import Suite
from medallion.lake.inventory import LakeInventory
from medallion.lake.scans import connect_to_settled, literal_path
from medallion.lake.views import create_views, folder_of, reading_views
from medallion.spec import Spec

if TYPE_CHECKING:
    import duckdb


NAMELESS = "a column without a name"
# From how many partitions on, and up to how many rows in each and in all.
_MANY, _FEW_ROWS, _MOST_ROWS = 100, 50_000, 20_000_000


@contextmanager
def gate_connection(
    memory_limit: str, threads: int, spill: Path
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty in-memory database; beyond its memory limit, work spills to disk.

    Args:
        memory_limit: As DuckDB writes it, such as `4GB`.
        threads: Worker threads; 0 is one per core.
        spill: Where to.
    """
    settings: dict[str, str | bool | int] = {
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
    }
    if threads:
        settings["threads"] = threads
    with connect_to_settled(**settings) as connection:
        yield connection


def view_lake(
    connection: duckdb.DuckDBPyConnection,
    spec: Spec,
    lake: LakeInventory,
    suites: Iterable[Suite],
) -> None:
    """Lets the queries of suites name the tables of the lake, as `base_silver.orders`."""
    queries = [query for suite in suites for query in suite.queries]
    asked = " ".join(queries).lower()
    views = reading_views(spec, lake, lambda name: name in asked)
    create_views(connection, views)
    many = [name for name in views if _is_small_files(lake, name)]
    named = columns_named(connection, queries) if many else None
    for name in many:
        chosen = _chosen(connection, name, named)
        connection.execute(f"drop view {name}")
        connection.execute(f"create table {name} as select {chosen} from ({views[name]})")


def _is_small_files(lake: LakeInventory, name: str) -> bool:
    """Whether opening the files of a table takes longer than reading it, which fits in memory.

    The queries of a gate read the same tables again and again; each would open all the files.
    """
    manifests = lake.lake.partitions(folder_of(name)).values()
    rows = sum(manifest.rows for manifest in manifests)
    return len(manifests) >= _MANY and rows <= min(_FEW_ROWS * len(manifests), _MOST_ROWS)


def _chosen(connection: duckdb.DuckDBPyConnection, view: str, named: Collection[str] | None) -> str:
    """The columns of a view that are named; at least one, to count rows by."""
    if named is None:
        return "*"
    columns = [row[0] for row in connection.execute(f"describe {view}").fetchall()]
    return ", ".join(column for column in columns if column.lower() in named) or str(columns[0])


def fill(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    columns: Mapping[str, str],
    rows: Sequence[Row],
) -> None:
    """Makes a small table of what was measured."""
    fields = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"create or replace table {name} ({fields})")
    complete = [{column: row[column] for column in columns} for row in rows]
    connection.execute(
        f"insert into {name} select unnest(?::struct({fields})[], recursive := true)", [complete]
    )


def stored_columns(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path]
) -> list[tuple[str, str]]:
    """The columns that some Parquet files hold, and their types."""
    return connection.execute(
        "select distinct name, duckdb_type from parquet_schema(?)"
        " where coalesce(num_children, 0) = 0",
        [[literal_path(file) for file in files]],
    ).fetchall()


def differences(
    found: Iterable[tuple[str, str]],
    declared: Mapping[str, str],
    optional: Iterable[str] = (),
) -> str | None:
    """How columns and types differ from the declared ones, by name; null if not at all.

    Args:
        found: Names and types; a name with two types has changed in between.
        declared: What they should be.
        optional: Declared columns that may be absent.
    """
    kinds: dict[str, set[str]] = {}
    for name, kind in found:
        kinds.setdefault(name, set()).add(_same(kind))
    parts = [
        *(f"{n} is missing" for n in declared if n not in kinds and n not in set(optional)),
        *(
            f"{name} is {' and '.join(sorted(kinds[name]))}, not {_same(kind)}"
            for name, kind in declared.items()
            if name in kinds and kinds[name] != {_same(kind)}
        ),
        *(f"{name or NAMELESS} is unknown" for name in sorted(kinds.keys() - declared.keys())),
    ]
    return named(parts)


def named(names: Iterable[str]) -> str | None:
    """Names in a line, or null where there are none."""
    return ", ".join(names) or None


def _same(kind: str) -> str:
    return kind.lower().replace(" ", "")
