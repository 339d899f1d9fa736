"""Scoring quarantined rows again by an ordinary run, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from medallion.errors import RequestError
from medallion.lake.bronze import BronzeInventory
from medallion.lake.inventory import LakeInventory
from medallion.lake.quarantined import (
    Selection,
    accepted,
    check_selection,
    reason_counts,
    selected_partitions,
    selected_rows,
)
from medallion.planning.plan import plan_run
from medallion.planning.request import RunRequest
from medallion.planning.showing import show_plan
from medallion.quarantine.summary import ALL_ROWS, print_nothing
from medallion.spec.reasons import is_kind_of

_Counts = Counter[tuple[str, str]]


@dataclass(frozen=True)
class Stock:
    """What stands in quarantine, and behind it, at one moment.

    Attributes:
        reasons: Rows by table and reason; `ALL_ROWS` counts each row once.
        accepted: Accepted rows by table.
    """

    reasons: _Counts
    accepted: Counter[str]

    @property
    def rows(self) -> int:
        """Rows in quarantine."""
        return sum(rows for (_, reason), rows in self.reasons.items() if reason == ALL_ROWS)


def replay(
    run: Callable[[], object],
    request: RunRequest,
    bronze: BronzeInventory,
    lake: LakeInventory,
    console: Console,
) -> None:
    """Plans the replay, runs it, and prints what moved and what remains.

    Args:
        run: The ordinary run, given this request.
        request: A request with `replay`.
        bronze: What stands in Bronze.
        lake: What stands in the lake; asked again after the run.
        console: Where to print.

    Raises:
        RequestError: A table or a reason is unknown.
    """
    asked = _asked(request)
    selection = check_selection(asked, lake)
    if not any(selected_rows(lake, table, selection) for table in selection.tables):
        print_nothing(asked, console)
        return
    plan = plan_run(request, lake.spec, bronze, lake)
    show_plan(plan, console)
    if plan.is_empty:
        console.print("None of these rows can be scored again; nothing was run.")
        return
    before = take_stock(lake)
    run()
    print_outcome(before, take_stock(lake), selection, console)


def _asked(request: RunRequest) -> Selection:
    if request.replay is None:
        raise RequestError("The request names no rows to replay.", hint="give `replay: {}`.")
    return Selection(request.replay.tables, request.replay.reasons, request.window)


def take_stock(lake: LakeInventory) -> Stock:
    """Counts what stands in quarantine, over all tables and days."""
    everything = check_selection(Selection(), lake)
    reasons: _Counts = Counter()
    for count in reason_counts(lake, everything):
        reasons[count.table, count.reason] += count.rows
    good: Counter[str] = Counter()
    for table in everything.tables:
        quarantined = selected_partitions(lake, table, everything)
        reasons[table, ALL_ROWS] = sum(manifest.rows for manifest in quarantined.values())
        days = accepted(lake, table)
        counted = days if table in lake.spec.events else sorted(days)[-1:]
        good[table] = sum(days[day].rows for day in counted)
    return Stock(reasons, good)


def print_outcome(before: Stock, after: Stock, asked: Selection, console: Console) -> None:
    """Prints rows by table and reason: before, what moved, what remains.

    Shown are the reasons asked for, and every other of which the replay changed the count.
    """
    table = Table(title="Replayed", title_justify="left")
    table.add_column("table")
    table.add_column("reason", overflow="fold")
    for column in ("before", "moved", "remain", "accepted"):
        table.add_column(column, justify="right")
    for name in before.accepted:
        shown = _reasons(before, after, name, asked)
        for reason in (*shown, ALL_ROWS) if shown else ():
            closes = reason == ALL_ROWS
            cells = _cells(before, after, name, reason)
            table.add_row(name, *cells, style="bold" if closes else None, end_section=closes)
    console.print(table)
    was, now = before.rows, after.rows
    console.print(
        f"{was - now:,} rows left the quarantine; {now:,} remain in it, over all tables and days."
    )


def _reasons(before: Stock, after: Stock, table: str, asked: Selection) -> list[str]:
    """The reasons of a table that are shown, the most frequent first."""
    codes = {
        reason
        for name, reason in (*before.reasons, *after.reasons)
        if name == table and reason != ALL_ROWS
    }
    shown = {
        code
        for code in codes
        if before.reasons[table, code] != after.reasons[table, code]
        or (table in asked.tables and _is_asked(code, asked))
    }
    return sorted(shown, key=lambda code: (-before.reasons[table, code], code))


def _is_asked(code: str, asked: Selection) -> bool:
    return not asked.reasons or any(is_kind_of(code, reason) for reason in asked.reasons)


def _cells(before: Stock, after: Stock, table: str, reason: str) -> Iterable[str]:
    was, now = before.reasons[table, reason], after.reasons[table, reason]
    gained = after.accepted[table] - before.accepted[table]
    yield from (reason, f"{was:,}", f"{was - now:,}", f"{now:,}")
    yield f"{gained:+,}" if reason == ALL_ROWS else ""
