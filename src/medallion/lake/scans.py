"""Parquet files as queries: the one place where paths meet a reader.

Readers treat paths as patterns: `*`, `?` and `[` match other names, and every folder named
`key=value`, wherever it is, becomes a column. A lake may lie below any folder, so here a path
is only ever itself, and only the folder that holds a file names its partition.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import LakeError
from medallion.sql import literal
from medallion.storage.layout import is_in_store

if TYPE_CHECKING:
    import duckdb
    import polars as pl

# The path of a row's file. No stored column has this name: see the names that quarantine takes.
FILE_COLUMN = "_path_of_file"
_GLOB = re.compile(r"[*?\[]")
#: Files that no longer change are asked for their footers once, which halves the time of a
#: query over years of small ones.
FOOTERS_ONCE = "parquet_metadata_cache"


def connect_to_settled(**settings: str | bool | int) -> duckdb.DuckDBPyConnection:
    """An empty database to read files with that do not change while it is open.

    Args:
        settings: Settings of DuckDB.
    """
    import duckdb

    connection = duckdb.connect(config=dict(settings))
    # It belongs to the Parquet reader, which DuckDB 2.0 does not know yet while it connects.
    connection.execute(f"set {FOOTERS_ONCE} = true")
    return connection


def literal_path(path: object) -> str:
    """A path for a function of DuckDB that reads files, with no character left special.

    Raises:
        LakeError: DuckDB cannot name the file: its path holds a glob character and a backslash.
    """
    text = str(path)
    return _escaped(text) if _GLOB.search(text) else text


def _escaped(path: str) -> str:
    """A path as a pattern that matches nothing else."""
    if "\\" in path:
        raise LakeError(
            f"{path} cannot be read: where DuckDB takes a path for a pattern, because it holds one "
            "of * ? [ or because all files of a folder are meant, it cannot hold a backslash.",
            hint="rename the folder or the file.",
        )
    return _GLOB.sub(lambda found: f"[{found[0]}]", path)


def path_literal(path: object) -> str:
    """A path as a SQL literal, for a function of DuckDB that reads files."""
    return literal(literal_path(path))


def file_list(paths: Iterable[object]) -> str:
    """Paths as a SQL list, for a function of DuckDB that reads files."""
    return f"[{', '.join(path_literal(path) for path in paths)}]"


def read_files(paths: Iterable[object], *, union_by_name: bool = False) -> str:
    """SQL of a relation that holds the columns of some Parquet files, and no others."""
    return _read(file_list(paths), union_by_name=union_by_name)


def read_days(
    paths: Iterable[object],
    day: str,
    columns: Sequence[str] = ("*",),
    *,
    union_by_name: bool = False,
    kind: str = "date",
) -> str:
    """SQL of a SELECT over Parquet files in folders `<day>=...`, with that day as last column.

    Args:
        paths: The files.
        day: The partition column.
        columns: Expressions over the columns of the files; the default is all of them.
        union_by_name: Whether the files may differ in their columns.
        kind: The type of the partition column.
    """
    return _with_day(file_list(paths), day, columns, union_by_name=union_by_name, kind=kind)


def read_sources(
    copies: Sequence[object],
    files: Sequence[object],
    day: str,
    columns: Sequence[str] = ("*",),
    *,
    union_by_name: bool = False,
) -> str:
    """SQL of a SELECT over files that hold their day themselves, and such as lie in its folder.

    Args:
        copies: Files in which the day is a column.
        files: Files in folders `<day>=...`.
        day: The partition column, which comes last.
        columns: Expressions over the other columns of the files.
        union_by_name: Whether the files may differ in their columns.
    """
    selects = []
    if copies:
        chosen = [f"* exclude ({day})" if column == "*" else column for column in columns]
        relation = _read(file_list(copies), union_by_name=union_by_name)
        selects.append(f"select {', '.join(chosen)}, {day} from {relation}")
    if files:
        selects.append(read_days(files, day, columns, union_by_name=union_by_name))
    return " union all by name ".join(selects)


def read_table(
    folder: Path, day: str, columns: Sequence[str], *, only: str = "*", union_by_name: bool = False
) -> str:
    """SQL of a SELECT over whatever partitions a table has when the query is asked.

    Args:
        folder: The folder of the table.
        day: The partition column.
        columns: Expressions over the columns of the files.
        only: The one partition to read, as its value; the default is all.
        union_by_name: Whether the files may differ in their columns.

    Raises:
        LakeError: DuckDB cannot name the folder in a pattern: its path holds a backslash.
    """
    pattern = f"{_escaped(str(folder))}/{day}={only}/part-*.parquet"
    return _with_day(literal(pattern), day, columns, union_by_name=union_by_name)


def scan_days(paths: Sequence[str], schema: pl.Schema, day: str | None) -> pl.LazyFrame:
    """Scans Parquet files in folders `<day>=...`, with that day as last column.

    Args:
        paths: The files; all of them are below one root.
        schema: The columns to read; absent ones are null.
        day: The partition column; None for a table without days.
    """
    import polars as pl

    if not paths:
        return pl.LazyFrame(schema={**schema, **({day: pl.Date()} if day else {})})
    scan = partial(
        pl.scan_parquet,
        list(paths),
        storage_options=_access(paths[0]),
        glob=False,
        schema=schema,
        missing_columns="insert",
        extra_columns="ignore",
    )
    if day is None:
        return scan(hive_partitioning=False)
    if "=" not in paths[0].rsplit("/", 2)[0]:
        # Polars finds the day itself, and skips the files of days that nobody asks for.
        return scan(hive_partitioning=True, hive_schema={day: pl.Date()})
    values = {path: _value(path) for path in paths}
    scanned = scan(hive_partitioning=False, include_file_paths=FILE_COLUMN)
    found = pl.col(FILE_COLUMN).replace_strict(list(values), list(values.values()))
    return scanned.with_columns(found.str.to_date("%Y-%m-%d").alias(day)).drop(FILE_COLUMN)


def _access(path: str) -> dict[str, str] | None:
    """How Polars reaches an object store: a service account has to be named to it."""
    account = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if account is None or not is_in_store(path):
        return None
    content = json.loads(Path(account).read_text(encoding="utf-8"))
    is_account = content.get("type") == "service_account"
    return {"google_service_account": account} if is_account else None


def _value(path: str) -> str:
    """The partition value that the folder of a file names."""
    return path.rsplit("/", 2)[1].partition("=")[2]


def _with_day(
    files: str, day: str, columns: Sequence[str], *, union_by_name: bool, kind: str = "date"
) -> str:
    chosen = [f"* exclude ({FILE_COLUMN})" if column == "*" else column for column in columns]
    value = f"regexp_extract({FILE_COLUMN}, '/{day}=([^/]*)/[^/]*$', 1)"
    relation = _read(files, union_by_name=union_by_name, more=f", filename = '{FILE_COLUMN}'")
    return f"select {', '.join(chosen)}, cast({value} as {kind}) as {day} from {relation}"


def _read(files: str, *, union_by_name: bool, more: str = "") -> str:
    by_name = str(union_by_name).lower()
    return f"read_parquet({files}, hive_partitioning = false, union_by_name = {by_name}{more})"
