"""The dbt-duckdb plugin: applies the run's context to the connection, writes partitions."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.plugins import BasePlugin

from medallion.dbt_project.context import Context
from medallion.dbt_project.results import StagedPartition, StagedTable
from medallion.dbt_project.sources import BronzeView, occurrences
from medallion.dbt_project.standalone import standalone_context
from medallion.lake.scans import FOOTERS_ONCE, read_days
from medallion.spec import INGESTION_DAY
from medallion.sql import identifiers, literal, literals

CURRENT = "current"
IN_MEMORY = ":memory:"
_ATTACHED = ("warehouse", "lake")
_BATCH_ROWS = 1_500_000
# Two transactions that create one schema at the same moment are a conflict to DuckDB, even
# with `if not exists`, and dbt runs as many models at once as the profile has threads.
_creating_schemas = Lock()
_STATISTICS = "statistics_propagation"


@dataclass
class _Shared:
    """dbt makes the plugin itself, so what both sides need stands here."""

    context: Context | None = None
    connection: duckdb.DuckDBPyConnection | None = None
    is_changed: bool = False


_shared = _Shared()


def set_context(context: Context) -> None:
    """Names the context that dbt's next cursor sees."""
    _shared.context = context


def apply_again() -> None:
    """Lets dbt's next cursor see what has changed in the context."""
    _shared.is_changed = True


def reopen_if_closed() -> None:
    """Lets dbt open its database anew if an error has closed it: DuckDB does so after some."""
    if _shared.connection is None:
        return
    try:
        ask("select 1")
    except duckdb.Error:
        _shared.connection = None
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]


def ask(query: str) -> list[tuple[Any, ...]]:
    """Asks the database that dbt has worked in."""
    if _shared.connection is None:
        raise RuntimeError("dbt has not connected yet")
    with _shared.connection.cursor() as cursor:
        return cursor.execute(query).fetchall()


def release() -> None:
    """Forgets the context and lets go of the warehouse's file."""
    _shared.context = None
    reopen_if_closed()
    if _shared.connection:
        for database in _ATTACHED:
            _shared.connection.execute(f"detach database if exists {database}")


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
            if context is not self._applied or _shared.is_changed:
                _apply(context, cursor)
                self._applied, _shared.is_changed = context, False

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
        view = f"{relation.schema}.{relation.identifier}"
        with connection.cursor() as cursor:
            reading = _reading(staged, model.compiled_code)
            cursor.execute(f"create or replace view {view} as {reading}")


class PartitionWriter:
    """Copies the rows of a query into one Parquet file per partition.

    Days are computed in batches, because planning the query takes longer than reading a small
    day, and written in parallel, because one file is written by one thread. Rows are ordered,
    so the bytes depend on neither.

    Args:
        connection: The database that has what the query reads.
        context: Where to write.
        query: The rows, with their partition column last.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, context: Context, query: str) -> None:
        self._connection = connection
        self._context = context
        self._query = query

    def write(self, table: str, order_by: Sequence[str]) -> StagedTable:
        """Writes all partitions of a table such as `base/orders`."""
        columns = self._columns()
        *_, key = columns
        layer = table.split("/", maxsplit=1)[0]
        order = ", ".join(order_by) or "all"
        batch = f"staging.{table.replace('/', '_')}"
        folder = self._context.staging / table
        elsewhere = self._columns_of_other_days(table)

        def copy(value: str) -> StagedPartition | None:
            absent = {key, *elsewhere.get(value, ())}
            stored = {name: kind for name, kind in columns.items() if name not in absent}
            selected = identifiers(stored)
            rows = f"select {selected} from {batch} where {key} = {literal(value)} order by {order}"
            partition = folder / f"{key}={value}"
            return self._copy(partition, value, rows, stored, keep_empty=layer == "dims")

        partitions: list[StagedPartition] = []
        with ThreadPoolExecutor(self._context.settings.workers) as pool:
            for values in self._batches(table, key):
                self._compute(batch, key, values)
                partitions.extend(filter(None, pool.map(copy, values)))
        self._execute(f"drop table if exists {batch}")
        return StagedTable(table, tuple(partitions))

    def _columns_of_other_days(self, table: str) -> dict[str, set[str]]:
        """Columns beyond the contract that some day of the window holds and others do not.

        A partition of quarantine has the columns its own files had, so that it does not depend
        on the days that happen to be processed with it.
        """
        layer, name = table.split("/")
        if layer != "quarantine" or name not in self._context.spec.events:
            return {}
        partitions = self._context.bronze.get(name, ())
        unknown = BronzeView(name, partitions, self._context.spec).unknown
        return {
            partition.value: {
                kept
                for column, kept in unknown.items()
                if not any(column in occurrences(file) for file in partition.scanned)
            }
            for partition in partitions
        }

    def _batches(self, table: str, key: str) -> Iterable[list[str]]:
        """Partition values, as many at a time as hold about `_BATCH_ROWS` Bronze rows."""
        rows = {p.value: p.rows for p in self._context.bronze.get(table.split("/")[1], ())}
        batch: list[str] = []
        for value in self._values(table, key):
            if batch and sum(rows.get(v, 0) for v in (*batch, value)) > _BATCH_ROWS:
                yield batch
                batch = []
            batch.append(value)
        if batch:
            yield batch

    def _compute(self, batch: str, key: str, values: Sequence[str]) -> None:
        with _creating_schemas:
            self._execute("create schema if not exists staging")
        self._execute(
            f"create or replace table {batch} as"
            f" select * from ({self._query}) where {key} in ({literals(values)})"
        )

    def _execute(self, statement: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            return cursor.execute(statement).fetchall()

    def _columns(self) -> dict[str, str]:
        return {name: kind for name, kind, *_ in self._execute(f"describe {self._query}")}

    def _values(self, table: str, key: str) -> list[str]:
        layer, name = table.split("/")
        if layer == "keys":
            return [CURRENT]
        if key != INGESTION_DAY:
            return [str(self._context.snapshot)]
        if layer == "quarantine":
            found = self._execute(
                f"select distinct {key} from base_silver.int_{name}_scored"
                f" where invalid_reason is not null order by all"
            )
            return [str(day) for (day,) in found]
        return sorted({partition.value for partition in self._context.bronze.get(name, ())})

    def _copy(
        self, folder: Path, value: str, query: str, columns: dict[str, str], *, keep_empty: bool
    ) -> StagedPartition | None:
        """Writes one partition; without rows it is left out, unless it is to be kept.

        A snapshot is kept, because an empty dimension is a fact about its day, too.
        """
        folder.mkdir(parents=True)
        file = folder / "part-0000.parquet"
        copied = self._execute(
            f"copy ({query}) to {literal(file)} (format parquet, compression zstd,"
            " compression_level 1)"
        )
        rows = int(copied[0][0])
        if rows or keep_empty:
            return StagedPartition(value, {file: rows}, columns)
        shutil.rmtree(folder)
        return None


def _apply(context: Context, cursor: Any) -> None:
    settings = context.settings
    settings.temp_directory.mkdir(parents=True, exist_ok=True)
    for statement in (
        f"set global memory_limit = {literal(settings.memory_limit)}",
        f"set global threads = {settings.workers}",
        f"set global temp_directory = {literal(settings.temp_directory)}",
        "set global TimeZone = 'UTC'",
        # Statistics would decide two things that only the rows may decide: whether a column of
        # a Parquet file is declared nullable (so that equal rows give other bytes), and whether
        # a number is NaN, which the statistics of Parquet leave out.
        f"set global disabled_optimizers = '{'' if context.warehouse else _STATISTICS}'",
        # The lake stands while Gold is built on it; what Silver is scored from is staged anew.
        f"set global {FOOTERS_ONCE} = {str(bool(context.warehouse)).lower()}",
        *_attach(context.warehouse, cursor),
        *context.statements(),
    ):
        cursor.execute(statement)


def _attach(warehouse: Path | None, cursor: Any) -> Iterable[str]:
    """The warehouse, and a database in memory for what the lake shows to Gold."""
    for database in _ATTACHED:
        attached = cursor.execute(
            f"select 1 from duckdb_databases() where database_name = '{database}'"
        ).fetchall()
        if attached:
            yield f"detach {database}"
    yield f"attach {literal(warehouse or IN_MEMORY)} as warehouse"
    yield f"attach '{IN_MEMORY}' as lake"


def _reading(staged: StagedTable, query: str) -> str:
    """The model as its files show it."""
    files = [file for partition in staged.partitions for file in partition.files]
    if not files:
        return f"select * from ({query}) where false"
    key = files[0].parent.name.partition("=")[0]
    kind = "varchar" if staged.table.startswith("keys/") else "date"
    return read_days(files, key, kind=kind)
