"""`kedro runs`: what happened, when, to which rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.session import KedroSession
from rich.console import Console
from rich.table import Table
from rich.text import Text

from medallion import terminal
from medallion.commands.people import ForPeople
from medallion.errors import RequestError, UsageError, shown
from medallion.lake.names import as_day, as_identifier, as_run_id
from medallion.lake.views import folder_of
from medallion.runs.audit.trail import KILLED, STARTED

if TYPE_CHECKING:
    from medallion.lake.store import Lake
    from medallion.runs.audit.trail import AuditTrail
    from medallion.storage.layout import Layout

_ENV = click.option("--env", "-e", default=None, help="Configuration environment.")
_COLOURS = {
    "succeeded": "green",
    "failed": "red",
    "interrupted": "red",
    KILLED: "red",
    "closed": "yellow",
    "running": "yellow",
}
_LAYERS = ("dims", "base_silver", "enriched", "gold")
_table = partial(
    terminal.table,
    numbers=("rows", "put aside", "failed", "seconds", "partitions"),
    fixed=("run", "status", "rows", "failed", "seconds"),
)


@click.group()
def runs() -> None:
    """Look at what runs have done."""


@runs.command("list", cls=ForPeople)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000))
@_ENV
def list_runs(limit: int, env: str | None) -> None:
    """List the runs, the newest first."""
    console = terminal.out()
    with _trail(env) as (trail, holder, *_):
        found = trail.runs()
    if not found:
        console.print("No run has left a record yet; `kedro run` makes the first one.")
        return
    table = _table("run", "status", "days", "rows", "failed", "seconds")
    for run in found[:limit]:
        table.add_row(*_line(run, holder))
    console.print(table)
    if len(found) > limit:
        console.print(f"{len(found) - limit:,} older runs; ask for more with --limit.")


@runs.command("show", cls=ForPeople)
@click.argument("run_id")
@_ENV
def show(run_id: str, env: str | None) -> None:
    """Show one run: verdict, window, tables, gates, code."""
    console, wanted = terminal.out(), as_run_id(run_id)
    with _trail(env) as (trail, holder, _, layout, layers):
        run = trail.run(wanted)
        if run["status"] == STARTED:
            run["steps"] = _steps_so_far(layout, run["run_id"])
            run["to_do"] = steps_to_do(layers, run["steps"])
    status = _status(run, holder)
    title = terminal.styled("[bold]{}[/]  ", run["run_id"]).append(status, style=_COLOURS[status])
    console.print(title, soft_wrap=True)
    for name, value in _described(run):
        console.print(f"  {name:<10}{value}", soft_wrap=True)
    if run.get("tables"):
        table = _table("table", "partitions", "rows", "put aside")
        for name, counts in run["tables"].items():
            table.add_row(name, *(f"{counts[c]:,}" for c in ("partitions", "rows", "quarantined")))
        console.print(table)
    if run.get("steps"):
        console.print(_steps(run["steps"]))


def _steps_so_far(layout: Layout, run_id: str) -> list[dict[str, Any]]:
    """The steps of a run that has not ended, by its journal."""
    from medallion.runs.journal import Journal
    from medallion.runs.record import compiled
    from medallion.runs.sinks.audit import steps_of

    return list(steps_of(compiled(run_id, Journal.of(layout, run_id).read())))


def steps_to_do(layers: Iterable[str], steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """The steps of a whole run that are not done, in an order in which they can be.

    Args:
        layers: The pipelines of a whole run.
        steps: What is known of the steps that were begun.
    """
    from kedro.framework.project import pipelines

    done = {one["step"] for one in steps if one["seconds"] is not None and not one["error"]}
    whole = dict.fromkeys(node.name for layer in layers for node in pipelines[layer].nodes)
    return [name for name in whole if name not in done]


def _steps(steps: Iterable[Mapping[str, Any]]) -> Table:
    """The steps of a run, and where and how often each was done."""
    table = _table("step", "process", "tries", "seconds", "error")
    for step in steps:
        seconds = "" if step["seconds"] is None else f"{step['seconds']:.1f}"
        error = (step["error"] or "").partition("\n")[0]
        table.add_row(step["step"], step["process"], str(step["tries"]), seconds, error)
    return table


@runs.command("close", cls=ForPeople)
@click.argument("run_id")
@_ENV
def close(run_id: str, env: str | None) -> None:
    """End a run that no other process will go on with, and let the lake go.

    A run whose id was given (`--params run_id=R`) ends by itself when the last of its steps is
    done. This ends it before: its commits are completed, and its record, report and lineage are
    written.
    """
    from medallion.runs.lifecycle import at_work, holder
    from medallion.settings import current

    session = KedroSession.create(env=env, runtime_params={"run_id": run_id})
    with session:
        context = session.load_context()
        run = current.run
        if not run.folder.is_there() and holder(run.lake, run.locks) != run_id:
            raise UsageError(
                f"There is no run {run_id!r} to close.", hint="`kedro runs list` shows the runs."
            )
        if at_work(run.lake, run.locks, run.folder.run_id):
            raise RequestError(
                f"Processes of run {run_id} are at work.",
                hint="wait for them to end, or stop them, then close the run.",
            )
        run.folder.restore()
        current.check({}, context.catalog)
        run.begin({})
        if not run.end("closed", frozenset()):
            raise RequestError(
                f"The end of run {run_id} could not be written down.",
                hint="put right what is said above, then close it again, or the next run does.",
            )
    terminal.out().print(f"Run {run_id} is closed; the lake is free.")


@runs.command("diff", cls=ForPeople)
@click.argument("first")
@click.argument("second")
@_ENV
def diff(first: str, second: str, env: str | None) -> None:
    """Show what differs between two runs: configuration, code, rows, verdicts, time."""
    console, wanted = terminal.out(), [as_run_id(name) for name in (first, second)]
    with _trail(env) as (trail, *_):
        one, other = (_flat(trail.run(name)) for name in wanted)
    table = _table("what", first, second)
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            table.add_row(name, *(_said(run.get(name)) for run in (one, other)))
    console.print(table if table.row_count else "The two runs differ in nothing but their time.")


@runs.command("why", cls=ForPeople)
@click.argument("table")
@click.argument("day")
@_ENV
def why(table: str, day: str, env: str | None) -> None:
    """Show which run wrote a partition, from what, and what the run before it had.

    TABLE is named as in the catalog (`base_silver.orders`), DAY as YYYY-MM-DD.
    """
    layer, _, name = table.partition(".")
    if layer not in _LAYERS or not name:
        raise UsageError(
            f"{shown(table)} names no table.",
            hint=f"write <layer>.<table>, with one of {', '.join(_LAYERS)}.",
        )
    name = as_identifier(name, "table")
    value = None if layer == "gold" else str(as_day(day))
    console = terminal.out()
    with _trail(env) as (trail, _, lake, *_):
        wrote = trail.writers(layer, name, value)
        if value and lake.state.source:
            lake.state.source.refresh()
            placed = lake.placed(folder_of(f"{layer}.{name}"))
            standing = {one.manifest.value: one.manifest.content_hash for one in placed}
            wrote = _since(wrote, standing.get(value))
        found = list(islice(wrote, 2))
    if not found:
        raise RequestError(
            f"No run has left a record of writing {table} of {day}.",
            hint="`kedro runs list` shows the runs there are.",
        )
    _tell(console, table, day, found)


def _since(records: Iterable[dict[str, Any]], standing: str | None) -> Iterator[dict[str, Any]]:
    """Records of a partition, from the one on that says what stands.

    In an object store a newer one may tell of a state that was left by a rollback, or of a run at
    work. What stands is not always recorded: the trail may be younger than the lake.

    Args:
        records: The records, the newest first.
        standing: The hash of what stands; None if the partition was removed.
    """
    every = list(records)
    newer = takewhile(lambda record: record["content_hash"] != standing, every)
    skipped = sum(1 for _ in newer)
    yield from every[skipped if skipped < len(every) else 0 :]


def _tell(console: Console, table: str, day: str, found: list[dict[str, Any]]) -> None:
    """The last two writings of a partition, and what differs between them."""
    now = found[0]
    console.print(
        terminal.styled("[bold]{} of {}[/] was {} by {}", table, day, now["status"], now["run_id"]),
        soft_wrap=True,
    )
    for name in _TOLD:
        if now[name] is not None:
            console.print(f"  {name:<40}{_said(now[name])}", soft_wrap=True)
    for name, fingerprint in sorted(now["input_manifests"].items()):
        console.print(f"  {f'made from {name}':<40}{fingerprint[:16]}", soft_wrap=True)
    if len(found) == 1:
        console.print("No run before it has left a record of this partition.")
        return
    before = found[1]
    console.print(f"\nBefore it, {before['run_id']} had {before['status']} it:", soft_wrap=True)
    for name, then, is_now in _differences(before, now):
        console.print(f"  {name:<40}{_short(then)} -> {_short(is_now)}", soft_wrap=True)


def _differences(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterable[tuple[str, object, object]]:
    """What differs between two records of a partition, its inputs one by one."""
    for name in _TOLD:
        if before[name] != now[name]:
            yield name, before[name], now[name]
    then, is_now = before["input_manifests"], now["input_manifests"]
    for name in sorted({*then, *is_now}):
        if then.get(name) != is_now.get(name):
            yield f"made from {name}", then.get(name), is_now.get(name)


_TOLD = (
    "input_rows", "output_rows", "quarantine_rows", "quality_failures", "bytes_written",
    "content_hash", "ended_at", "git_sha", "code_version", "config_hash",
)  # fmt: skip


@contextmanager
def _trail(env: str | None) -> Iterator[tuple[AuditTrail, str, Lake, Layout, tuple[str, ...]]]:
    """The trail, the run that holds the lake now, if one does, the lake, and where things are.

    And the pipelines of a whole run.
    """
    from medallion.lake.store import Lake
    from medallion.runs.lifecycle import holder
    from medallion.storage.layout import Layout

    session = KedroSession.create(env=env)
    with session:
        context = session.load_context()
        places = context.config_loader["globals"]
        layout = Layout.of(places)
        lake = Lake(layout.silver)
        holding = holder(lake, layout.processes)
        yield context.catalog.load("audit.trail"), holding, lake, layout, tuple(places["layers"])


def _status(run: Mapping[str, Any], holder: str) -> str:
    """A run without an end is at work while it holds the lake; else it was killed."""
    if run["status"] != STARTED:
        return str(run["status"])
    return "running" if holder == run["run_id"] else KILLED


def _line(run: Mapping[str, Any], holder: str) -> Iterable[str | Text]:
    status = _status(run, holder)
    counts = run.get("tables", {}).values()
    gates = run.get("gates", {}).values()
    failed = sum(int(gate["failed"]) + int(gate["standing"]) for gate in gates)
    yield str(run["run_id"])
    yield Text(status, style=_COLOURS[status])
    yield _days(run)
    yield f"{sum(int(one['rows']) for one in counts):,}"
    yield f"{failed:,}"
    yield f"{run['seconds']:.1f}" if "seconds" in run else ""


def _days(run: Mapping[str, Any]) -> str:
    partitions = (run.get("plan") or {}).get("partitions", ())
    days = sorted({str(one["partition"]).partition("=")[2] for one in partitions})
    if len(days) < 2:  # noqa: PLR2004 - a span has two ends
        return "".join(days)
    last = days[-1][5:] if days[-1][:4] == days[0][:4] else days[-1]
    return f"{days[0]}..{last}"


def _described(run: Mapping[str, Any]) -> Iterable[tuple[str, object]]:
    yield "began", run["started_at"]
    if "seconds" in run:
        yield "took", f"{run['seconds']:.1f} s"
    yield "days", _days(run) or ("none were due" if run["plan"] else "not planned yet")
    yield "asked for", f"{run['pipeline']} in {run['env']}"
    yield "code", f"{run['code_version']}, commit {run['git_sha'] or 'unknown'}"
    for code in run.get("codes", ())[1:]:
        yield "", f"in later steps {code}"
    yield "config", run["config_hash"]
    for layer, gate in run.get("gates", {}).items():
        standing = f", {gate['standing']} of earlier runs stand" if gate["standing"] else ""
        failed = f"{gate['failed']} of {gate['evaluated']} failed{standing}"
        yield "gate", f"{layer}: {gate['verdict']} ({failed}, {gate['mode']})"
    if run.get("published") is False:
        yield "published", "nothing: nobody has come to read what it made"
    if run.get("to_do"):
        yield "to do", ", ".join(run["to_do"])
    if run.get("error"):
        yield "error", run["error"]


def _flat(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run as one level of names, without what differs between any two."""
    left_out = ("run_id", "started_at", "ended_at", "plan", "steps")
    kept = {name: value for name, value in run.items() if name not in left_out}
    return {**dict(_paths("", kept)), "days": _days(run)}


def _paths(prefix: str, value: object) -> Iterable[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _paths(f"{prefix}.{name}" if prefix else str(name), inner)
    else:
        yield prefix, value


def _said(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)


def _short(value: object) -> str:
    text = _said(value) or "none"
    return f"{text[:12]}..." if len(text) > 40 else text  # noqa: PLR2004 - a hash is longer
