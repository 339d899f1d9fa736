"""`kedro lake`: compare what stands with its checksums, take days out."""

from __future__ import annotations

from datetime import date
from typing import Any

import click
from kedro.framework.session import KedroSession
from rich.console import Console

from medallion import terminal
from medallion.commands.choices import layers_of
from medallion.commands.lake_states import STALE_MARTS
from medallion.commands.parameters import params_option
from medallion.commands.people import ForPeople
from medallion.errors import LakeError
from medallion.lake.names import as_day
from medallion.runs import kept
from medallion.runs.lifecycle import alone
from medallion.storage.layout import Layout

_FROM_A_COPY = "Files of the trail are made by their runs alone: put them back from a copy."
_env = click.option("--env", "-e", default=None, help="Configuration environment.")


@click.command("verify", cls=ForPeople)
@_env
def verify(env: str | None) -> None:
    """Read every file of the lake, the warehouse, reports and trail; compare checksums.

    Each run compares names, sizes and times; this compares all bytes. It changes nothing.
    """
    from medallion.lake.verifying import verify_lake
    from medallion.pipelines.gates import changed_reports
    from medallion.pipelines.gold.nodes import are_stale

    session = KedroSession.create(env=env)
    with session:
        context = session.load_context()
        catalog = context.catalog
        lake = catalog.load("lake")
        layout = Layout.of(context.config_loader["globals"])
        with alone(lake.lake, layout.processes, "verify", layout):
            if lake.lake.state.source:
                for table in lake.lake.state.tables():
                    lake.lake.files(table)
            warehouse = catalog.load("warehouse.file")
            result = verify_lake(lake, warehouse.damage(thorough=True))
            trail = kept.changed_trail(layout, thorough=True)
            reports = [*changed_reports(lake), *kept.changed_reports(layout)]
            problems = [*result.problems, *reports, *trail]
            is_stale = are_stale(catalog.load("spec"), lake, warehouse.made_from("gold"))
    if problems:
        error = LakeError(
            f"The lake is not what its records say (findings: {len(problems):,}):",
            details=problems,
            hint=" ".join([result.advice, *([_FROM_A_COPY] if trail else [])]),
        )
        error.shown_details = len(problems)
        raise error
    _console().print(
        f"{result.partitions:,} partitions ({result.bytes:,} bytes) and the warehouse are what "
        "their checksums say."
    )
    if is_stale:
        _console().print(STALE_MARTS)


@click.command("forget", cls=ForPeople)
@click.argument("days", nargs=-1, required=True, metavar="DAY...")
@_env
@params_option
def forget(days: tuple[str, ...], env: str | None, params: dict[str, Any]) -> None:
    """Take days that Bronze no longer holds out of the lake and of all that was made of them.

    DAY is written as YYYY-MM-DD. It is refused while Bronze holds the day: the next run would
    process it again.
    """
    from kedro.runner import SequentialRunner

    from medallion.planning.plan import check_forgettable

    asked = sorted({as_day(day) for day in days})
    parameters = {**params, "forget": [day.isoformat() for day in asked]}
    session = KedroSession.create(env=env, runtime_params=parameters)
    with session:
        context = session.load_context()
        catalog = context.catalog
        lake, spec = catalog.load("lake"), catalog.load("spec")
        check_forgettable(asked, spec, catalog.load("bronze.inventory"), lake)
        session.run(runner=SequentialRunner(), pipeline_names=layers_of(env))
    _console().print(f"{_listed(asked)}: no longer in the lake.")


def _listed(days: list[date]) -> str:
    return ", ".join(map(str, days))


def _console() -> Console:
    return terminal.out(soft_wrap=True)
