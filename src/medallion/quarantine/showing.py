"""Quarantined rows on a terminal: as a table where it fits, else one below the other."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from medallion.quarantine.rows import REASON, Record

# Lines and blanks that a table puts around a cell, and around itself.
_PER_CELL, _PER_TABLE = 3, 1


def print_records(records: Sequence[Record], table: str, rows: int, console: Console) -> None:
    """Prints rows, and how many there are in all.

    Args:
        records: The rows to show; at least one.
        table: Their table.
        rows: How many rows match.
        console: Where to.
    """
    tabular = _tabular(records)
    if _width(tabular) <= console.width:
        console.print(_table(tabular, records))
    else:
        for record in records:
            _print_record(record, table, console)
    shown = "all" if len(records) == rows else "the first"
    more = "" if len(records) == rows else "; ask for more with --limit, or export them"
    console.print(f"Shown: {shown} {len(records):,} of {rows:,} rows of {table}{more}.")


def readable(value: str | None) -> Text:
    """A value as it came; quoted where the bare text would hide what is in it."""
    if value is None:
        return Text("null", style="dim italic")
    hidden = value != value.strip() or not value.isprintable() or value.lower() in ("", "null")
    return Text(repr(value) if hidden else value)


def _tabular(records: Sequence[Record]) -> list[list[Text]]:
    """Heading and rows; the first record's order of columns serves all."""
    columns = list(records[0].values)
    heading = [Text(name) for name in ("day", *columns, REASON)]
    rows = [
        [Text(r.day), *(readable(r.values[name]) for name in columns), Text(r.reason)]
        for r in records
    ]
    return [heading, *rows]


def _width(tabular: Sequence[Sequence[Text]]) -> int:
    widths: list[int] = [
        max(cell.cell_len for cell in column) for column in zip(*tabular, strict=True)
    ]
    return sum(widths) + _PER_CELL * len(widths) + _PER_TABLE


def _table(tabular: Sequence[Sequence[Text]], records: Sequence[Record]) -> Table:
    table = Table()
    for heading in tabular[0]:
        table.add_column(heading)
    for cells, record in zip(tabular[1:], records, strict=True):
        for heading, cell in zip(tabular[0], cells, strict=True):
            if heading.plain in record.offending:
                cell.stylize("bold red")
        table.add_row(*cells)
    return table


def _print_record(record: Record, table: str, console: Console) -> None:
    title = Text(f"{table} {record.day}  ", style="bold")
    console.print(title.append(record.reason, style="bold red"), soft_wrap=True)
    width = max(len(name) for name in record.values)
    for name, value in record.values.items():
        wrong = name in record.offending
        mark = "> " if wrong else "  "
        line = Text(f"{mark}{name:<{width}}  ", style="bold" if wrong else "dim")
        shown = readable(value)
        if wrong:
            shown.stylize("red")
        console.print(Text.assemble(line, shown), soft_wrap=True)
    console.print()
