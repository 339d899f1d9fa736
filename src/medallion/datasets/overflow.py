"""Sums that do not fit their column: whose rows they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

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
    return LakeError(
        f"{write.table} of {period}: a sum does not fit DECIMAL(18,2). The largest rows of "
        "its inputs are:",
        details=[
            line
            for name, frame in write.inputs.items()
            if name in spec.tables
            for line in _largest(name, frame, spec.tables[name])
        ],
        hint="have these rows corrected and delivered again, or lower cleaning.max_money and "
        "cleaning.max_quantity in spec.yml, so that such rows are put into quarantine.",
    )


def _largest(name: str, frame: pl.LazyFrame, table: Table) -> Iterable[str]:
    day = [INGESTION_DAY] if table.kind == "event" else []
    shown = [*day, *table.key]
    found = (
        frame.select(*shown, pl.max_horizontal(_amounts(table)).alias(_AMOUNT))
        .drop_nulls(_AMOUNT)
        .sort(_AMOUNT, *shown, descending=[True, *[False] * len(shown)])
        .head(_SHOWN)
        .collect()
    )
    for row in found.rows(named=True):
        where = ", ".join(f"{column} {row[column]}" for column in shown)
        yield f"{name}: {where}: {row[_AMOUNT]:,}"


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
