"""Checks of keys, required columns and conservation, as Polars queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from medallion.quality.gate import Check


def conservation(row: Mapping[str, Any]) -> Check:
    """Bronze rows end in exactly one place: accepted, quarantined or superseded."""
    ended = row["accepted"] + row["quarantined"] + row.get("superseded", 0)
    return Check(
        "conservation",
        row["table"],
        row.get("partition", ""),
        success=row["bronze_rows"] == ended,
        severity="blocking",
        observed=f"{ended:,} rows came out",
        expected=f"the {row['bronze_rows']:,} that came in",
    )


def key_is_unique(table: str, key: Sequence[str], frame: pl.LazyFrame) -> Check:
    """No two rows share a key."""
    rows, keys = _counted(frame, pl.struct(*key).hash())
    if rows != keys:
        # Two keys can share a hash; only the keys themselves convict.
        rows, keys = _counted(frame, pl.struct(*key))
    return Check(
        "key_is_unique",
        table,
        "",
        success=rows == keys,
        severity="blocking",
        observed=f"{rows - keys:,} rows repeat a key",
        expected=f"unique {' + '.join(key)}" if key else "at most one row",
    )


def _counted(frame: pl.LazyFrame, key: pl.Expr) -> tuple[int, int]:
    """Rows, and distinct values of an expression over them."""
    counted = frame.select(pl.len().alias("rows"), key.n_unique().alias("keys")).collect()
    rows, keys = counted.row(0)
    return rows, keys


def required_present(table: str, columns: Sequence[str], frame: pl.LazyFrame) -> Iterable[Check]:
    """No required column holds a null."""
    nulls = frame.select(pl.col(columns).null_count()).collect().row(0)
    for column, count in zip(columns, nulls, strict=True):
        yield Check(
            "required",
            table,
            "",
            success=count == 0,
            severity="blocking",
            observed=f"{column} is null in {count:,} rows",
            expected="a value in every row",
        )
