"""The summary of a run: a table that a person reads in ten seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from medallion.runs.record import RunRecord
from medallion.runs.sinks.sink import Surroundings
from medallion.terminal import counted, styled

_SHOWN_WARNINGS = 20


def print_summary(record: RunRecord, around: Surroundings, console: Console) -> None:
    """Prints what happened, how long it took, and where to look next.

    Args:
        record: The record of the run, or of this process's part of one that goes on.
        around: Where things are.
        console: Where to print.
    """
    if record.status == "running":
        _print_part(record, console)
    elif record.did_nothing:
        horizon = record.plan.horizon if record.plan else "unknown"
        console.print(
            f"Nothing to do: every layer is up to date (horizon {horizon}, {record.seconds:.1f} s)."
        )
    else:
        _print_whole(record, around, console)


def print_warnings(warnings: Mapping[str, int], console: Console) -> None:
    """Prints each warning of a run once, with how often it was given."""
    if not warnings:
        return
    total = sum(warnings.values())
    console.print(
        styled("[yellow]{} of this run:[/]", f"{total} warning{'s' if total > 1 else ''}")
    )
    for message, count in list(warnings.items())[:_SHOWN_WARNINGS]:
        times = f" ({count} times)" if count > 1 else ""
        console.print(f"  - {message}{times}", soft_wrap=True)
    if len(warnings) > _SHOWN_WARNINGS:
        console.print(f"  ... and {len(warnings) - _SHOWN_WARNINGS} more in the log file")


def _print_part(record: RunRecord, console: Console) -> None:
    if record.written or any(record.receipts.values()):
        console.print(_table(record))
    done = (step.step for step in record.steps.values() if step.ended_at and not step.error)
    steps = ", ".join(done) or "no step"
    console.print(
        f"Run {record.run_id} goes on; this process did {steps}. "
        f"`kedro runs show {record.run_id}` shows what is done, "
        f"`kedro runs close {record.run_id}` ends the run.",
        soft_wrap=True,
    )


def _print_whole(record: RunRecord, around: Surroundings, console: Console) -> None:
    console.print(_table(record))
    console.print(f"{_verdict(record)}; {record.seconds:.1f} s in all.")
    console.print(f"Where to look next: {', '.join(_places(record, around))}", soft_wrap=True)


def _verdict(record: RunRecord) -> str:
    """How many checks were made, how many of them warned, and what still does of earlier runs."""
    gates = record.gates.values()
    checks, failed = sum(gate.evaluated for gate in gates), sum(gate.failed for gate in gates)
    critical = sum(one.severity == "critical" for gate in gates for one in gate.failures)
    grave = f" ({critical:,} critical)" if critical else ""
    if failed:
        verdict = f"{failed:,} of {counted(checks, 'check')} warned{grave}"
    else:
        verdict = f"all {checks:,} checks passed" if checks else "nothing was due for a check"
    still = sum(len(gate.earlier_failures) for gate in gates)
    earlier = f"; {still:,} of earlier runs still {'warns' if still == 1 else 'warn'}"
    return f"{verdict}{earlier if still else ''}"


def _table(record: RunRecord) -> Table:
    """A line for each table, below the name of its layer: so a name is never cut short."""
    table = Table(title=_title(record), title_justify="left", box=SIMPLE_HEAD, padding=0)
    table.add_column("", overflow="fold")
    for column in ("rows in", "accepted", "quarantined", "nullified", "seconds"):
        table.add_column(column, justify="right")
    for layer, lines in _lines(record):
        if lines:
            table.add_row(Text(layer, style="bold"))
            for name, cells in lines.items():
                table.add_row(f" {name}", *cells)
    return table


def _lines(record: RunRecord) -> Iterable[tuple[str, Mapping[str, Iterable[str]]]]:
    for layer in ("dims", "base_silver"):
        yield layer, {row["table"]: _counts(row) for row in record.receipts.get(layer, ())}
    enriched = {name: made for name, made in record.enriched.items() if made["days"]}
    yield "enriched", {name: _made(made["rows"], made) for name, made in enriched.items()}
    marts = record.receipts.get("gold", ())
    yield "gold", {row["table"]: _made(row["accepted"], row) for row in marts}


def _made(rows: int, made: Mapping[str, Any]) -> Iterable[str]:
    return "", f"{rows:,}", "", "", f"{made['seconds']:.1f}"


def _counts(row: Mapping[str, Any]) -> Iterable[str]:
    return (
        f"{row['bronze_rows']:,}",
        f"{row['accepted']:,}",
        f"{row['quarantined']:,}",
        f"{sum(row['nullified'].values()):,}",
        f"{row['seconds']:.1f}",
    )


def _title(record: RunRecord) -> str:
    if record.plan is None:
        return f"Run {record.run_id}"
    days = record.plan.days
    if not days:
        return "No Bronze day was due"
    span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"Bronze {span} ({len(days)} day{'s' if len(days) > 1 else ''})"


def _places(record: RunRecord, around: Surroundings) -> Iterable[str]:
    quarantined = sum(row["quarantined"] for rows in record.receipts.values() for row in rows)
    layout = around.layout
    yield layout.shown(layout.run_page(around.file_name))
    if quarantined and "silver" not in layout.stores:
        yield f"{layout.quarantine}/"
    if record.receipts.get("gold"):
        yield _marts_place(around)


def _marts_place(around: Surroundings) -> str:
    """Where the marts of this environment are."""
    if around.catalog is not None and "warehouse.file" in around.catalog:
        # The catalog would log it, behind the end of the run.
        return str(around.catalog["warehouse.file"].load().marts_place)
    return f"{around.layout.warehouse_file} (schema gold)"
