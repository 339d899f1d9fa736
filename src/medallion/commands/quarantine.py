"""`kedro quarantine`: what was put aside, for the person who has to deal with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from medallion import terminal
from medallion.commands.choices import layers_of
from medallion.commands.parameters import params_option
from medallion.commands.people import ForPeople
from medallion.errors import UsageError
from medallion.lake.names import as_day, as_identifier, as_reason

if TYPE_CHECKING:
    from medallion.lake.inventory import LakeInventory
    from medallion.lake.quarantined import Selection

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OWN_PARAMETERS = ("ingest_dt", "start", "end", "replay")
_env = click.option("--env", "-e", default=None, help="Configuration environment.")
_reason = click.option(
    "--reason", default=None, help="A code such as `fk:customer_id`, or a class such as `fk`."
)


def _days(command: _Command) -> _Command:
    end = click.option("--end", default=None, help="Last partition day.")
    return click.option("--start", default=None, help="First partition day.")(end(command))


@click.group()
def quarantine() -> None:
    """Rows that were put aside: count, show, export, replay."""


@quarantine.command("summary", cls=ForPeople)
@click.option("--table", default=None, help="One table; all by default.")
@_days
@click.option("--by-day", is_flag=True, help="Count each partition day for itself.")
@_env
def summary(
    table: str | None, start: str | None, end: str | None, by_day: bool, env: str | None
) -> None:
    """Count quarantined rows by table and reason."""
    from medallion.quarantine.summary import print_lines, summarize

    asked = _selection(table, None, start, end)
    with _lake(env) as lake:
        lines = summarize(lake, _checked(asked, lake), by_day=by_day)
        print_lines(lines, asked, _console())


@quarantine.command("show", cls=ForPeople)
@click.argument("table")
@_reason
@_days
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@_env
def show(
    table: str,
    reason: str | None,
    start: str | None,
    end: str | None,
    limit: int,
    env: str | None,
) -> None:
    """Show quarantined rows of TABLE as they came, what is wrong first.

    Personal values are masked: only whether they are there, and about how long, is shown.
    """
    from medallion.lake.quarantined import selected_rows
    from medallion.quarantine.rows import read_records
    from medallion.quarantine.showing import print_records
    from medallion.quarantine.summary import print_nothing

    asked = _selection(table, reason, start, end)
    with _lake(env) as lake:
        selection = _checked(asked, lake)
        rows = sum(selected_rows(lake, table, selection).values())
        if not rows:
            print_nothing(asked, _console())
            return
        print_records(read_records(lake, table, selection, limit), table, rows, _console())


@quarantine.command("export", cls=ForPeople)
@click.argument("table", required=False)
@_reason
@_days
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="A CSV file; without TABLE a folder, for one CSV file per table.",
)
@click.option("--force", is_flag=True, help="Replace files that are there.")
@_env
def export(
    table: str | None,
    reason: str | None,
    start: str | None,
    end: str | None,
    output: Path,
    force: bool,
    env: str | None,
) -> None:
    """Write quarantined rows of TABLE, or of all tables, as CSV; personal values are masked."""
    from medallion.quarantine.exporting import export_table, export_tables
    from medallion.quarantine.summary import print_nothing

    asked = _selection(table, reason, start, end)
    with _lake(env) as lake:
        selection = _checked(asked, lake)
        if table:
            written = {table: export_table(lake, table, selection, output, force=force)}
        else:
            written = export_tables(lake, selection, output, force=force)
    if not any(written.values()):
        print_nothing(asked, _console())
        return
    for name, rows in written.items():
        file = output if table else output / f"{name}.csv"
        _console().print(f"{name}: {rows:,} rows in {file}", soft_wrap=True)


@quarantine.command("replay", cls=ForPeople)
@click.option("--table", default=None, help="One table; all by default.")
@_reason
@_days
@_env
@params_option
def replay(
    table: str | None,
    reason: str | None,
    start: str | None,
    end: str | None,
    env: str | None,
    params: dict[str, Any],
) -> None:
    """Score the Bronze partitions of quarantined rows again, after a fix.

    It is an ordinary run over these partitions, with all gates: rows that pass now move to
    Base Silver, and everything behind follows.
    """
    from kedro.framework.session import KedroSession
    from kedro.runner import SequentialRunner

    from medallion.quarantine.replaying import replay as replay_rows

    asked = _selection(table, reason, start, end)
    parameters = {**_without_own(params), **_replay_parameters(asked)}
    session = KedroSession.create(env=env, runtime_params=parameters)
    with session:
        catalog = session.load_context().catalog
        request = catalog.load("params:run")
        bronze, lake = catalog.load("bronze.inventory"), catalog.load("lake")
        layers = layers_of(env)
        run = partial(session.run, runner=SequentialRunner(), pipeline_names=layers)
        replay_rows(run, request, bronze, lake, _console())


def _without_own(params: dict[str, Any]) -> dict[str, Any]:
    own = sorted(name for name in params if name.split(".")[0] in _OWN_PARAMETERS)
    if own:
        raise UsageError(
            f"--params cannot set {', '.join(own)} of a replay.",
            hint="use --table, --reason, --start and --end.",
        )
    return params


def _replay_parameters(asked: Selection) -> dict[str, Any]:
    wanted = {"tables": list(asked.tables), "reasons": list(asked.reasons)}
    first, last = asked.window or (None, None)
    days = {"start": str(first), "end": str(last)} if asked.window else {}
    return {"replay": wanted, **days}


def _selection(
    table: str | None, reason: str | None, start: str | None, end: str | None
) -> Selection:
    from medallion.lake.quarantined import Selection

    return Selection(
        tables=(as_identifier(table, "table"),) if table else (),
        reasons=(as_reason(reason),) if reason else (),
        window=_window(start, end),
    )


def _window(start: str | None, end: str | None) -> tuple[date, date] | None:
    if bool(start) != bool(end):
        raise UsageError("A window needs both --start and --end.")
    if not start:
        return None
    first, last = as_day(start, "start"), as_day(end, "end")
    if first > last:
        raise UsageError(f"The window starts ({first}) after its end ({last}).")
    return first, last


@contextmanager
def _lake(env: str | None) -> Iterator[LakeInventory]:
    from kedro.framework.session import KedroSession

    session = KedroSession.create(env=env)
    with session:
        yield session.load_context().catalog.load("lake")


def _checked(asked: Selection, lake: LakeInventory) -> Selection:
    from medallion.lake.quarantined import check_selection

    return check_selection(asked, lake)


def _console() -> Any:
    return terminal.out()
