"""One run, many processes: each does a step, and together they do what one process does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from medallion.pipelines.enriched.pipeline import TRANSFORMS
from medallion.spec import Spec
from tests.audit.recorded import recorded, standing, trail
from tests.conftest import PROJECT
from tests.running import Shop, kedro, two_light_days

RUN = "nightly-1"
# The one that reads two others, and so comes after them.
LAST = "daily_business_metrics"


@pytest.fixture(scope="module")
def bronze(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Path:
    root = tmp_path_factory.mktemp("processes") / "bronze"
    return two_light_days(root, spec, seed=11)


@pytest.fixture(scope="module")
def alone(bronze: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The same Bronze, done by one process."""
    shop = Shop(bronze, tmp_path_factory.mktemp("alone"))
    shop.run()
    return shop


def started(shop: Shop, *arguments: str) -> subprocess.Popen[str]:
    """A process of the run."""
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", "run", "--params", f"run_id={RUN}", *arguments],
        cwd=PROJECT,
        env={
            **os.environ,
            "MEDALLION_BRONZE_ROOT": str(shop.bronze),
            "MEDALLION_DATA_ROOT": str(shop.data),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def done(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = process.communicate(timeout=600)
    return process.returncode, output


def killed_at_work(process: subprocess.Popen[str], shop: Shop, transform: str) -> None:
    """Kills a process as soon as its step has begun."""
    journal = shop.data / "runs" / RUN / "events"
    begun = f'"step_started","step":"enriched.{transform}"'
    while not any(begun in path.read_text() for path in journal.glob(f"*-{process.pid}-*")):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_transforms_in_processes_of_their_own_give_the_bytes_of_one_process(
    bronze: Path, alone: Shop, tmp_path: Path
) -> None:
    shop = Shop(bronze, tmp_path)
    code, told = done(started(shop, "--to-nodes", "enriched.plan"))
    assert code == 0, told
    assert f"Run {RUN} goes on" in told

    code, told = done(started(shop, "--nodes", f"enriched.{LAST}"))
    assert code == 2
    assert "Traceback" not in told
    assert "reads tables that run nightly-1 has planned and not made" in told

    others = [name for name in TRANSFORMS if name != LAST]
    at_work = FileLock(shop.data / "silver" / "_processes" / f"{RUN}~~enriched.{others[1]}.step")
    with at_work:
        code, told = done(started(shop, "--nodes", f"enriched.{others[1]}"))
    assert code == 1
    assert f"Another process does enriched.{others[1]} of run {RUN}" in told
    assert "this process did no step" in told

    processes = {name: started(shop, "--nodes", f"enriched.{name}") for name in others}
    killed_at_work(processes.pop(others[0]), shop, others[0])
    for name, process in processes.items():
        code, told = done(process)
        assert code == 0, (name, told)
    code, told = done(started(shop, "--nodes", f"enriched.{others[0]}"))
    assert code == 0, told
    for table in ("base_silver.orders", "enriched.inventory_risk"):
        writer = kedro(shop, "runs", "why", table, "2025-10-02")
        assert f"{table} of 2025-10-02 was written by {RUN}" in writer.stdout, writer.stderr
    code, told = done(started(shop, "--from-nodes", f"enriched.{LAST},enriched.validate"))
    assert code == 0, told

    for layer in ("base", "quarantine", "dims", "keys", "enriched"):
        assert shop.fingerprints(f"silver/{layer}") == alone.fingerprints(f"silver/{layer}"), layer
    assert recorded(shop) == standing(shop)

    (run,) = trail(shop).runs()
    assert (run["run_id"], run["status"]) == (RUN, "succeeded")
    tries = {step["step"]: step["tries"] for step in run["steps"]}
    assert tries[f"enriched.{others[0]}"] == 2
    assert tries[f"enriched.{others[1]}"] == 1
    assert not (shop.data / "silver" / "_LEASE.json").exists()
    assert not (shop.data / "silver" / "_staging").exists()
    assert len(list((shop.data / "metrics" / "runs").glob("*.json"))) == 1


def test_a_step_that_nothing_can_be_made_of_says_which_step_is_missing(
    bronze: Path, tmp_path: Path
) -> None:
    told = kedro(Shop(bronze, tmp_path), "run", "--nodes", "enriched.sales_velocity")
    assert told.returncode == 2
    assert "enriched.plan makes it" in told.stderr
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "metrics").exists()


def test_a_run_that_nobody_goes_on_with_is_closed_by_hand(bronze: Path, tmp_path: Path) -> None:
    shop = Shop(bronze, tmp_path)
    code, told = done(started(shop, "--nodes", "bronze.plan_run"))
    assert code == 0, told
    shown = kedro(shop, "runs", "show", RUN).stdout.replace("\n", " ")
    assert "to do     bronze.open_partitions, bronze.validate, " in shown
    refused = kedro(shop, "run", "--nodes", "bronze.plan_run")
    assert refused.returncode == 1
    assert f"Another run holds the lake at {tmp_path / 'silver'}: {RUN}" in refused.stderr
    (shop.data / "runs" / RUN / "request.json").write_bytes(b"what a power cut has left")
    spoilt = kedro(shop, "run", "--nodes", "bronze.plan_run", "--params", f"run_id={RUN}")
    assert spoilt.returncode == 1
    assert f"end it by `kedro runs close {RUN}`" in spoilt.stderr.replace("\n", " ")
    closed = kedro(shop, "runs", "close", RUN)
    assert (closed.returncode, closed.stderr) == (0, "")
    assert "the lake is free" in closed.stdout
    assert kedro(shop, "runs", "close", RUN).returncode != 0
    assert [run["status"] for run in trail(shop).runs()] == ["closed"]

    shutil.rmtree(shop.data / "runs" / RUN)
    code, told = done(started(shop, "--nodes", "bronze.plan_run"))
    assert code == 1
    assert f"There was a run {RUN}; the audit trail holds its records." in told
    assert [run["status"] for run in trail(shop).runs()] == ["closed"]
    assert kedro(shop, "run", "--nodes", "bronze.plan_run").returncode == 0


def test_the_plan_is_printed_for_a_scheduler(bronze: Path, tmp_path: Path) -> None:
    told = kedro(Shop(bronze, tmp_path), "lake", "plan", "--format", "json")
    assert told.returncode == 0, told.stderr
    plan = json.loads(told.stdout)
    assert {one["partition"] for one in plan["partitions"]} == {
        "ingest_dt=2025-10-01",
        "ingest_dt=2025-10-02",
    }
