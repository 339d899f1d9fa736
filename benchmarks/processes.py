"""Whole processes and what they take: the runs of this build, of another one, of the floor."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
START = date(2025, 10, 1)
GIB = 2**30


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


@dataclass(frozen=True)
class Build:
    """A checkout of the project with its own environment.

    Attributes:
        name: What the tables call it.
        folder: The checkout.
        python: The interpreter of its environment.
    """

    name: str
    folder: Path = PROJECT
    python: str = sys.executable

    @classmethod
    def at(cls, name: str, folder: Path) -> Build:
        """The build of another checkout, whose environment is in `.venv`.

        Raises:
            SystemExit: There is none.
        """
        python = folder / ".venv" / "bin" / "python"
        if not python.is_file():
            raise SystemExit(f"{python} is not there: run `make setup` in {folder} first.")
        return cls(name, folder, str(python))


THIS = Build("this build")


def measure(
    command: Sequence[str], environment: dict[str, str], log: Path, folder: Path = PROJECT
) -> dict[str, Any]:
    """Runs a command to its end; stops the benchmark if it fails.

    Args:
        command: The command and its arguments.
        environment: Variables beside those of this process.
        log: Where its output goes.
        folder: Where it runs.

    Returns:
        seconds, cpu_seconds and peak_rss_bytes.
    """
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
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


def generate(bronze: Path, days: int, orders_per_day: int) -> None:
    """Makes Bronze with the project's own generator."""
    kedro(
        {},
        bronze.with_suffix(".generate.log"),
        *("bronze", "generate", "--days", str(days), "--orders-per-day", str(orders_per_day)),
        *("--seed", "1", "--mess", "light", "--start", str(START), "--output", str(bronze)),
    )


def kedro(
    environment: dict[str, str],
    log: Path,
    *arguments: str,
    build: Build = THIS,
    through: Sequence[str] = ("-m", "kedro"),
) -> dict[str, Any]:
    """A `kedro` command of a build in a fresh process.

    Args:
        environment: Variables beside those of this process.
        log: Where its output goes.
        *arguments: What stands behind `kedro`.
        build: Whose command.
        through: How its Python is told to run it.

    Returns:
        As `measure`.
    """
    quiet = {"KEDRO_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    command = [build.python, *through, *arguments]
    return measure(command, quiet | environment, log, build.folder)


def roots(bronze: Path, data: Path) -> dict[str, str]:
    """The variables by which a run reads and writes elsewhere."""
    return {"MEDALLION_BRONZE_ROOT": str(bronze), "MEDALLION_DATA_ROOT": str(data)}


def run_pipeline(bronze: Path, data: Path, *arguments: str) -> Measured:
    """`kedro run` over a Bronze root into a data root."""
    data.mkdir(parents=True, exist_ok=True)
    measured = kedro(roots(bronze, data), data.with_suffix(".log"), "run", *arguments)
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


def fresh(place: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    return place


def as_dict(measured: Measured) -> dict[str, Any]:
    """A measurement for JSON."""
    return asdict(measured) | {"rows_per_second": round(measured.rows_per_second)}
