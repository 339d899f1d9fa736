"""How long the pipeline takes, beside the same work without a framework.

    uv run python benchmarks/run.py                     0.1 M, 1 M and 10 M rows
    uv run python benchmarks/run.py --quick             0.1 M only
    uv run python benchmarks/run.py --rows 100000000    any size, also several
    uv run python benchmarks/run.py --history           what six years of history cost
    uv run python benchmarks/run.py --history --before ../medallion-before
                                                        beside another checkout of the project

Everything runs in fresh processes. Each call writes one dated JSON file and its Markdown table
to `benchmarks/results/`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

import history
from processes import (
    GIB,
    HERE,
    PROJECT,
    as_dict,
    bronze_rows,
    fresh,
    generate,
    run_floor,
    run_pipeline,
)

ROWS_PER_ORDER = 47
SIZES = (100_000, 1_000_000, 10_000_000)
# Issue 2: seconds and GiB on two cores, by rows; and how far above the floor at 10 M rows.
TARGETS = {100_000: (12, 1), 1_000_000: (25, 2), 10_000_000: (120, 5)}
MOST_TIMES_THE_FLOOR = 2.5
PACKAGES = ("duckdb", "polars", "kedro", "dbt-core", "dbt-duckdb")


# ---------------------------------------------------------------- experiments


def measure_size(rows: int, options: argparse.Namespace) -> dict[str, Any]:
    """The pipeline and the floor over one generated Bronze of about so many rows."""
    place = fresh(options.data / f"{rows}")
    bronze = place / "bronze"
    generate(bronze, options.days, max(1, round(rows / (options.days * ROWS_PER_ORDER))))
    result: dict[str, Any] = {"rows_wanted": rows, "rows": bronze_rows(bronze)}
    result["floor"] = as_dict(run_floor(bronze, place / "floor"))
    if not options.floor_only:
        result["pipeline"] = as_dict(run_pipeline(bronze, place / "data"))
        ratio = result["pipeline"]["seconds"] / result["floor"]["seconds"]
        result["times_the_floor"] = round(ratio, 2)
        result["target_missed"] = missed(rows, result)
    if options.check:
        result["differences"] = differences(place / "floor", place / "data")
    tidy(place, options)
    return result


def missed(rows: int, result: dict[str, Any]) -> list[str]:
    """The targets of the issue that a result does not meet."""
    if rows not in TARGETS:
        return []
    seconds, gib = TARGETS[rows]
    pipeline = result["pipeline"]
    found = []
    if pipeline["seconds"] > seconds:
        found.append(f"{pipeline['seconds']:.1f} s, wanted {seconds} s")
    if pipeline["peak_rss_bytes"] > gib * GIB:
        found.append(f"{pipeline['peak_rss_bytes'] / GIB:.2f} GiB, wanted {gib} GiB")
    if rows == max(TARGETS) and result["times_the_floor"] > MOST_TIMES_THE_FLOOR:
        found.append(f"{result['times_the_floor']} x the floor, wanted {MOST_TIMES_THE_FLOOR}")
    return found


def differences(floor: Path, data: Path) -> list[str]:
    """What differs between the floor's tables and the pipeline's."""
    from compare import compare

    return [
        f"{entry.table}: {problem}" for entry in compare(floor, data) for problem in entry.problems
    ]


def measure_observability(options: argparse.Namespace) -> dict[str, Any]:
    """The share of a run that is spent on telling of it, over a million rows."""
    place = fresh(options.data / "observability")
    generate(place / "bronze", options.days, round(1_000_000 / (options.days * ROWS_PER_ORDER)))
    command = [sys.executable, str(HERE / "observing.py"), place / "bronze", place / "data"]
    ended = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    told = next(line for line in ended.stdout.splitlines() if line.startswith("OBSERVED"))
    result: dict[str, Any] = json.loads(told.removeprefix("OBSERVED"))
    result |= {"rows": bronze_rows(place / "bronze")}
    tidy(place, options)
    return result


def tidy(place: Path, options: argparse.Namespace) -> None:
    """Removes what an experiment has written, unless it shall be kept."""
    if not options.keep:
        shutil.rmtree(place)


# ---------------------------------------------------------------- results


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "commit": commit or None,
    }


def to_markdown(result: dict[str, Any]) -> str:
    """The tables that the README shows."""
    facts = result["machine"]
    lines = [
        f"Measured {result['at']} on {facts['cores']} cores,"
        f" {facts['memory_bytes'] / GIB:.0f} GiB, Python {facts['python']}, "
        + ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
        + "."
    ]
    if result["sizes"]:
        lines += ["", *size_table(result["sizes"])]
        for size in result["sizes"]:
            lines += ["", f"Stages at {size['rows']:,} rows:", "", *stage_table(size)]
    if result["history"]:
        lines += ["", *history.to_markdown(result["history"])]
    if observed := result.get("observability"):
        share = observed["hook_seconds"] / observed["seconds"]
        lines += [
            "",
            (
                f"Telling of a run over {observed['rows']:,} rows (logs, audit, lineage, page)"
                f" takes {observed['hook_seconds']:.2f} s of {observed['seconds']:.1f} s:"
                f" {100 * share:.1f} %."
            ),
        ]
    return "\n".join(lines) + "\n"


def size_table(sizes: Sequence[dict[str, Any]]) -> list[str]:
    """One line per size and side."""
    lines = [
        "| rows | run | wall s | CPU s | peak GiB | rows/s | x floor | target |",
        "|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    for size in sizes:
        for side in [side for side in ("pipeline", "floor") if side in size]:
            run = size[side]
            is_pipeline = side == "pipeline"
            ratio = f"{size['times_the_floor']:.2f}" if is_pipeline else ""
            lines.append(
                f"| {run['rows']:,} | {side} | {run['seconds']:.1f} | {run['cpu_seconds']:.1f}"
                f" | {run['peak_rss_bytes'] / GIB:.2f} | {run['rows_per_second']:,}"
                f" | {ratio} | {target_text(size) if is_pipeline else ''} |"
            )
    return lines


def target_text(size: dict[str, Any]) -> str:
    """Whether a size meets its target."""
    if size["rows_wanted"] not in TARGETS:
        return "none set"
    seconds, gib = TARGETS[size["rows_wanted"]]
    return "; ".join(size["target_missed"]) or f"met ({seconds} s, {gib} GiB)"


def stage_table(size: dict[str, Any]) -> list[str]:
    """Wall and CPU seconds and rows per second of every stage, both sides."""
    lines = ["| run | stage | wall s | CPU s | rows/s |", "|---|---|---:|---:|---:|"]
    for side in [side for side in ("pipeline", "floor") if side in size]:
        for stage in size[side]["stages"]:
            rate = f"{stage['rows'] / stage['seconds']:,.0f}" if stage["seconds"] else ""
            lines.append(
                f"| {side} | {stage['name']} | {stage['seconds']:.2f}"
                f" | {stage['cpu_seconds']:.2f} | {rate} |"
            )
    return lines


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, nargs="+", help="sizes, all eight tables together")
    parser.add_argument("--quick", action="store_true", help="0.1 M rows only")
    parser.add_argument("--history", action="store_true", help="what six years of history cost")
    parser.add_argument(
        "--observability", action="store_true", help="what logs, audit, lineage and metrics cost"
    )
    parser.add_argument("--days", type=int, default=30, help="days of data (30)")
    history.add_arguments(parser)
    parser.add_argument("--check", action="store_true", help="compare the tables of both sides")
    parser.add_argument("--floor-only", action="store_true", help="leave the pipeline out")
    parser.add_argument("--keep", action="store_true", help="keep the data")
    parser.add_argument("--data", type=Path, default=HERE / "data", help="where the data goes")
    options = parser.parse_args()
    if options.floor_only and (options.check or options.history):
        parser.error("--floor-only runs no pipeline, which --check and --history need")
    options.data = options.data.resolve()
    return options


def main() -> None:
    """Runs what was asked for and writes the dated results."""
    options = parse_arguments()
    console = Console()
    sizes: Sequence[int] = options.rows or (SIZES[:1] if options.quick else SIZES)
    if (options.history or options.observability) and not options.rows and not options.quick:
        sizes = ()
    at = datetime.now(UTC).replace(microsecond=0)
    result: dict[str, Any] = {"at": at.isoformat(), "machine": machine(), "sizes": []}
    for rows in sizes:
        console.print(f"{rows:,} rows ...", highlight=False)
        result["sizes"].append(measure_size(rows, options))
    result["history"] = history.measure(options, console) if options.history else []
    result["observability"] = measure_observability(options) if options.observability else None
    target = HERE / "results" / f"{at:%Y-%m-%dT%H%M%SZ}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    target.with_suffix(".md").write_text(to_markdown(result))
    console.print(Markdown(to_markdown(result)))
    console.print(f"Written to {target.relative_to(PROJECT)} and .md", highlight=False)
    for difference in [line for size in result["sizes"] for line in size.get("differences", [])]:
        console.print(f"differs: {difference}", highlight=False, markup=False)


if __name__ == "__main__":
    main()
