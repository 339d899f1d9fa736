"""`kedro lake history`, `rollback`, `diff`, `gc`: the states of a lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from medallion import terminal
from medallion.commands.lake_states import in_environment, open_lake
from medallion.commands.people import ForPeople
from medallion.errors import PointerError, RequestError, UsageError
from medallion.lake.names import as_run_id
from medallion.terminal import counted

if TYPE_CHECKING:
    from medallion.commands.lake_states import LakeWithStates
    from medallion.lake.history import History, State
    from medallion.lake.published import Pointer
    from medallion.lake.states import States
    from medallion.storage.doctor import Diagnosis
    from medallion.storage.layout import Layout

_env = click.option("--env", "-e", default=None, help="Configuration environment.")
_AT_A_TIME = 20
# The columns of what the doctor says: how it is, and of what.
_VERDICTS, _ABOUT = 7, 19
_LEFT = "left"
_REMARKS = {
    _LEFT: "taken back by a rollback, or never current at all.",
    "unfinished": "changed by a run that did not get to its end.",
}
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "unknown": "dim"}
_table = partial(terminal.table, numbers=("partitions", "rows", "added", "removed", "changed"))


@click.command("history", cls=ForPeople)
@click.option("--limit", default=_AT_A_TIME, show_default=True, type=click.IntRange(1, 100_000))
@_env
def history(limit: int, env: str | None) -> None:
    """List the states of the lake, the newest first; `*` is what everybody reads now."""
    from medallion.lake import history as lake_history

    with open_lake(env) as lake:
        seen = lake_history.look(lake.states)
    console, states = _console(), seen.states
    if seen.problem:
        _say_without_state(seen, env)
    elif not states:
        console.print("Nothing has been published yet; `kedro run` publishes the first state.")
    if not states:
        return
    table = _table("", "run", "written (UTC)", "partitions", "rows", "")
    for one in states[:limit]:
        counts = one.manifest.tables.values()
        table.add_row(
            "*" if one.is_current else "",
            one.run_id,
            _minute(one.written),
            f"{sum(table.partitions for table in counts):,}",
            f"{one.rows:,}",
            _remark(one, seen),
        )
    console.print(table)
    for remark, says in _REMARKS.items():
        if any(_remark(one, seen) == remark for one in states[:limit]):
            console.print(f"{remark}: {says}")
    if len(states) > limit:
        console.print(f"{counted(len(states) - limit, 'older state')}; ask for more with --limit.")


def _say_without_state(seen: History, env: str | None) -> None:
    """Why no state is current, and what to do, in one line."""
    given = f" --env {env}" if env else ""
    then = (
        f"`kedro lake rollback --to RUN{given}` makes one of these current:"
        if seen.states
        else "There is no other state either: remove it, and `kedro run` publishes the first one."
    )
    _console().print(terminal.styled("[yellow]{}[/] {}", seen.problem, then), soft_wrap=True)


def _remark(one: State, seen: History) -> str:
    """What is to be known of a state; which ones were left is not known if none is current."""
    return "" if seen.problem and one.remark == _LEFT else one.remark


@click.command("rollback", cls=ForPeople)
@click.option("--to", "run_id", default=None, metavar="RUN", help="The state of this run.")
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Whether to load into BigQuery what differs there then; asked on a terminal.",
)
@_env
def rollback(run_id: str | None, *, reload: bool | None, env: str | None) -> None:
    """Let everybody read an earlier state again: the one before, or that of a run.

    Nothing is copied: in an object store the pointer moves, on a disk partitions that were kept
    change places with those that stand. So a rollback takes no time, and so does going forward
    again. The next run begins with that state, and does again what has been taken back, unless
    Bronze or the code that was the reason is put right first.

    BigQuery holds copies: it is compared with that state, and loaded where it differs if you want
    it to be.
    """
    from medallion.lake import history as lake_history

    wanted = as_run_id(run_id) if run_id else None
    with open_lake(env) as lake, _alone_to_go_back(lake) as (seen, before):
        if wanted is None and seen != before:
            _say_what_was_completed(before)
            return
        now = lake_history.look(lake.states)
        state = now.find(wanted)
        if state.is_current:
            _console().print(f"Run {state.run_id} is current already.")
            lake.show(reload)
            return
        with lake.changing(f"rollback to {state.run_id}") as states:
            # A run that has published twice is known by its id no more.
            lake_history.roll_back(states, wanted)
        tables = counted(len(state.manifest.tables), "table")
        _console().print(f"Run {state.run_id} is current: {state.rows:,} rows in {tables}.")
        lake.show(reload)
    if now.current:
        is_back = state.written <= now.current.written
        _console().print(
            "The next run goes on from here, and makes again what Bronze and the code still ask"
            f" for. To go {'forward' if is_back else 'back'} again:"
        )
        _say_command(f"rollback --to {now.current.run_id}", env)


@contextmanager
def _alone_to_go_back(lake: LakeWithStates) -> Iterator[tuple[Pointer | None, Pointer | None]]:
    """What was current before, and is current after, what others left undone was completed."""
    seen = _current(lake.states)
    with lake.alone("rollback"):
        yield seen, _current(lake.states)


def _current(states: States) -> Pointer | None:
    """What is current; None where it is not said: a rollback may put that right."""
    try:
        return states.pointer()[0]
    except PointerError:
        return None


def _say_what_was_completed(current: Pointer | None) -> None:
    """Whoever repeats a command that was cut short would go back twice."""
    stands = f"run {current.run_id} is current now." if current else "no state is current."
    _console().print(
        f"What a command or a run had left undone was completed first: {stands}"
        " Nothing else was done; to go back from here, call it again."
    )


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

    first, second = as_run_id(one), as_run_id(other)
    console = _console()
    with open_lake(env) as lake:
        seen = lake_history.look(lake.states)
        before, after = seen.find(first).manifest, seen.find(second).manifest
        reasons = causes(lake.states, before, after)
        for cause in reasons:
            console.print(terminal.styled("[bold]{}[/]", cause))
        found = list(differences(lake.states, before, after, load_spec(lake.spec)))
    if not found:
        console.print("The two states hold the same rows.")
        return
    if not reasons:
        console.print(
            "Code, spec, parameters and Bronze are the same: it has another reason, such as the"
            " days that a run was asked for."
        )
    table = _table("table", "partitions", "added", "removed", "changed")
    for each in found:
        counts = (len(each.partitions), each.added, each.removed, each.changed)
        table.add_row(each.name, *(f"{number:,}" for number in counts))
    console.print(table)
    for each in found:
        for kind, keys in each.samples.items():
            more = ", ..." if getattr(each, kind) > len(keys) else ""
            console.print(
                terminal.styled("[dim]{} {}:[/] {}{}", each.name, kind, ", ".join(keys), more)
            )


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
    with open_lake(env) as lake:
        if not (lake.is_on_a_disk or (keep_days and keep_runs)):
            raise UsageError(
                "Of a lake in an object store, the states of a day and the last one are kept at"
                " least.",
                hint="what is younger may be on its way there: give --keep-days and --keep-runs 1"
                " or more.",
            )
        with lake.alone("gc") if delete else nullcontext():
            found = lake.find_garbage(
                keep_days=keep_days, keep_runs=keep_runs, now=datetime.now(UTC)
            )
            if delete:
                lake.delete(found)
    console = _console()
    console.print(
        f"Kept: {counted(len(found.kept), 'state')}. A state is kept if it is current, among the"
        f" newest {keep_runs:,}, or younger than {counted(keep_days, 'day')}."
    )
    if not found.entries:
        console.print("There is nothing else: nothing can be deleted.")
        return
    if found.dropped:
        table = _table("state that went" if delete else "state that goes", "written (UTC)", "rows")
        for one in found.dropped[:_AT_A_TIME]:
            table.add_row(one.run_id, _minute(one.written), f"{one.rows:,}")
        console.print(table)
        if len(found.dropped) > _AT_A_TIME:
            console.print(f"and {counted(len(found.dropped) - _AT_A_TIME, 'older state')}")
    what = f"{counted(len(found.entries), 'object')}, {decimal(found.bytes)}, which"
    if delete:
        console.print(f"Deleted: {what} no kept state names.")
        console.print(lake.when_freed())
        return
    console.print(
        f"To be deleted: {what} no kept state and no run at work names. Nothing was changed. To"
        " delete it:"
    )
    _say_command(f"gc --keep-days {keep_days} --keep-runs {keep_runs} --delete", env)


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
        verdicts: Counter[str] = Counter()
        looks = chain(patient.diagnoses(), _of_lake(layout), _of_warehouse(places))
        for one in looks:
            verdicts[one.verdict] += 1
            _console().print(_line(one))
    if verdicts["failed"]:
        raise RequestError(
            f"{verdicts['failed']} of {verdicts.total()} looks found something that stops a run."
        )
    _console().print(
        f"Nothing that was found stops a run. {counted(verdicts.total(), 'look')}:"
        f" {', '.join(f'{number} {verdict}' for verdict, number in verdicts.most_common())}."
    )


def _of_lake(layout: Layout) -> Iterator[Diagnosis]:
    """What was found of the objects that say what the lake is, and who is at work on it."""
    from medallion.errors import LockedError, MedallionError
    from medallion.lake.doctor import pointer_diagnosis
    from medallion.lake.published import Published
    from medallion.runs.lease import LEASE
    from medallion.runs.store_lease import read_note
    from medallion.storage.doctor import Diagnosis

    about = "lake lease"
    try:
        published = Published.at(layout.stores["silver"], layout.published)
        yield pointer_diagnosis(published)
        held, _ = read_note(published.storage)
    except LockedError as error:
        remove = f"`gcloud storage rm {published.storage.root}/{LEASE}`"
        yield Diagnosis(about, "failed", error.message, f"{error.hint.rstrip('.')}: {remove}.")
    except MedallionError as error:
        yield Diagnosis(about, "unknown", error.message, error.hint)
    else:
        yield Diagnosis(about, "ok", f"run {held.run_id} holds the lake" if held else "free")


def _of_warehouse(places: Mapping[str, Any]) -> Iterator[Diagnosis]:
    """What was found of a warehouse that is loaded."""
    from medallion.warehouse.bigquery.calls import BigQuery
    from medallion.warehouse.bigquery.doctor import diagnoses
    from medallion.warehouse.bigquery.settings import parse_settings

    if places["warehouse"]["backend"] == "bigquery":
        yield from diagnoses(BigQuery(parse_settings(places["warehouse"])))


def _line(one: Diagnosis) -> Table:
    """What one look has found, in columns of a fixed width: each is shown when it is known."""
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=_VERDICTS, no_wrap=True)
    line.add_column(width=_ABOUT, no_wrap=True)
    line.add_column(overflow="fold")
    verdict = Text(one.verdict, style=_COLOURS[one.verdict])
    told = terminal.styled("{}", one.found)
    if one.remedy:
        told.append(terminal.styled("\n[dim]what to do:[/] {}", one.remedy))
    line.add_row(verdict, one.about, told)
    return line


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def _say_command(command: str, env: str | None) -> None:
    """A command to copy, in one line."""
    given = f" --env {env}" if env else ""
    _console().print(f"  kedro lake {command}{given}", soft_wrap=True)


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
    return terminal.out()
