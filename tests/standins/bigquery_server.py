"""BigQuery on this machine: `python bigquery_server.py PORT FOLDER`, by Python 3.13 or later.

local-bigquery answers the genuine client, but keeps its tables in DuckLake and knows geography,
two extensions of DuckDB that would have to be downloaded. Here its projects are databases in
memory instead, and geography is left out.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import duckdb
import uvicorn
from local_bigquery.engine import database
from local_bigquery.settings import settings
from local_bigquery.sql import native
from local_bigquery.sql.dialect import FUNCTIONS, MACRO


@functools.cache
def connect() -> duckdb.DuckDBPyConnection:
    """What `local_bigquery.engine.database._connect` does, without extensions."""
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


def attach(connection: duckdb.DuckDBPyConnection, project: str) -> None:
    """A project that a request names."""
    connection.execute(f"attach if not exists ':memory:' as {database.quote(project)}")
    database._attached.add(project)


def main(port: str, folder: str) -> None:
    """Serves until it is stopped."""
    settings.data_dir = Path(folder)
    database._connect, database._attach = connect, attach
    uvicorn.run("local_bigquery:app", host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main(*sys.argv[1:])
