"""`kedro lake history`, `rollback`, `diff`, `gc`: the states of a lake."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from medallion import terminal
from medallion.commands.lake_states import in_environment, open_lake
from medallion.commands.people import ForPeople
from medallion.errors import RequestError, UsageError
from medallion.lake.names import as_run_id

if TYPE_CHECKING:
    from medallion.storage.layout import Layout

_env = click.option("--env", "-e", default=None, help="Configuration environment.")
_AT_A_TIME = 20
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "unknown": "dim"}


@click.command("history", cls=ForPeople)
@click.option("--limit", default=_AT_A_TIME, show_default=True, type=click.IntRange(1, 100_000))
@_env
def history(limit: int, env: str | None) -> None:
    """List the states of the lake, the newest first; `*` is what everybody reads now."""
    from medallion.lake import history as lake_history

    with open_lake(env) as lake:
        states = lake_history.history(lake.states)
    console = terminal.out()
    if not states:
        console.print("Nothing has been published yet; `kedro run` publishes the first state.")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "run", "written (UTC)", "partitions", "rows", ""):
        right = column in ("partitions", "rows")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for one in states[:limit]:
        counts = one.manifest.tables.values()
        table.add_row(
            "*" if one.is_current else "",
            one.run_id,
            f"{one.written:%Y-%m-%d %H:%M:%S}",
            f"{sum(table.partitions for table in counts):,}",
            f"{one.rows:,}",
            one.remark,
        )
    console.print(table)
    if len(states) > limit:
        console.print(f"{len(states) - limit:,} older states; ask for more with --limit.")


@click.command("rollback", cls=ForPeople)
@click.option("--to", "run_id", default=None, metavar="RUN", help="The state of this run.")
@_env
def rollback(run_id: str | None, env: str | None) -> None:
    """Let everybody read an earlier state again: the one before, or that of a run.

    Nothing is copied: in an object store the pointer moves, on a disk partitions that were kept
    change places with those that stand. So a rollback takes no time, and so does going forward
    again. The next run begins with that state, and does again what has been taken back, unless
    Bronze or the code that was the reason is put right first.
    """
    from medallion.lake import history as lake_history

    with open_lake(env) as lake, lake.alone:
        states = lake_history.history(lake.states)
        state = lake_history.find_state(states, as_run_id(run_id) if run_id else None)
        if state.is_current:
            _console().print(f"Run {state.run_id} is current already.")
            return
        with lake.changing(f"rollback to {state.run_id}") as changed:
            lake_history.roll_back(changed, state)
        _console().print(
            f"Run {state.run_id} is current:"
            f" {state.rows:,} rows in {len(state.manifest.tables)} tables."
        )
        lake.show()


@click.command("diff", cls=ForPeople)
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
@_env
def diff(one: str, other: str, env: str | None) -> None:
    """Show what differs between the states of two runs: the cause first, then rows by table.

    Only partitions that differ are read. Rows are told apart by the key that the spec declares.
    """
    from medallion.lake import history as lake_history
    from medallion.lake.comparing import causes, differences
    from medallion.spec import load_spec

    console = _console()
    with open_lake(env) as lake:
        published = lake.states
        states = lake_history.history(published)
        before = lake_history.find_state(states, as_run_id(one)).manifest
        after = lake_history.find_state(states, as_run_id(other)).manifest
        found = causes(published, before, after)
        console.print("[bold]What was other:[/bold]" if found else "Neither Bronze nor code, spec")
        for cause in found:
            console.print(f"  {escape(cause)}")
        if not found:
            console.print("or parameters were other; what differs was made for another reason.")
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("table", "partitions", "added", "removed", "changed", "such as"):
            right = column not in ("table", "such as")
            table.add_column(column, justify="right" if right else "left", overflow="fold")
        for one_table in differences(published, before, after, load_spec(lake.spec)):
            table.add_row(
                one_table.table,
                f"{len(one_table.partitions):,}",
                f"{one_table.added:,}",
                f"{one_table.removed:,}",
                f"{one_table.changed:,}",
                escape("; ".join(f"{kind} {some[0]}" for kind, some in one_table.samples.items())),
            )
    console.print(table if table.row_count else "The two states hold the same rows.")


@click.command("gc", cls=ForPeople)
@click.option("--keep-days", default=30, show_default=True, type=click.IntRange(0, 36_500))
@click.option("--keep-runs", default=10, show_default=True, type=click.IntRange(0, 100_000))
@click.option("--delete", is_flag=True, help="Delete what is listed without it.")
@_env
def gc(*, keep_days: int, keep_runs: int, delete: bool, env: str | None) -> None:
    """Show, or delete, what no state names that is kept, and no run that is at work.

    A state is kept if it is current, younger than --keep-days, or one of the last --keep-runs.
    Without --delete nothing is changed.
    """
    with open_lake(env) as lake, lake.alone as own:
        if lake.is_in_a_store and not keep_days:
            raise UsageError(
                "--keep-days 0: of a lake in an object store, a day is kept at least.",
                hint="what is younger may be on its way to it.",
            )
        found = lake.find_garbage(
            keep_days=keep_days, keep_runs=keep_runs, living=[own], now=datetime.now(UTC)
        )
        if delete:
            lake.delete(found)
    said = "were deleted" if delete else "would be deleted; --delete does it"
    console = _console()
    console.print(f"{len(found.entries):,} objects ({found.bytes:,} bytes) {said}.")
    console.print(f"{len(found.kept):,} states are kept, {len(found.dropped):,} go.")
    if delete and lake.is_in_a_store:
        console.print("Where the bucket has soft delete, its bytes are paid for until that ends.")


@click.command("doctor", cls=ForPeople)
@_env
def doctor(env: str | None) -> None:
    """Look at all that a run in an environment needs of Google Cloud, and say what to do.

    It changes nothing but an object of its own, which it removes.
    """
    from medallion.storage.doctor import Doctor

    with _places(env) as (layout, places):
        patient = Doctor(
            layout.bronze, layout.stores["silver"], layout.cache, str(places["location"])
        )
        found = []
        for one in patient.diagnoses():
            found.append(one)
            colour = _COLOURS[one.verdict]
            said = f"[{colour}]{one.verdict:<8}[/] {one.about:<18} {escape(one.found)}"
            _console().print(said)
            if one.remedy:
                _console().print(f"         [dim]what to do:[/] {escape(one.remedy)}")
    failed = sum(one.verdict == "failed" for one in found)
    if failed:
        raise RequestError(f"{failed} of {len(found)} looks found something that stops a run.")
    _console().print(f"All {len(found)} looks found nothing that stops a run.")


@contextmanager
def _places(env: str | None) -> Iterator[tuple[Layout, Mapping[str, Any]]]:
    """Where things are, in an environment whose lake is in an object store."""
    with in_environment(env) as (_, layout, places):
        if "silver" not in layout.stores:
            raise RequestError(
                f"The lake at {layout.silver} is on a disk: there is nothing to look at.",
                hint="name an environment whose lake is in an object store, such as --env prod.",
            )
        yield layout, places


def _console() -> Console:
    return terminal.out(soft_wrap=True)
