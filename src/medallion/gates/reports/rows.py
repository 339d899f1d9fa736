"""Values of measured rows, which are plain JSON."""

from __future__ import annotations

from medallion.gates.result import Json


def text_in(row: Json, column: str) -> str:
    """A column as text."""
    return str(row[column])


def count_in(row: Json, column: str) -> int | None:
    """A column that counts; None where it is null, or the row has none."""
    value = row.get(column)
    return value if isinstance(value, int) else None


def number_in(row: Json, column: str) -> float | None:
    """A column that measures; None where it is null, or the row has none."""
    value = row.get(column)
    return value if isinstance(value, (int, float)) else None
