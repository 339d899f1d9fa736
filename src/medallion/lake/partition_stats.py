"""Facts about partitions that planning needs later, measured once when they are written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.lake.scans import read_days
from medallion.spec import INGESTION_DAY

if TYPE_CHECKING:
    import duckdb

Partition = tuple[date, Path]


def event_bounds(
    connection: duckdb.DuckDBPyConnection, rows: str, column: str
) -> dict[date, tuple[str, str]]:
    """Least and greatest value of an event time per day, as ISO text.

    Args:
        connection: Where to compute.
        rows: A SELECT of the column and `ingestion_dt`.
        column: The event time.
    """
    found = connection.execute(
        f"select ingestion_dt, min({column}), max({column}) from ({rows}) group by ingestion_dt"
    ).fetchall()
    return {day: (low.isoformat(), high.isoformat()) for day, low, high in found if low}


def referred_days(
    connection: duckdb.DuckDBPyConnection,
    children: str,
    parents: str,
    key: str,
) -> dict[date, tuple[str, ...]]:
    """Per day of the children, the days of the parents that their rows refer to.

    Args:
        connection: Where to compute.
        children: A SELECT of the key and `ingestion_dt`.
        parents: The same of the parents.
        key: The key.
    """
    found = connection.execute(
        f"select distinct c.ingestion_dt, p.ingestion_dt from ({children}) c"
        f" join ({parents}) p using ({key})"
    ).fetchall()
    days: dict[date, set[str]] = defaultdict(set)
    for child, parent in found:
        days[child].add(parent.isoformat())
    return {day: tuple(sorted(parents)) for day, parents in days.items()}


def days_holding(
    connection: duckdb.DuckDBPyConnection,
    rows: str,
    columns: Mapping[str, str],
    wanted: str,
    condition: str = "true",
) -> set[date]:
    """The days whose rows hold one of the wanted keys.

    Args:
        connection: Where to compute.
        rows: A SELECT of all columns of the partitions to look at.
        columns: Per key column, the expression that reads it from those rows.
        wanted: A relation with the key columns.
        condition: Which rows count.
    """
    named = ", ".join(f"{expression} as {name}" for name, expression in columns.items())
    keys = ", ".join(columns)
    found = connection.execute(
        f"select distinct ingestion_dt from"
        f" (select ingestion_dt, {named} from ({rows}) where {condition})"
        f" semi join {wanted} using ({keys})"
    ).fetchall()
    return {day for (day,) in found}


def scan(files: Sequence[Partition], columns: Sequence[str]) -> str:
    """SQL that reads columns of Parquet files of known days, with `ingestion_dt`."""
    return read_days([path for _, path in files], INGESTION_DAY, columns)
