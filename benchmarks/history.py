"""What history costs: the same day, and nothing to do, after a week and after six years.

Several builds can be measured beside each other on the same Bronze (`--before CHECKOUT`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from processes import HERE, START, THIS, Build, bronze_rows, fresh, generate, kedro, roots

# Days of history: a week beside six years says whether a day costs a day.
HISTORIES = (7, 2_190)
# Runs that last seconds are repeated and their median is taken.
REPEATS = 3
MILLION = 1_000_000
PLAN = "enriched.plan"


@dataclass(frozen=True)
class Work:
    """One kind of work, as the table shows it.

    Attributes:
        text: What is done.
        key: Where its measure stands in a build's results.
        unit: `cpu_seconds` or `seconds` of wall time.
        wanted: What is aimed at.
    """

    text: str
    key: str
    unit: str
    wanted: str


WORKS = (
    Work("nothing to do, after 2,190 days", "2190/nothing", "cpu_seconds", "≤ 4.0"),
    Work("one new day after 2,190 days, all layers", "2190/day", "cpu_seconds", "≤ 40"),
    Work("the same day after 7 days", "7/day", "cpu_seconds", ""),
    Work("planning alone (`enriched.plan`) of that day", "2190/plan", "cpu_seconds", "≤ 1.0"),
    Work("2,190 days from nothing", "2190/all", "cpu_seconds", ""),
    Work("1 M rows in 30 days, from nothing (wall)", "million", "seconds", "not slower"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that belong to `--history`."""
    parser.add_argument("--before", type=Path, help="another checkout to measure beside this one")
    parser.add_argument(
        "--orders-per-day", type=int, default=12, help="orders a day with --history (12)"
    )


def measure(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    """All kinds of work by every build, in turn, on the same Bronze.

    Returns:
        For each build its name and commit's folder, and what each kind of work took.
    """
    builds = [THIS, *([Build.at("before", options.before.resolve())] if options.before else [])]
    place = fresh(options.data / "history")
    console.print(f"Bronze of {max(HISTORIES) + 1:,} days ...", highlight=False)
    generate(place / "bronze", max(HISTORIES) + 1, options.orders_per_day)
    generate(place / "million", 30, round(MILLION / (30 * 47)))
    taken: dict[str, dict[str, Any]] = {build.name: {} for build in builds}
    for days in HISTORIES:
        for build in builds:
            console.print(f"{build.name}: {days:,} days of history ...", highlight=False)
            taken[build.name] |= _after(days, build, place)
    console.print("1 M rows ...", highlight=False)
    for build, found in zip(builds, _alternating(builds, place), strict=True):
        taken[build.name]["million"] = found
    if not options.keep:
        shutil.rmtree(place)
    return [{"build": name, "works": works} for name, works in taken.items()]


def _after(days: int, build: Build, place: Path) -> dict[str, Any]:
    """What a build takes for so many days, for nothing after them, and for the next day."""
    last = START + timedelta(days=max(HISTORIES))
    own = place / build.name.replace(" ", "-")
    bronze, data = own / f"bronze-{days}", own / f"data-{days}"
    link_days(place / "bronze", bronze, last - timedelta(days=days), last - timedelta(days=1))
    rows = bronze_rows(bronze)
    works = {"all": _run(build, bronze, data) | {"rows": rows}}
    works["nothing"] = _median([_run(build, bronze, data) for _ in range(REPEATS)])
    link_days(place / "bronze", bronze, last, last)
    told = own / f"plan-{days}.json"
    through = (str(HERE / "node_seconds.py"), PLAN, str(told))
    works["day"] = _run(build, bronze, data, through) | {"rows": bronze_rows(bronze) - rows}
    works["plan"] = {"cpu_seconds": json.loads(told.read_text(encoding="utf-8"))}
    return {f"{days}/{name}": work for name, work in works.items()}


def _alternating(builds: Sequence[Build], place: Path) -> list[dict[str, Any]]:
    """A million rows from nothing, each build in its turn, so that a busy minute hits all."""
    runs: list[list[dict[str, Any]]] = [[] for _ in builds]
    for repeat in range(REPEATS):
        for build, mine in zip(builds, runs, strict=True):
            data = place / f"million-{build.name.replace(' ', '-')}-{repeat}"
            mine.append(_run(build, place / "million", data))
            shutil.rmtree(data)
    rows = bronze_rows(place / "million")
    return [_median(mine) | {"rows": rows} for mine in runs]


def _run(
    build: Build, bronze: Path, data: Path, through: Sequence[str] = ("-m", "kedro")
) -> dict[str, Any]:
    data.mkdir(parents=True, exist_ok=True)
    log = data.with_suffix(".log")
    return kedro(roots(bronze, data), log, "run", build=build, through=through)


def _median(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}


def link_days(source: Path, target: Path, first: date, last: date) -> None:
    """Hard-links the event partitions of some days, and the dimensions, into another Bronze."""
    for folder in sorted(source.glob("*/*=*")):
        key, _, value = folder.name.partition("=")
        wanted = key != "ingest_dt" or first <= date.fromisoformat(value) <= last
        destination = target / folder.parent.name / folder.name
        if wanted and not destination.exists():
            shutil.copytree(folder, destination, copy_function=os.link)


def to_markdown(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each kind of work, one column for each build, and what was wanted."""
    names = [str(result["build"]) for result in results]
    works = [result["works"] for result in results]
    lines = [
        f"| CPU seconds of | {' | '.join(names)} | wanted |",
        f"|---|{'---:|' * len(names)}---|",
    ]
    for work in WORKS:
        taken = [_shown(found.get(work.key), work.unit) for found in works]
        lines.append(f"| {work.text} | {' | '.join(taken)} | {work.wanted} |")
    mine = works[0]
    rows = ", ".join(_rows(mine))
    return [*lines, "", f"Bronze rows: {rows}. Peak memory of the whole history: {_peak(mine)}."]


def _shown(found: Mapping[str, Any] | None, unit: str) -> str:
    seconds = found and found[unit]
    return "" if seconds is None else f"{seconds:.1f}" if seconds >= 1 else f"{seconds:.2f}"


def _rows(works: Mapping[str, Any]) -> Iterable[str]:
    yield f"{works['2190/all']['rows']:,} in 2,190 days"
    yield f"{works['2190/day']['rows']:,} in the new day"
    yield f"{works['million']['rows']:,} in 30 days"


def _peak(works: Mapping[str, Any]) -> str:
    return f"{works['2190/all']['peak_rss_bytes'] / 2**30:.1f} GiB"
