"""What a table's schema takes: columns that come along, change, or are told of."""

from __future__ import annotations

from typing import Any

from local_bigquery.catalog import tables
from local_bigquery.engine import types
from local_bigquery.engine.database import quote
from local_bigquery.errors import BigQueryError
from local_bigquery.models import Table, TableFieldSchema

_LEGACY = {new: old for old, new in types.STANDARD.items()}


def kind(field: TableFieldSchema) -> str:
    """The type of a column as tables.get tells it."""
    given = (field.type or "STRING").upper()
    return _LEGACY.get(given, given)


def evolve(
    writer: Any,
    name: str,
    stored: Table,
    declared: list[TableFieldSchema],
    options: list[str],
    prefix: str,
    *,
    ignore_modes: bool = False,
) -> Table:
    """Changes a table so that it can take rows of a schema, as far as the job allows it.

    Args:
        writer: Where the change is made.
        name: The table's name in DuckDB.
        stored: What is told of it.
        declared: The schema of the rows.
        options: What the job allows, `ALLOW_FIELD_ADDITION` or `ALLOW_FIELD_RELAXATION`.
        prefix: How a refusal begins.
        ignore_modes: Whether a column that is required takes rows of one that is not.

    Returns:
        What is told of the table from now on.

    Raises:
        BigQueryError: The schema does not fit.
    """
    there = {one.name.casefold(): one for one in tables.fields(stored)}
    missing, added = dict(there), []
    for field in declared:
        old = missing.pop(field.name.casefold(), None)
        if old is None:
            _check(
                "ALLOW_FIELD_ADDITION" in options and field.mode != "REQUIRED",
                f"{prefix}Cannot add fields (field: {field.name})",
            )
            writer.execute(f"alter table {name} add column {types.column(field, nested=True)}")
            added.append(field)
            continue
        _check(
            types.duckdb_type(field) == types.duckdb_type(old),
            f"{prefix}Field {field.name} has changed type from {kind(old)} to {kind(field)}",
        )
        before, after = old.mode or "NULLABLE", field.mode or "NULLABLE"
        if before == after or ignore_modes:
            continue
        _check(
            before == "REQUIRED" and "ALLOW_FIELD_RELAXATION" in options,
            f"{prefix}Field {field.name} has changed mode from {before} to {after}",
        )
        writer.execute(f"alter table {name} alter column {quote(field.name)} drop not null")
    for field in missing.values():
        _check(False, f"{prefix}Field {field.name} is missing in new schema")
    return stored.replace(schema={"fields": [*tables.fields(stored), *added]})


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise BigQueryError("invalid", message)
