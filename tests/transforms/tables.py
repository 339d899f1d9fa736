"""Small tables with the columns and types of the spec, and a way to run a transform on them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec
from medallion.transforms import TRANSFORMS

Row = dict[str, Any]

TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "money": pl.Decimal(18, 2),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
}
FIRST_DAY = date(2025, 10, 1)


def day(number: int) -> date:
    """The day of October 2025 with this number; 32 is the first of November."""
    return FIRST_DAY + timedelta(days=number - 1)


def at(number: int, clock: str = "12:00") -> datetime:
    """A time of day of October 2025."""
    return datetime.fromisoformat(f"{day(number)}T{clock}")


def eur(amount: str | None) -> Decimal | None:
    """An amount of money."""
    return None if amount is None else Decimal(amount)


def silver_schema(spec: Spec, table: str) -> dict[str, pl.DataType]:
    """The columns of a Base Silver table or dimension, the partition day last."""
    described = spec.tables[table]
    columns = {name: TYPES[column.silver] for name, column in spec.contract(table).items()}
    if described.business_date:
        columns[described.business_date.column] = pl.Date()
    columns[INGESTION_DAY if described.kind == "event" else SNAPSHOT_DAY] = pl.Date()
    return columns


def enriched_schema(spec: Spec, transform: str) -> dict[str, pl.DataType]:
    """The columns of an enriched table as the spec promises them."""
    return {name: TYPES[kind] for name, kind in spec.transforms[transform].columns.items()}


def frame(spec: Spec, table: str, rows: Sequence[Row]) -> pl.LazyFrame:
    """Rows as a table; absent columns are null, the business date follows from its time."""
    if table in spec.transforms:
        return pl.LazyFrame(list(rows), schema=enriched_schema(spec, table), orient="row")
    business = spec.tables[table].business_date
    filled = []
    for given in rows:
        row = dict(given)
        if business:
            time = row[business.source]
            row.setdefault(business.column, time.date() if isinstance(time, datetime) else time)
            row.setdefault(INGESTION_DAY, row[business.column])
        filled.append(row)
    schema = silver_schema(spec, table)
    columns = {name: [row.get(name) for row in filled] for name in schema}
    return pl.LazyFrame(columns, schema=schema)


def transform(
    spec: Spec,
    name: str,
    days: Sequence[date],
    tables: Mapping[str, Sequence[Row] | pl.LazyFrame],
    *,
    horizon: date | None = None,
    first_order_day: date | None = FIRST_DAY,
    **parameters: float,
) -> pl.LazyFrame:
    """Calls a transform as the pipeline does; tables that are not given are empty."""
    function = TRANSFORMS[name]
    inputs = {}
    for read in spec.transforms[name].reads:
        rows = tables.get(read, ())
        inputs[read] = rows if isinstance(rows, pl.LazyFrame) else frame(spec, read, rows)
    context = {
        "days": list(days),
        "horizon": horizon or max(days),
        "first_order_day": first_order_day,
        "guest_pattern": spec.cleaning.guest_pattern,
    }
    wanted = inspect.signature(function).parameters
    known = {key: value for key, value in context.items() if key in wanted}
    return function(**inputs, **known, **{**spec.transforms[name].parameters, **parameters})
