"""How long the pipeline takes, beside the same work without a framework.

    uv run python benchmarks/run.py                     0.1 M, 1 M and 10 M rows
    uv run python benchmarks/run.py --quick             0.1 M only
    uv run python benchmarks/run.py --rows 100000000    any size, also several
    uv run python benchmarks/run.py --history           one day after 30 and 300 days of history

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
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
START = date(2025, 10, 1)
ROWS_PER_ORDER = 47
SIZES = (100_000, 1_000_000, 10_000_000)
GIB = 2**30
# Issue 2: seconds and GiB on two cores, by rows; and how far above the floor at 10 M rows.
TARGETS = {100_000: (12, 1), 1_000_000: (25, 2), 10_000_000: (120, 5)}
MOST_TIMES_THE_FLOOR = 2.5
HISTORIES = (30, 300)
PACKAGES = ("duckdb", "polars", "kedro", "dbt-core", "dbt-duckdb")


@dataclass(frozen=True)
class Measured:
    """One process from start to end.

    Attributes:
        seconds: Wall time.
        cpu_seconds: User and system time, children included.
        peak_rss_bytes: The largest resident set of the process or a child.
        rows: Bronze rows of all tables.
        stages: Name, seconds, cpu_seconds and rows of each stage, as the process reports them.
    """

    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    rows: int
    stages: list[dict[str, Any]]

    @property
    def rows_per_second(self) -> float:
        """Bronze rows per second of wall time."""
        return self.rows / self.seconds


def measure(command: Sequence[str], environment: dict[str, str], log: Path) -> dict[str, Any]:
    """Runs a command to its end; stops the benchmark if it fails.

    Args:
        command: The command and its arguments.
        environment: Variables beside those of this process.
        log: Where its output goes.

    Returns:
        seconds, cpu_seconds and peak_rss_bytes.
    """
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise SystemExit(f"{' '.join(command)}\nended with {process.returncode}:\n{tail}")
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "peak_rss_bytes": usage.ru_maxrss * 1024,
    }


# ---------------------------------------------------------------- what is run


def generate(bronze: Path, days: int, orders_per_day: int) -> None:
    """Makes Bronze with the project's own generator."""
    kedro(
        {},
        bronze.with_suffix(".generate.log"),
        *("bronze", "generate", "--days", str(days), "--orders-per-day", str(orders_per_day)),
        *("--seed", "1", "--mess", "light", "--start", str(START), "--output", str(bronze)),
    )


def kedro(environment: dict[str, str], log: Path, *arguments: str) -> dict[str, Any]:
    """A `kedro` command in a fresh process."""
    quiet = {"KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    return measure([sys.executable, "-m", "kedro", *arguments], quiet | environment, log)


def run_pipeline(bronze: Path, data: Path, *arguments: str) -> Measured:
    """`kedro run` over a Bronze root into a data root."""
    data.mkdir(parents=True, exist_ok=True)
    roots = {"MEDALLION_BRONZE_ROOT": str(bronze), "MEDALLION_DATA_ROOT": str(data)}
    measured = kedro(roots, data.with_suffix(".log"), "run", *arguments)
    report = data / "reports" / "run.json"
    if not report.is_file():
        raise SystemExit(
            f"kedro run has written no report to {report}, which holds the seconds of its stages."
        )
    stages = json.loads(report.read_text())["stages"]
    return Measured(rows=bronze_rows(bronze), stages=stages, **measured)


def run_floor(bronze: Path, out: Path) -> Measured:
    """The plain script over a Bronze root."""
    report = out.with_suffix(".json")
    command = [sys.executable, str(HERE / "floor.py"), str(bronze), str(out)]
    measured = measure([*command, "--json", str(report)], {}, out.with_suffix(".log"))
    return Measured(
        rows=bronze_rows(bronze), stages=json.loads(report.read_text())["stages"], **measured
    )


def bronze_rows(bronze: Path) -> int:
    """Rows of all tables, as the manifests say."""
    return sum(
        int(json.loads(path.read_text())["total_rows"])
        for path in bronze.glob("*/*/_MANIFEST.json")
    )


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


def measure_history(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The same day on top of a short and of a long history."""
    place = fresh(options.data / "history")
    longest = max(HISTORIES)
    generate(place / "bronze", longest + 1, options.orders_per_day)
    results = [measure_day_after(days, place) for days in HISTORIES]
    tidy(place, options)
    return results


def measure_day_after(days: int, place: Path) -> dict[str, Any]:
    """The run of one day after a run of all the days before it."""
    last = START + timedelta(days=max(HISTORIES))
    bronze, data = place / f"bronze-{days}", place / f"data-{days}"
    link_days(place / "bronze", bronze, last - timedelta(days=days), last - timedelta(days=1))
    history = run_pipeline(bronze, data)
    link_days(place / "bronze", bronze, last, last)
    day = run_pipeline(bronze, data, "--params", f"ingest_dt={last}")
    return {
        "history_days": days,
        "day_rows": day.rows - history.rows,
        "history": as_dict(history),
        "day": as_dict(day),
    }


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


def link_days(source: Path, target: Path, first: date, last: date) -> None:
    """Hard-links the event partitions of some days, and the dimensions, into another Bronze."""
    for folder in sorted(source.glob("*/*=*")):
        key, _, value = folder.name.partition("=")
        wanted = key != "ingest_dt" or first <= date.fromisoformat(value) <= last
        destination = target / folder.parent.name / folder.name
        if wanted and not destination.exists():
            shutil.copytree(folder, destination, copy_function=os.link)


def fresh(place: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def tidy(place: Path, options: argparse.Namespace) -> None:
    """Removes what an experiment has written, unless it shall be kept."""
    if not options.keep:
        shutil.rmtree(place)


def as_dict(measured: Measured) -> dict[str, Any]:
    """A measurement for JSON."""
    return asdict(measured) | {"rows_per_second": round(measured.rows_per_second)}


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
        lines += ["", *history_table(result["history"])]
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


def history_table(results: Sequence[dict[str, Any]]) -> list[str]:
    """The one-day runs."""
    lines = [
        "| days of history | rows of history | rows of the day | wall s | CPU s | peak GiB |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        day = result["day"]
        lines.append(
            f"| {result['history_days']} | {result['history']['rows']:,} | {result['day_rows']:,}"
            f" | {day['seconds']:.1f} | {day['cpu_seconds']:.1f}"
            f" | {day['peak_rss_bytes'] / GIB:.2f} |"
        )
    return lines


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--rows", type=int, nargs="+", help="sizes, all eight tables together")
    parser.add_argument("--quick", action="store_true", help="0.1 M rows only")
    parser.add_argument("--history", action="store_true", help="one day after 30 and 300 days")
    parser.add_argument(
        "--observability", action="store_true", help="what logs, audit, lineage and metrics cost"
    )
    parser.add_argument("--days", type=int, default=30, help="days of data (30)")
    parser.add_argument(
        "--orders-per-day", type=int, default=300, help="orders a day with --history (300)"
    )
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
    if options.history:
        console.print(f"one day after {HISTORIES} days ...", highlight=False)
    result["history"] = measure_history(options) if options.history else []
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
