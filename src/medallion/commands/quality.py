"""`kedro quality`: what the gates expect, and what they found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click
from kedro.framework.session import KedroSession
from rich.text import Text

from medallion import terminal
from medallion.commands.people import ForPeople
from medallion.errors import LakeError
from medallion.storage.layout import Layout

if TYPE_CHECKING:
    from medallion.gates.suite import Suite

_ENV = click.option("--env", "-e", default=None, help="Configuration environment.")
_COLOURS = {"critical": "red", "warning": "yellow", "info": "blue"}


@click.group()
def quality() -> None:
    """Look at what the gates expect, and at what they found."""


@quality.command("show", cls=ForPeople)
@click.argument("table")
@_ENV
def show(table: str, env: str | None) -> None:
    """Show all that is expected of TABLE, as `orders` or `base_silver.orders`.

    What a suite says and what follows from the spec are shown together, with their origin.
    """
    console = terminal.out()
    session = KedroSession.create(env=env)
    with session:
        suites = session.load_context().catalog.load("suites")
    for suite in suites.find(table):
        for line in _as_text(suite):
            console.print(line, soft_wrap=True, highlight=False)


@quality.command("docs", cls=ForPeople)
@_ENV
def docs(env: str | None) -> None:
    """Write Great Expectations' Data Docs of the last validations; they open offline."""
    from medallion.gates.reports.docs import write_docs

    session = KedroSession.create(env=env)
    with session:
        layout = Layout.of(session.load_context().config_loader["globals"])
    results = layout.written_results()
    if not results:
        raise LakeError("Nothing has been validated yet.", hint="run `kedro run` first.")
    page = write_docs(results, layout.data_docs)
    terminal.out().print(f"{page}: open it in a browser.", soft_wrap=True)


def _as_text(suite: Suite) -> Iterable[Text]:
    """The suite by subject: what is expected and how gravely, then why and who says so."""
    yield terminal.styled("\n[bold]{}[/]", suite.name)
    for subject, expectations in suite.subjects.items():
        yield terminal.styled("\n  [bold]{}[/]", subject)
        for expectation in expectations:
            query = expectation.arguments.get("unexpected_rows_query")
            says = "no rows from the query below" if query else expectation.says
            colour = _COLOURS[expectation.severity]
            yield Text.assemble("    ", (f"{expectation.severity:<8}", colour), f"  {says}")
            why = f"{expectation.note} ({_short(expectation.origin)})"
            yield terminal.styled("              [dim]{}[/]", why)
            for line in str(query or "").strip().splitlines():
                yield terminal.styled("              [dim]| {}[/]", line)


def _short(origin: str) -> str:
    """Where the project keeps it: a file below `conf/`, or a key of the spec."""
    _, found, below = origin.partition("expectations/")
    return f"{found}{below}" if found else origin
