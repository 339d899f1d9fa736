"""`kedro warehouse`: what is loaded of what is published, and loading what is not."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.session import KedroSession
from rich.console import Console

from medallion import terminal
from medallion.commands.people import ForPeople
from medallion.errors import MedallionError, RequestError, UsageError, meant
from medallion.lake.names import as_day
from medallion.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medallion.lake.inventory import LakeInventory
    from medallion.lake.published import Published
    from medallion.spec import Spec
    from medallion.warehouse import Warehouse
    from medallion.warehouse.bigquery.status import MartStatus, TableStatus
    from medallion.warehouse.bigquery.warehouse import BigQueryWarehouse

_env = click.option("--env", "-e", default=None, help="Configuration environment.")
_NOTHING_PUBLISHED = "Nothing has been published yet; `kedro run` publishes the first state."
_GOLD_FOLLOWS = (
    "Gold follows with the next run, and with `kedro run --pipelines gold` from this state at once."
)
_table = partial(terminal.table, numbers=("days", "rows", "pending"))


@dataclass(frozen=True)
class Loaded:
    """A warehouse that is loaded, and what it is loaded from.

    Attributes:
        warehouse: The warehouse.
        published: The lake as everybody reads it.
        spec: The tables.
        alone: Keeps runs away while it is loaded.
        lake: The lake as this machine knows it.
        layers: The pipelines of a whole run.
    """

    warehouse: BigQueryWarehouse
    published: Published
    spec: Spec
    alone: AbstractContextManager[str]
    lake: LakeInventory
    layers: Sequence[str]

    def expect_gold(self) -> None:
        """Makes sure that this environment builds Gold.

        Raises:
            RequestError: It does not.
        """
        if "gold" not in self.layers:
            raise RequestError(
                "This environment builds no Gold.",
                hint="name gold among `layers` in its globals.yml.",
            )


@click.group()
def warehouse() -> None:
    """Look at what the warehouse holds, and load what it lacks."""


@warehouse.command("status", cls=ForPeople)
@_env
def status(env: str | None) -> None:
    """Show for each table what is loaded, from which run, and what is pending and why.

    It changes nothing. A partition is pending if it is not known to stand in the warehouse as it is
    published. Of each mart of Gold: from which run's state it was built, and if it is stale, why.
    """
    with _opened(env) as (opened, found):
        if found:
            _show_status(found.warehouse.status(found.published, found.spec))
            if "gold" in found.layers:
                _show_marts(_marts_of(found))
            return
        _console().print(f"{_shows(opened)}, and nothing is pending.")
        if damage := opened.damage():
            _console().print(f"But it {damage}; the next run makes it anew.")


@warehouse.command("load", cls=ForPeople)
@click.option(
    "--again",
    "tables",
    multiple=True,
    metavar="TABLE",
    help="Load days of this table again, such as base_silver.orders; with --day.",
)
@click.option("--day", "days", multiple=True, metavar="DAY", help="A day, as YYYY-MM-DD.")
@_env
def load(tables: tuple[str, ...], days: tuple[str, ...], env: str | None) -> None:
    """Load what is published and pending, without a run; what stands already stays as it is.

    With --again and --day, those partitions are loaded although they are known to stand: after
    somebody has changed rows in the warehouse.
    """
    if bool(tables) != bool(days):
        raise UsageError(
            "--again and --day belong together.",
            hint="name the table and the day: --again base_silver.orders --day 2025-10-15.",
        )
    asked = [as_day(day, "--day") for day in days]
    with _opened(env) as (opened, found):
        if found is None:
            raise RequestError(
                f"{_shows(opened)}.",
                hint="name an environment whose warehouse is BigQuery, such as --env prod.",
            )
        again = [(_named(table, found.spec), day) for table in tables for day in asked]
        with found.alone:
            names = found.warehouse.load(found.published, found.spec, again)
        _console().print(
            f"The warehouse holds what is published: {len(names)} tables and views."
            if names
            else _NOTHING_PUBLISHED
        )


@warehouse.command("rebuild", cls=ForPeople)
@click.argument("mart")
@click.option("--day", "days", multiple=True, metavar="DAY", help="A day of it, as YYYY-MM-DD.")
@_env
def rebuild(mart: str, days: tuple[str, ...], env: str | None) -> None:
    """Let the next run build a mart of Gold again, although it is known to stand.

    After somebody has changed rows of it in BigQuery. Of a mart that is built by day, --day names
    the days; without it, all of them are built again. Nothing else is changed until then.
    """
    asked = tuple(as_day(day, "--day") for day in days)
    with _opened(env) as (opened, found):
        if found is None:
            raise RequestError(
                f"{_shows(opened)}, and Gold is a part of it.",
                hint="remove the file: the next run makes it anew.",
            )
        found.expect_gold()
        with found.alone:
            found.warehouse.again(mart.removeprefix("gold."), asked)
        what = f"{counted(len(asked), 'day')} of {mart}" if asked else mart
        _console().print(f"The next run builds {what} again: kedro run --env {env}.")


def reload_warehouse(places: Mapping[str, Any], published: Published, wanted: bool | None) -> None:
    """Loads what differs from what is published, where an environment has BigQuery.

    Args:
        places: What `globals.yml` says.
        published: The lake; whoever calls keeps runs away from it.
        wanted: Whether to load; None asks on a terminal, and loads nothing elsewhere.
    """
    from medallion.hooks.guard import declared
    from medallion.spec import load_spec
    from medallion.storage.patience import Patience, be_patient
    from medallion.warehouse.bigquery.warehouse import BigQueryWarehouse

    if "warehouse" not in places["layers"] or places["warehouse"]["backend"] != "bigquery":
        return
    be_patient(declared(places, "retries", Patience))
    opened, spec = BigQueryWarehouse(places["warehouse"]), load_spec(str(places["spec"]))
    try:
        tables = opened.status(published, spec)
    except MedallionError as error:
        # The lake was rolled back all the same.
        _console().print(terminal.styled("[yellow]note[/] {}", error))
        return
    pending = any(one.pending for one in tables)
    if not (wanted and pending):
        _console().print(_pending_line(tables))
    if wanted is None and pending and sys.stdin.isatty():
        wanted = click.confirm("Load them now?", default=True)
    if wanted and pending:
        opened.load(published, spec)
        _console().print("The warehouse holds this state.")
    if "gold" in places["layers"]:
        _console().print(_GOLD_FOLLOWS)


def _named(table: str, spec: Spec) -> str:
    """A table that is loaded, by its name.

    Raises:
        UsageError: There is none of this name.
    """
    from medallion.warehouse.bigquery.shapes import shapes

    known = shapes(spec)
    if table not in known:
        raise UsageError(
            f"--again {table}: no such table is loaded.",
            hint=f"{meant(table, known)}there are {', '.join(known)}.",
        )
    return table


def _show_status(tables: Sequence[TableStatus]) -> None:
    """Prints a line for each table, then what is pending and why."""
    if not tables:
        _console().print(_NOTHING_PUBLISHED)
        return
    loaded = _table("table", "days", "rows", "from run")
    for one in tables:
        loaded.add_row(one.name, f"{one.partitions:,}", f"{one.rows:,}", one.run_id)
    _console().print(loaded)
    pending = _table("table", "pending", "why")
    for one in tables:
        if one.why:
            pending.add_row(one.name, f"{one.pending:,}" if one.pending else "?", one.why)
    if pending.rows:
        _console().print()
        _console().print(pending)
    _console().print(f"\n{_pending_line(tables)}")


def _marts_of(found: Loaded) -> list[MartStatus]:
    """What stands of each mart."""
    from medallion.dbt_project import EngineSettings
    from medallion.pipelines.gold.nodes import pending

    layout = found.lake.layout
    limits = EngineSettings("1GB", 1, layout.cache / "dbt", layout.dbt)
    return found.warehouse.marts_status(pending(found.spec, found.lake, found.warehouse, limits))


def _show_marts(marts: Sequence[MartStatus]) -> None:
    """Prints a line for each mart, and how many the next run builds."""
    shown = _table("mart", "rows", "from run", "pending because")
    for one in marts:
        shown.add_row(f"gold.{one.name}", f"{one.rows:,}", one.run_id, one.why)
    _console().print()
    _console().print(shown)
    stale = [one for one in marts if one.why]
    _console().print(
        f"\nThe next run builds {counted(len(stale), 'mart')}."
        if stale
        else "\nGold is what the lake says."
    )


def _pending_line(tables: Sequence[TableStatus]) -> str:
    """What is pending in all, and what loads it."""
    pending = [one for one in tables if one.pending]
    unknown = sum(bool(one.why and not one.pending) for one in tables)
    if unknown:
        return f"Of {counted(unknown, 'table')} nobody can tell what is published."
    if not pending:
        return "The warehouse holds what is published."
    count = sum(one.pending for one in pending)
    return (
        f"Pending in the warehouse: {counted(count, 'partition')} of"
        f" {counted(len(pending), 'table')}. The next run loads them, and so does"
        " `kedro warehouse load`."
    )


@contextmanager
def _opened(env: str | None) -> Iterator[tuple[Warehouse, Loaded | None]]:
    """The warehouse of an environment, and what it is loaded from, if it is loaded."""
    from medallion.runs.lifecycle import alone
    from medallion.storage.layout import Layout
    from medallion.warehouse.bigquery.warehouse import BigQueryWarehouse

    session = KedroSession.create(env=env)
    with session:
        context: Any = session.load_context()
        catalog = context.catalog
        opened, lake = catalog.load("warehouse.file"), catalog.load("lake").lake
        source = lake.state.source
        if source is None or not isinstance(opened, BigQueryWarehouse):
            yield opened, None
            return
        layout = Layout.of(context.config_loader["globals"])
        own = alone(lake, layout.processes, "warehouse-load", layout)
        layers = context.config_loader["globals"]["layers"]
        spec = catalog.load("spec")
        yield opened, Loaded(opened, source.published, spec, own, catalog.load("lake"), layers)


def _shows(warehouse: Warehouse) -> str:
    place = warehouse.relation("").rstrip("/")
    return f"The warehouse {place} shows the lake as it stands, by views: nothing is loaded into it"


def _console() -> Console:
    return terminal.out()
