"""The commands beside Kedro's own, and `kedro run` with errors for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.session import KedroSession

from medallion import terminal
from medallion.commands.choices import check_run, layers_of
from medallion.commands.lake import forget, verify
from medallion.commands.parameters import params_option, with_params
from medallion.commands.people import ForPeople
from medallion.commands.published import diff, doctor, gc, history, rollback
from medallion.commands.quality import quality
from medallion.commands.quarantine import quarantine
from medallion.commands.runs import runs
from medallion.commands.warehouse import warehouse
from medallion.lake.names import as_day
from medallion.project import CONF


@click.group(name="medallion")
def cli() -> None:
    """Bronze to Gold."""


class _Run(ForPeople):
    """`kedro run` that knows beforehand whether all it is asked for by name is there."""

    def prepare(self, ctx: click.Context) -> None:
        """Checks the names of pipelines, nodes, datasets, tags and the runner.

        A run that names no pipeline is of those that its environment has.
        """
        if not (ctx.params["pipelines"] or ctx.params["pipeline"]):
            ctx.params["pipelines"] = layers_of(ctx.params["env"], ctx.params["conf_source"])
        check_run(ctx.params)


cli.add_command(
    _Run(
        "run",
        params=with_params(kedro_run.params),
        callback=kedro_run.callback,
        help=kedro_run.help,
    )
)

cli.add_command(quality)
cli.add_command(quarantine)
cli.add_command(runs)
cli.add_command(warehouse)


@cli.group()
def lake() -> None:
    """Look at the lake and at what a run would do."""


for command in (verify, forget, history, rollback, diff, gc, doctor):
    lake.add_command(command)


@lake.command("plan", cls=ForPeople)
@click.option("--env", "-e", default=None, help="Configuration environment.")
@params_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="For a person, or for a scheduler.",
)
def lake_plan(env: str | None, params: dict[str, Any], form: str) -> None:
    """Show what a run would process, and why, without running."""
    from medallion.lake.damage import find_damage
    from medallion.lake.strangers import own, strangers
    from medallion.pipelines.bronze import nodes
    from medallion.planning.showing import show_plan

    session = KedroSession.create(env=env, runtime_params=params)
    with session:
        catalog = session.load_context().catalog
        request = catalog.load("params:run")
        spec, inventory = catalog.load("spec"), catalog.load("bronze.inventory")
        damaged = own(find_damage(catalog.load("lake").lake), catalog.load("lake"))
        sound = catalog.load("lake").without(damage.path for damage in damaged)
        plan = nodes.plan(request, spec, inventory, sound, catalog.load("run_plan_before"))
        if form == "json":
            click.echo(json.dumps({**plan.summary(), "damaged": [str(one) for one in damaged]}))
            return
        show_plan(plan, terminal.out())
        for damage in (*damaged, *strangers(catalog.load("lake"))):
            terminal.out().print(terminal.styled("[yellow]note[/] {}", damage))


@cli.group()
def bronze() -> None:
    """Make Bronze data to try things with."""


@bronze.command("generate", cls=ForPeople)
@click.option("--days", default=7, show_default=True, help="Ingest days.")
@click.option("--orders-per-day", default=300, show_default=True, help="Orders on a day.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same bytes.")
@click.option(
    "--mess",
    type=click.Choice(["none", "light", "medium", "heavy"]),
    default="light",
    show_default=True,
    help="Cosmetic damage, as the real producer has it.",
)
@click.option("--start", default="2025-10-01", show_default=True, help="First ingest day.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="A new folder.")
@click.option("--defects", is_flag=True, help="Also plant real defects, and record them.")
def bronze_generate(
    days: int,
    orders_per_day: int,
    seed: int,
    mess: Literal["none", "light", "medium", "heavy"],
    start: str,
    output: Path,
    defects: bool,
) -> None:
    """Generate sample Bronze like the real producer's."""
    from medallion.sample import SampleRequest, generate
    from medallion.spec import load_spec

    request = SampleRequest(
        output=output,
        start=as_day(start, "start"),
        days=days,
        orders_per_day=orders_per_day,
        seed=seed,
        mess=mess,
        defects=defects,
    )
    report = generate(request, spec=load_spec(CONF / "base" / "spec.yml"))
    terminal.out().print(str(report))
