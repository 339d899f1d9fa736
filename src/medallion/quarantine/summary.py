"""How many rows stand in quarantine, for what reasons, since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import islice

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from medallion.lake.inventory import LakeInventory
from medallion.lake.quarantined import (
    ReasonCount,
    Selection,
    accepted,
    reason_counts,
    selected_partitions,
    table_days,
)

ALL_ROWS = "all rows"
# More than any table needs.
_WIDE = 1_000
_Group = tuple[str, date | None]


@dataclass(frozen=True)
class SummaryLine:
    """Rows of a table, or of one of its days, that carry a reason.

    Attributes:
        table: The table.
        day: The day, or None for all days together.
        reason: One code, or `ALL_ROWS`, in which each row counts once.
        rows: Quarantined rows that carry it.
        of: Rows of the table in all, accepted and quarantined.
        days: The partition days on which there are such rows, ascending.
    """

    table: str
    day: date | None
    reason: str
    rows: int
    of: int
    days: tuple[date, ...]

    @property
    def share(self) -> float:
        """The part of the table's rows, from 0 to 1."""
        return self.rows / self.of if self.of else 0.0


def summarize(
    lake: LakeInventory, selection: Selection, *, by_day: bool = False
) -> list[SummaryLine]:
    """Counts quarantined rows by table and reason; a line for all rows closes each table.

    Args:
        lake: The lake.
        selection: Checked tables, and a window.
        by_day: Count each partition day for itself.
    """
    grouped: dict[_Group, list[ReasonCount]] = defaultdict(list)
    for count in reason_counts(lake, selection):
        grouped[count.table, count.day if by_day else None].append(count)
    return [
        line for group, counts in grouped.items() for line in _lines(lake, selection, group, counts)
    ]


def _lines(
    lake: LakeInventory, selection: Selection, group: _Group, counts: list[ReasonCount]
) -> Iterable[SummaryLine]:
    table, day = group
    quarantined = {d: m.rows for d, m in selected_partitions(lake, table, selection).items()}
    good = {d: m.rows for d, m in accepted(lake, table).items()}
    scope = [day] if day else table_days(lake, table, selection)
    of = sum(quarantined.get(d, 0) + good.get(d, 0) for d in scope)
    by_reason: dict[str, dict[date, int]] = defaultdict(dict)
    for count in counts:
        by_reason[count.reason][count.day] = count.rows
    for reason, rows in sorted(by_reason.items(), key=lambda item: (-sum(item[1].values()), item)):
        yield SummaryLine(table, day, reason, sum(rows.values()), of, tuple(sorted(rows)))
    days = tuple(d for d in scope if quarantined.get(d))
    yield SummaryLine(table, day, ALL_ROWS, sum(quarantined[d] for d in days), of, days)


def print_lines(lines: list[SummaryLine], asked: Selection, console: Console) -> None:
    """Prints the summary, or that there is nothing to see."""
    if not lines:
        print_nothing(asked, console)
        return
    by_day = any(line.day for line in lines)
    table = _table(lines, by_day=by_day)
    wide = console.options.update(width=_WIDE)
    if Measurement.get(console, wide, table).maximum > console.width:
        table = _table(lines, by_day=by_day, is_narrow=True)
    console.print(table)
    totals = [line for line in lines if line.reason == ALL_ROWS]
    rows, of = sum(line.rows for line in totals), sum(line.of for line in totals)
    tables = ", ".join(dict.fromkeys(line.table for line in totals))
    console.print(
        f"{rows:,} of {of:,} rows ({_percent(rows / of)}) of {tables} are in quarantine. "
        "A row counts under each of its reasons."
    )


def print_nothing(asked: Selection, console: Console) -> None:
    """Says that there is no quarantined row of the kind asked for."""
    console.print(f"There are no rows in quarantine {asked}".rstrip() + ".", soft_wrap=True)


def _table(lines: list[SummaryLine], *, by_day: bool, is_narrow: bool = False) -> Table:
    """A line for each reason, never broken; where that is too wide, without first and last day."""
    named = ("first", "last") if not (by_day or is_narrow) else ()
    table = Table(title="Rows in quarantine", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("table", overflow="fold")
    if by_day:
        table.add_column("day")
    table.add_column("reason", no_wrap=True)
    for column in ("rows", "share", *(() if by_day else ("days",))):
        table.add_column(column, justify="right")
    for column in named:
        table.add_column(column, no_wrap=True)
    for line in lines:
        closes = line.reason == ALL_ROWS
        table.add_row(
            *islice(_cells(line, by_day=by_day), len(table.columns)),
            style="bold" if closes else None,
            end_section=closes,
        )
    return table


def _cells(line: SummaryLine, *, by_day: bool) -> Iterable[str]:
    yield line.table
    if by_day:
        yield str(line.day)
    yield line.reason
    yield f"{line.rows:,}"
    yield _percent(line.share)
    if not by_day:
        yield f"{len(line.days):,}"
        yield str(line.days[0])
        yield str(line.days[-1])


def _percent(share: float) -> str:
    return f"{share:.2%}" if share >= 0.0001 or not share else "<0.01%"  # noqa: PLR2004  (0.01 %)
