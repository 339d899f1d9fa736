"""Quarantined rows as a person may see them: what is wrong first, personal values masked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medallion.lake.inventory import LakeInventory
from medallion.lake.quarantined import Selection, day_column, reading, select_rows
from medallion.spec.masking import shown_column
from medallion.spec.reasons import offending_columns
from medallion.sql import identifier

REASON = "invalid_reason"


@dataclass(frozen=True)
class Record:
    """One quarantined row.

    Attributes:
        day: Its partition day, as `YYYY-MM-DD`.
        reason: Why it was put aside.
        values: Its values as they came, or their masks: key and offending columns first.
        offending: The columns that its reasons are about.
    """

    day: str
    reason: str
    values: Mapping[str, str | None]
    offending: tuple[str, ...]


def masked_rows(lake: LakeInventory, table: str, selection: Selection) -> str:
    """The SQL of the rows asked for, in the order of their files; nothing if there are none."""
    statement = select_rows(lake, table, selection)
    if not statement:
        return ""
    day = day_column(lake.spec, table)
    columns = [name for name in _columns(lake, table, selection) if name not in (day, REASON)]
    shown = (
        f"{shown_column(lake.spec, table, name, identifier(name))} as {identifier(name)}"
        for name in columns
    )
    return f"select {', '.join([day, REASON, *shown])} from ({statement})"


def read_records(
    lake: LakeInventory, table: str, selection: Selection, limit: int
) -> Sequence[Record]:
    """The first of the rows asked for."""
    statement = masked_rows(lake, table, selection)
    if not statement:
        return []
    with reading() as connection:
        found = connection.execute(f"{statement} limit {int(limit)}")
        names = [column[0] for column in found.description or ()]
        rows = found.fetchall()
    return [_record(lake, table, dict(zip(names, row, strict=True))) for row in rows]


def _record(lake: LakeInventory, table: str, row: dict[str, str | None]) -> Record:
    day, reason = str(row.pop(day_column(lake.spec, table))), str(row.pop(REASON))
    offending = offending_columns(lake.spec, table, reason)
    first = dict.fromkeys((*lake.spec.tables[table].key, *offending))
    order = [*(name for name in first if name in row), *(name for name in row if name not in first)]
    return Record(day, reason, {name: row[name] for name in order}, offending)


def _columns(lake: LakeInventory, table: str, selection: Selection) -> Iterable[str]:
    with reading() as connection:
        statement = select_rows(lake, table, selection)
        described = connection.execute(f"describe {statement}").fetchall()
    return [str(row[0]) for row in described]
