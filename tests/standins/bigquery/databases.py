"""Projects are plain databases in memory, without extensions of DuckDB.

local-bigquery keeps its tables in DuckLake and knows geography, two extensions that would have to
be downloaded.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import duckdb
from local_bigquery.catalog import metadata
from local_bigquery.engine import database
from local_bigquery.sql import native
from local_bigquery.sql.dialect import FUNCTIONS, MACRO

from tests.standins.bigquery.mending import Function, instead_of

Name = tuple[str, str, str]
_saving = threading.Lock()


@functools.cache
def _opened() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set TimeZone = 'UTC'")
    for name in ("emulator", "bq"):
        connection.execute(f"attach ':memory:' as {name}")
    connection.execute(database.EMULATOR_SCHEMA)
    native.register(connection)
    for path in FUNCTIONS:
        if path.stem != "geography":
            connection.execute(MACRO.sub(r"CREATE MACRO bq.main.\1", path.read_text()))
    return connection


@instead_of(database, "_connect")
def connect(_: Function) -> duckdb.DuckDBPyConnection:
    return _opened()


@instead_of(database, "_attach")
def attach(_: Function, connection: duckdb.DuckDBPyConnection, project: str) -> None:
    connection.execute(f"attach if not exists ':memory:' as {database.quote(project)}")
    database._attached.add(project)


@instead_of(database, "projects")
def projects(_: Function) -> list[str]:
    return sorted(database._attached)


@instead_of(metadata, "save")
def save(original: Function, *arguments: Any) -> Any:
    """One at a time: DuckDB refuses two changes of one row at once."""
    with _saving:
        return original(*arguments)


def is_there(table: Name) -> bool:
    """Whether a table has columns: one that was created without has none."""
    return bool(database.objects(*table))
