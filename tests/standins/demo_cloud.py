"""`make demo-cloud`: the project with its lake in a bucket, on stand-ins that are stopped again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from unittest import mock

from rich.console import Console

from tests.conftest import PROJECT
from tests.parity import MODELS, all_compared, on_bigquery, on_duckdb
from tests.standins.google import bigquery, credentials, deliver, emulator, storage

_ENV = ("--env", "emulator")
# What is summed of which mart.
_TOTALS = {
    "fct_orders": "net_total",
    "fct_finance_revenue": "net_revenue",
    "fct_daily_dashboard": "refunds",
}
_CONSOLE = Console(width=100, highlight=False, markup=False, soft_wrap=True)


def main() -> None:
    """Shows a first state, a second one, and going back and forward."""
    with tempfile.TemporaryDirectory(prefix="medallion-cloud-") as scratch:
        folder = Path(scratch)
        with (
            storage(folder) as url,
            bigquery(folder, url) as warehouse,
            credentials(folder, url) as account,
        ):
            os.environ |= emulator(url, account, "raw", "lake", warehouse)
            os.environ["MEDALLION_DATA_ROOT"] = str(folder / "worker")
            _show(folder)
    _CONSOLE.print("\nThe stand-ins are stopped, and nothing is left on this machine.")


def _show(folder: Path) -> None:
    from google.cloud.storage import Client

    for name in ("raw", "lake"):
        Client().create_bucket(name)
    raw = Client().bucket("raw")
    bronze = folder / "bronze"
    sample = ("--days", "5", "--orders-per-day", "200", "--output", str(bronze))
    _run(
        "Five days of an online shop, as its producer delivers them", "bronze", "generate", *sample
    )
    last = "ingest_dt=2025-10-05"
    _say("Four days of it arrive in gs://raw/bronze")
    deliver(bronze, raw, lambda name: last not in name)
    _run("What a run needs of the cloud", "lake", "doctor", *_ENV)
    _run("Bronze to Gold in BigQuery, on a worker with an empty disk", "run", *_ENV)
    _run("What BigQuery holds of it", "warehouse", "status", *_ENV)
    _say("The fifth day arrives; another worker with an empty disk takes it up")
    shutil.rmtree(folder / "worker")
    deliver(bronze, raw, lambda name: last in name)
    _run("It reads manifests, and of the history only what the day needs", "run", *_ENV)
    _run("The states of the lake", "lake", "history", *_ENV)
    reload = ("--reload", *_ENV)
    _run("Going back is a swap of the pointer, and a few loads", "lake", "rollback", *reload)
    states = _run("", "lake", "history", *_ENV)
    newest = states.splitlines()[1].split()[0]
    _run("And so is going forward again", "lake", "rollback", "--to", newest, *reload)
    _run("", "warehouse", "status", *_ENV)
    local = {"MEDALLION_DATA_ROOT": str(folder / "laptop"), "MEDALLION_BRONZE_ROOT": str(bronze)}
    with mock.patch.dict(os.environ, local):
        _run("The same Bronze on a laptop, to a DuckDB file", "run")
    _show_totals(folder / "laptop" / "warehouse" / "medallion.duckdb")


def _show_totals(file: Path) -> None:
    """Prints totals of Gold as both engines hold them, and how many cells differ."""
    places = {"DuckDB": on_duckdb(file), "BigQuery's stand-in": on_bigquery("shop")}
    _say("Gold on both")
    for mart, column in _TOTALS.items():
        number = list(MODELS[mart].columns).index(column)
        totals = {
            place: sum(Decimal(str(row[number])) for row in marts[mart])
            for place, marts in places.items()
        }
        told = ", ".join(f"{total:,.2f} ({place})" for place, total in totals.items())
        _CONSOLE.print(f"{column} of {mart}: {told}")
    differing = sum(one.differing for one in all_compared(file, "shop"))
    _CONSOLE.print(f"Cells of {len(MODELS)} marts that differ: {differing}")


def _run(what: str, *arguments: str) -> str:
    """Shows a command and what it prints."""
    if what:
        _say(what)
    _CONSOLE.print(f"$ kedro {' '.join(arguments)}")
    done = subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    _CONSOLE.print(done.stdout)
    return done.stdout


def _say(what: str) -> None:
    _CONSOLE.print(f"\n# {what}")


if __name__ == "__main__":
    main()
