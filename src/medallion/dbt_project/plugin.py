"""The dbt-duckdb plugin: applies the run's context to the connection, writes partitions."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from medallion.dbt_project.context import Context
from medallion.dbt_project.results import StagedPartition, StagedTable
from medallion.dbt_project.standalone import standalone_context
from medallion.spec import INGESTION_DAY

CURRENT = "current"



@dataclass
class _Shared:
    """dbt makes the plugin itself, so what both sides need stands here."""

    context: Context | None = None
    connection: duckdb.DuckDBPyConnection | None = None


_shared = _Shared()


def set_context(context: Context) -> None:
    """Names the context that dbt's next cursor sees."""
    _shared.context = context


def ask(query: str) -> list[tuple[Any, ...]]:
    """Asks the database that dbt has worked in."""
    if _shared.connection is None:
        raise RuntimeError("dbt has not connected yet")
    with _shared.connection.cursor() as cursor:
        return cursor.execute(query).fetchall()


def release() -> None:
    """Forgets the context and lets go of the warehouse's file."""
    _shared.context = None
    if _shared.connection:
        _shared.connection.execute("detach database if exists warehouse")


class Plugin(BasePlugin):
    """Lets dbt read the context's views and write partitions into its staging folder."""

    def initialize(self, plugin_config: dict[str, Any]) -> None:  # noqa: ARG002
        """Nothing has been applied yet."""
        self._applied: Context | None = None
        self._lock = RLock()

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Keeps a connection of its own: dbt closes its one as it likes."""
        _shared.connection = conn.cursor()
        self._applied = None

    def configure_cursor(self, cursor: Any) -> None:
        """Applies the context if it is another one than before."""
        with self._lock:
            context = _shared.context or self._applied or standalone_context()
            if context is not self._applied:
                _apply(context, cursor)
                self._applied = context

    def store(self, target_config: Any) -> None:
        """Writes the rows of a model as partitions, a few at a time."""
        context, connection = self._applied, _shared.connection
        if context is None or connection is None:
            raise RuntimeError("dbt has not connected yet")
        relation = target_config.relation
        model = target_config.config.model
        staged = PartitionWriter(connection, context, model.compiled_code).write(
            model.config.meta["table"], tuple(model.config.meta["order_by"])
        )
        context.staged[staged.table] = staged
        layer, name = staged.table.split("/")
        shown = [f"{relation.schema}.{relation.identifier}"]
        shown += [f"keys.{name}"] if layer == "keys" else []
        with connection.cursor() as cursor:
            for view in shown:
                reading = _reading(staged, model.compiled_code)
                cursor.execute(f"create or replace view {view} as {reading}")


class PartitionWriter:
    """Copies the rows of a query into one Parquet file per partition.

    A Bronze file is one row group, so one day is read by one thread: days are written in
    parallel. Rows are ordered, so the bytes do not depend on it.

    Args:
        connection: The database that has what the query reads.
        context: Where to write.
        query: The rows, with their partition column last.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, context: Context, query: str
    ) -> None:
        self._connection = connection
        self._context = context
        self._query = query

    def write(self, table: str, order_by: Sequence[str]) -> StagedTable:
        """Writes all partitions of a table such as `base/orders`."""
        columns = self._columns()
        key = list(columns)[-1]
        stored = {name: kind for name, kind in columns.items() if name != key}
        order = ", ".join(order_by) or "all"
        select = f"select {', '.join(_quoted(c) for c in stored)} from ({self._query})"
        jobs = {
            value: f"{select} where {key} = '{value}' order by {order}"
            for value in self._values(table, key)
        }
        with ThreadPoolExecutor(self._context.settings.workers) as pool:
            written = pool.map(
                lambda job: self._copy(self._context.staging / table / f"{key}={job[0]}", *job),
                jobs.items(),
            )
            partitions = tuple(partition for partition in written if partition)
        return StagedTable(table, stored, partitions)

    def _columns(self) -> dict[str, str]:
        described = self._connection.cursor().execute(f"describe {self._query}").fetchall()
        return {name: kind for name, kind, *_ in described}

    def _values(self, table: str, key: str) -> list[str]:
        layer, name = table.split("/")
        if layer == "keys":
            return [CURRENT]
        if key != INGESTION_DAY:
            return [str(self._context.snapshot)]
        if layer == "quarantine":
            found = self._connection.cursor().execute(
                f"select distinct {key} from base_silver.int_{name}_scored"
                f" where invalid_reason is not null order by all"
            )
            return [str(day) for (day,) in found.fetchall()]
        return sorted({partition.value for partition in self._context.bronze.get(name, ())})

    def _copy(self, folder: Path, value: str, query: str) -> StagedPartition | None:
        folder.mkdir(parents=True)
        file = folder / "part-0000.parquet"
        with self._connection.cursor() as cursor:
            copied = cursor.execute(
                f"copy ({query}) to '{_escaped(file)}' (format parquet, compression zstd,"
                " compression_level 1)"
            ).fetchall()
        rows = int(copied[0][0])
        if rows:
            return StagedPartition(value, {file: rows})
        shutil.rmtree(folder)
        return None


def _apply(context: Context, cursor: Any) -> None:
    settings = context.settings
    settings.temp_directory.mkdir(parents=True, exist_ok=True)
    for statement in (
        f"set global memory_limit = '{settings.memory_limit}'",
        f"set global threads = {settings.workers}",
        f"set global temp_directory = '{_escaped(settings.temp_directory)}'",
        "set global TimeZone = 'UTC'",
        *_attach(context.warehouse, cursor),
        *context.statements(),
    ):
        cursor.execute(statement)


def _attach(warehouse: Path | None, cursor: Any) -> Iterable[str]:
    attached = cursor.execute(
        "select 1 from duckdb_databases() where database_name = 'warehouse'"
    ).fetchall()
    if attached:
        yield "detach warehouse"
    yield f"attach '{_escaped(warehouse) if warehouse else ':memory:'}' as warehouse"


def _reading(staged: StagedTable, query: str) -> str:
    """The model as its files show it."""
    paths = [f"'{_escaped(file)}'" for partition in staged.partitions for file in partition.files]
    if not paths:
        return f"select * from ({query}) where false"
    return (
        f"select * from read_parquet([{', '.join(paths)}], hive_partitioning = true,"
        f" hive_types_autocast = true)"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


