"""Tables in partitions: `table$20251015`, and what a job does to a table that it writes to."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
from local_bigquery.catalog import metadata, names, tabledata, tables
from local_bigquery.engine import database, results, types
from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError, already_exists, not_found
from local_bigquery.jobs import copy
from local_bigquery.models import JobConfigurationTableCopy, Table, TableFieldSchema

from tests.standins.bigquery.databases import Name, is_there
from tests.standins.bigquery.mending import Function, instead_of
from tests.standins.bigquery.schemas import evolve

_FORMATS = {"HOUR": "%Y%m%d%H", "DAY": "%Y%m%d", "MONTH": "%Y%m", "YEAR": "%Y"}
_DIGITS = {"HOUR": 10, "DAY": 8, "MONTH": 6, "YEAR": 4}
# Schema update options go with these, and with WRITE_TRUNCATE of a partition.
_ADDING = ("WRITE_APPEND", "WRITE_TRUNCATE_DATA")


def split(table: Name) -> tuple[Name, str | None]:
    """A table and the partition that its name asks for."""
    name, _, partition = table[2].partition("$")
    return (table[0], table[1], name), partition or None


def predicate(stored: Table, table: Name, partition: str) -> str:
    """The condition that holds for the rows of a partition.

    Raises:
        BigQueryError: The table has no such partitions.
    """
    timing = stored.timePartitioning
    if not timing:
        raise BigQueryError("invalid", f"Table {names.label(*table)} is not partitioned.")
    column = quote(timing.field or tables.INGESTION_TIME)
    if partition == "__NULL__":
        return f"{column} is null"
    kind = timing.type or "DAY"
    if not re.fullmatch(rf"\d{{{_DIGITS[kind]}}}", partition):
        raise BigQueryError("invalid", f"Invalid partition ID {partition} for a table by {kind}.")
    written = f"strftime(cast({column} as timestamp), '{_FORMATS[kind]}')"
    return f"coalesce({written} = '{partition}', false)"


def expire(table: Name) -> None:
    """Removes partitions that are too old: nobody is told, as on the real service."""
    stored = metadata.load(Table, *table)
    timing = stored and stored.timePartitioning
    if timing and timing.expirationMs and is_there(table):
        unit = (timing.type or "DAY").lower()
        column = quote(timing.field or tables.INGESTION_TIME)
        begin = f"date_trunc('{unit}', cast({column} as timestamp))"
        age = f"to_milliseconds({timing.expirationMs})"
        database.execute(
            f"delete from {tables.name(*table)} where {begin} + {age} < cast(now() as timestamp)"
        )


def _of(table: Name, partition: str | None) -> str:
    """The condition of what a name stands for: a table or a partition."""
    return predicate(tables.load(*table), table, partition) if partition else "true"


@instead_of(tables, "get")
def get(original: Function, *arguments: Any) -> Table:
    table, partition = split(arguments[:3])
    expire(table)
    found = original(*table, *arguments[3:])
    if found.type != "TABLE" or not is_there(table):
        return found
    asked = found.tableReference.replace(tableId=arguments[2])
    counted = f"select count(*) from {tables.name(*table)} where {_of(table, partition)}"
    [(rows,)] = database.fetch(counted)
    size = str(tables.logical_bytes(rows, len(tables.columns(*table))))
    return found.replace(
        tableReference=asked, numRows=str(rows), numBytes=size, numTotalLogicalBytes=size
    )


@instead_of(tabledata, "list_rows")
def list_rows(original: Function, *arguments: Any) -> Any:
    table, partition = split(arguments[:3])
    expire(table)
    if not partition:
        return original(*arguments)
    maximum, start, fields, int64 = arguments[3:]
    chosen = [one.casefold() for one in fields.split(",")] if fields else None
    with database.cursor() as cursor:
        source = f"select * from {tables.name(*table)} where {_of(table, partition)}"
        cursor.execute(f"create temp table read as {source}")
        page = results.page(cursor, "temp.main.read", maximum, start, chosen, int64)
    columns = tables.columns(*table)
    return page, [one for one in columns if not chosen or one.name.casefold() in chosen]


@instead_of(tables, "delete")
def delete(original: Function, *arguments: str) -> None:
    table, partition = split(arguments)
    if not partition:
        original(*table)
        return
    with database.writing(*table):
        database.execute(f"delete from {tables.name(*table)} where {_of(table, partition)}")


@instead_of(copy, "_source")
def copied(original: Function, reference: Name) -> str:
    table, partition = split(reference)
    if not partition:
        return original(reference)
    return f"(select * from {tables.name(*table)} where {_of(table, partition)})"


@instead_of(tables, "write")
def write(
    original: Function,
    cursor: duckdb.DuckDBPyConnection,
    query: str,
    params: dict[str, Any] | None,
    reference: Name,
    config: tables.Destination,
    default: str = "WRITE_EMPTY",
    prefix: str = "Invalid schema update. ",
    isolated: bool = False,
) -> bool:
    """Writes what a query gives to a table or a partition: all of it, or nothing.

    Returns:
        Whether the table is new.
    """
    if reference[1] == tables.RESULTS:
        written: bool = original(
            cursor, query, params, reference, config, default, prefix, isolated
        )
        return written
    table, partition = split(reference)
    if config.writeDisposition is None:
        config = config.replace(writeDisposition=default)
    with (
        database.writing(*table),
        database.cursor() as writer,
        _staged(cursor, query, params, writer) as rows,
    ):
        declared = _declared(config, writer, rows)
        layout = _layout(config, declared, partition)
        found = tables.exists(*table)
        writer.execute("begin")
        if found:
            kept = _prepare(writer, table, partition, config, declared, layout, prefix)
        else:
            kept = _create(writer, table, partition, config, declared, layout)
        if partition:
            _check_partition(writer, rows, predicate(kept, table, partition), partition)
        _insert(writer, rows, table)
        writer.execute("commit")
        tables.record(*table, kept.replace(lastModifiedTime=metadata.now()))
        expire(table)
    return not found


@contextmanager
def _staged(cursor: Any, query: str, params: Any, writer: Any) -> Iterator[str]:
    """What a query gives, in a table that is gone afterwards."""
    name = quote("memory", "main", uuid.uuid4().hex)
    results.materialise(cursor, query, name, params, writer=writer)
    try:
        yield name
    finally:
        database.execute(f"drop table {name}")


def _declared(config: tables.Destination, writer: Any, rows: str) -> list[TableFieldSchema]:
    given = getattr(config, "schema_", None)
    if given and given.fields:
        return given.fields
    staged = writer.sql(f"select * from {rows} limit 0")
    return [types.field(*one) for one in zip(staged.columns, staged.types, strict=True)]


def _layout(
    config: tables.Destination, declared: list[TableFieldSchema], partition: str | None
) -> Table:
    """How the job wants the table partitioned and clustered."""
    disposition = config.writeDisposition
    may_update = disposition in _ADDING or (partition and disposition == "WRITE_TRUNCATE")
    columns = [one.name for one in declared]
    return tables.layout(columns, config, "WRITE_APPEND" if may_update else disposition)


def _create(
    writer: Any,
    table: Name,
    partition: str | None,
    config: tables.Destination,
    declared: list[TableFieldSchema],
    layout: Table,
) -> Table:
    label = names.label(*table)
    if config.createDisposition == "CREATE_NEVER":
        raise not_found("Table", label)
    if partition and not layout.timePartitioning:
        raise BigQueryError(
            "invalid",
            "Partitioning specification must be provided in order to create partitioned table",
        )
    names.fields(declared)
    columns = ", ".join(types.column(one) for one in declared)
    writer.execute(f"create table {tables.name(*table)} ({columns})")
    said = getattr(config, "destinationTableProperties", None)
    made = tables.defaults(*table).merged(layout).replace(**(said.dump() if said else {}))
    return made.replace(schema={"fields": declared})


def _prepare(
    writer: Any,
    table: Name,
    partition: str | None,
    config: tables.Destination,
    declared: list[TableFieldSchema],
    layout: Table,
    prefix: str,
) -> Table:
    """Makes room in a table that is there.

    Returns:
        What is told of the table from now on.
    """
    stored, name, label = tables.load(*table), tables.name(*table), names.label(*table)
    _check_layout(stored, layout)
    where = predicate(stored, table, partition) if partition else "true"
    if (config.writeDisposition == "WRITE_TRUNCATE" and not partition) or not is_there(table):
        columns = ", ".join(types.column(one) for one in declared)
        writer.execute(f"create or replace table {name} ({columns})")
        return stored.without("tableConstraints").replace(schema={"fields": declared})
    if config.writeDisposition == "WRITE_EMPTY":
        if writer.execute(f"select 1 from {name} where {where} limit 1").fetchall():
            raise already_exists("Table", label)
    elif config.writeDisposition != "WRITE_APPEND":
        writer.execute(f"delete from {name} where {where}")
    options = getattr(config, "schemaUpdateOptions", None) or []
    is_copy = isinstance(config, JobConfigurationTableCopy)
    return evolve(writer, name, stored, declared, options, prefix, ignore_modes=is_copy)


def _check_layout(stored: Table, wanted: Table) -> None:
    """A table keeps its partitions and clusters."""
    asked, there = _specification(wanted), _specification(stored)
    if any(part and part != old for part, old in zip(asked, there, strict=True)):
        raise BigQueryError(
            "invalid",
            "Incompatible table partitioning specification. Expects partitioning specification "
            f"{' '.join(filter(None, there)) or 'none'}, but input partitioning specification is "
            f"{' '.join(filter(None, asked))}",
        )


def _specification(table: Table) -> tuple[str, str]:
    timing, clustering = table.timePartitioning, table.clustering
    interval = timing and f"interval(type:{timing.type or 'DAY'},field:{timing.field})".lower()
    clusters = clustering and f"clustering({','.join(clustering.fields or [])})"
    return interval or "", clusters or ""


def _check_partition(writer: Any, rows: str, where: str, partition: str) -> None:
    others = writer.execute(f"select 1 from {rows} where not ({where}) limit 1").fetchall()
    if others:
        raise BigQueryError(
            "invalid",
            "Some rows belong to different partitions rather than destination partition "
            f"{partition}",
        )


def _insert(writer: Any, rows: str, table: Name) -> None:
    try:
        writer.execute(f"insert into {tables.name(*table)} by name select * from {rows}")
    except duckdb.ConstraintException as error:
        raise BigQueryError(
            "invalid", f"Error while reading data, error message: {error}"
        ) from error
