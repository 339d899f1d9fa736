"""The run plan as a table for a person."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from medallion.planning.plan import RunPlan
from medallion.terminal import styled


def show_plan(plan: RunPlan, console: Console) -> None:
    """Prints what a run would process and the reason for each partition."""
    if plan.is_empty and not plan.recoded:
        console.print(f"Nothing is pending (horizon {plan.horizon}).")
    else:
        console.print(_table(plan))
    for finding in plan.findings:
        console.print(styled("[yellow]note[/] {}", finding))


def _table(plan: RunPlan) -> Table:
    table = Table(title=f"{plan.mode}: {plan.start or '-'} to {plan.end}", title_justify="left")
    for column in ("table", "partition", "reason"):
        table.add_column(column)
    for dimension in plan.dimensions:
        snapshot = f"snapshot_dt={dimension.day}" if dimension.stale else "-"
        table.add_row(dimension.name, snapshot, dimension.reason)
    for partition in plan.partitions:
        table.add_row(partition.table, partition.partition, partition.reason)
    for one in plan.recoded:
        days = "1 day" if one.days == 1 else f"{one.days:,} days"
        table.add_row(f"enriched.{one.name}", days, one.reason)
    return table
