"""Sums that do not fit their column: whose rows they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

import polars as pl

from medallion.errors import LakeError
from medallion.lake.writes import FrameWrite
from medallion.spec import INGESTION_DAY, Spec, Table
from medallion.spec.models import Bounds

_SHOWN = 3
_AMOUNT = "amount"


def is_overflow(error: pl.exceptions.InvalidOperationError) -> bool:
    """Whether a query ended because an amount has too many digits for its column."""
    return "conversion from `decimal" in str(error)


def overflow_error(write: FrameWrite, days: Sequence[date], spec: Spec) -> LakeError:
    """Says which table and days have such a sum, and names the largest rows it is made of."""
    period = str(days[0]) if len(days) == 1 else f"{days[0]} to {days[-1]}"
    largest = {
        name: _largest(name, frame, spec.tables[name])
        for name, frame in write.inputs.items()
        if name in spec.tables
    }
    found = [(amount, name) for name, lines in largest.items() for amount, _ in lines]
    bounds = [*_bounds(max(found)[1], spec)] if found else ["cleaning.max_money"]
    return LakeError(
        f"{write.table} of {period}: a sum does not fit DECIMAL(18,2). The largest rows of "
        "its inputs are:",
        details=[line for lines in largest.values() for _, line in lines],
        hint="have these rows corrected and delivered again, or lower in spec.yml what keeps such"
        f" values out: {', '.join(bounds)}.",
    )


def _bounds(name: str, spec: Spec) -> Iterable[str]:
    """The bounds in the spec that the amounts of a table lie within, by their keys."""
    table = spec.tables[name]
    checks = {column.check for column in table.columns.values()}
    if "negative" in checks:
        yield "cleaning.max_money"
    if "not_positive" in checks:
        yield "cleaning.max_quantity"
    for column, kind in table.columns.items():
        if isinstance(kind.nullify, Bounds) and kind.nullify.above is not None:
            yield f"tables.{name}.columns.{column}.nullify.above"


def _largest(name: str, frame: pl.LazyFrame, table: Table) -> list[tuple[Decimal, str]]:
    day = [INGESTION_DAY] if table.kind == "event" else []
    shown = [*day, *table.key]
    found = (
        frame.select(*shown, pl.max_horizontal(_amounts(table)).alias(_AMOUNT))
        .drop_nulls(_AMOUNT)
        .sort(_AMOUNT, *shown, descending=[True, *[False] * len(shown)])
        .head(_SHOWN)
        .collect()
    )
    lines: list[tuple[Decimal, str]] = []
    for row in found.rows(named=True):
        where = ", ".join(f"{column} {row[column]}" for column in shown)
        lines.append((row[_AMOUNT], f"{name}: {where}: {row[_AMOUNT]:,}"))
    return lines


def _amounts(table: Table) -> list[pl.Expr]:
    """The amounts of a row, and what they are with its quantity."""
    wide = pl.Decimal(38, 2)
    money = [n for n, c in table.columns.items() if c.silver == "money"]
    counts = [
        name
        for name, column in table.columns.items()
        if column.check == "not_positive" or isinstance(column.nullify, Bounds)
    ]
    nothing = pl.lit(None, dtype=wide)
    return [
        nothing,
        *(pl.col(column).cast(wide) for column in money),
        *((pl.col(column) * pl.col(count)).cast(wide) for column in money for count in counts),
    ]
