"""A lake on a disk goes back to what a run has left, and the next run goes on from there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medallion.errors import ConfigurationError
from medallion.hooks.guard import declared
from medallion.lake.kept_states import HistorySettings
from medallion.lake.store import Lake
from medallion.runs.lifecycle import alone
from medallion.spec import Spec
from tests.audit.recorded import recorded, standing, trail
from tests.conftest import PROJECT
from tests.faults.bronze import write_manifest
from tests.running import Shop, kedro, two_light_days

FIRST, SECOND = "2025-10-01", "2025-10-02"
MARTS = ("fct_orders", "fct_customers", "fct_daily_dashboard")
KILLED_WHILE_GOING_BACK = """
from kedro.framework.startup import bootstrap_project
from medallion.commands.published import rollback
from medallion.lake import disk_commits
from tests.pipelines.crash_child import armed, kill

bootstrap_project(".")
disk_commits.move_folder = armed(disk_commits.move_folder, 3, "before", kill)
rollback.main([])
"""


@dataclass(frozen=True)
class Story:
    """Two runs: of a day, then of that day delivered again and of the day after it."""

    before: Shop
    after: Shop

    def again(self, folder: Path, bronze: Path | None = None) -> Shop:
        """What the second run has left, in a place of its own."""
        return Shop(bronze or self.after.bronze, Path(shutil.copytree(self.after.data, folder)))

    @property
    def runs(self) -> tuple[str, str]:
        return self.before.report()["run_id"], self.after.report()["run_id"]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Story:
    top = tmp_path_factory.mktemp("story")
    delivered = two_light_days(top / "bronze", spec, defects=False)
    only_first = Path(shutil.copytree(delivered, top / "first"))
    for day in only_first.glob(f"*/ingest_dt={SECOND}"):
        shutil.rmtree(day)
    before = Shop(only_first, top / "before")
    before.run(ingest_dt=FIRST)
    folder = delivered / "orders" / f"ingest_dt={FIRST}"
    file = folder / "part-0000.parquet"
    rows = pl.read_parquet(file, hive_partitioning=False).slice(1)
    rows.write_parquet(file)
    write_manifest(folder, {file.name: rows.height}, batch_id="delivered again")
    after = Shop(delivered, Path(shutil.copytree(before.data, top / "after")))
    after.run()
    return Story(before, after)


def marts(shop: Shop) -> list[list[tuple[Any, ...]]]:
    return [shop.sql(f"select * from gold.{mart} order by all") for mart in MARTS]


def test_going_back_and_forward_gives_the_bytes_of_each_run(story: Story, tmp_path: Path) -> None:
    shop, (first, second) = story.again(tmp_path / "data"), story.runs
    assert shop.fingerprints("silver") == story.after.fingerprints("silver")
    assert f"*  {second}" in kedro(shop, "lake", "history").stdout

    back = kedro(shop, "lake", "rollback")
    assert f"Run {first} is current:" in back.stdout, back.stderr
    assert "The marts of Gold show another state" in back.stdout
    assert shop.fingerprints("silver") == story.before.fingerprints("silver")
    assert f"*  {first}" in kedro(shop, "lake", "history").stdout
    assert shop.sql("select max(snapshot_dt) from dims.customers") == [(date(2025, 10, 1),)]
    verified = kedro(shop, "lake", "verify")
    assert verified.returncode == 0, verified.stderr
    assert "The marts of Gold show another state" in verified.stdout
    (run, *_) = trail(shop).runs()
    assert (run["status"], run["pipeline"]) == ("succeeded", f"rollback to {first}")
    assert standing(shop) <= recorded(shop)
    why = kedro(shop, "runs", "why", "base_silver.orders", FIRST).stdout
    assert f"was written by {run['run_id']}" in why
    assert f"Before it, {second} had written it" in why

    forward = kedro(shop, "lake", "rollback", "--to", second)
    assert f"Run {second} is current:" in forward.stdout, forward.stderr
    assert "The marts of Gold" not in forward.stdout
    assert shop.fingerprints("silver") == story.after.fingerprints("silver")
    assert "is current already" in kedro(shop, "lake", "rollback", "--to", second).stdout


def test_gold_of_a_day_after_the_other_is_gold_made_from_nothing(
    story: Story, tmp_path: Path
) -> None:
    fresh = Shop(story.after.bronze, tmp_path / "data")
    fresh.run()
    tables = "select table_name from duckdb_tables() where schema_name = 'gold' order by all"
    made = [name for (name,) in fresh.sql(tables)]
    assert len(made) > len(MARTS)
    for mart in made:
        # Segments stand for the last day of each run, and this one has one last day.
        days = f"where ingestion_dt = '{SECOND}'" if mart == "fct_customer_segments" else ""
        rows = f"select * from gold.{mart} {days} order by all"
        assert (mart, story.after.sql(rows)) == (mart, fresh.sql(rows))


def test_the_next_run_does_again_what_was_taken_back(story: Story, tmp_path: Path) -> None:
    shop = story.again(tmp_path / "data")
    assert kedro(shop, "lake", "rollback").returncode == 0
    plan = kedro(shop, "lake", "plan").stdout
    assert f"ingest_dt={FIRST}" in plan
    assert f"ingest_dt={SECOND}" in plan
    report = shop.run()
    assert shop.fingerprints("silver") == story.after.fingerprints("silver")
    assert marts(shop) == marts(story.after)
    shown = kedro(shop, "lake", "history").stdout
    assert f"*  {report['run_id']}" in shown
    assert story.runs[0] in shown


def test_if_bronze_was_put_right_the_next_run_only_builds_the_marts(
    story: Story, tmp_path: Path
) -> None:
    shop = story.again(tmp_path / "data", story.before.bronze)
    assert kedro(shop, "lake", "rollback").returncode == 0
    before = shop.fingerprints("silver")
    kept = set((shop.data / "silver/_history").rglob("*"))
    told = kedro(shop, "run")
    assert "fct_orders" in told.stdout, told.stderr
    assert "base_silver" not in told.stdout
    ledger = "_validated/gold.json"
    assert {**shop.fingerprints("silver"), ledger: ""} == {**before, ledger: ""}
    assert set((shop.data / "silver/_history").rglob("*")) == kept
    assert marts(shop) == marts(story.before)
    assert "The marts of Gold" not in kedro(shop, "lake", "verify").stdout


def test_a_killed_rollback_is_completed_when_it_is_repeated_and_goes_no_further(
    story: Story, tmp_path: Path
) -> None:
    shop, (first, second) = story.again(tmp_path / "data", story.before.bronze), story.runs
    roots = {"MEDALLION_BRONZE_ROOT": shop.bronze, "MEDALLION_DATA_ROOT": shop.data}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_GOING_BACK],
        cwd=PROJECT,
        env={**os.environ, **{name: str(root) for name, root in roots.items()}},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "unfinished" in kedro(shop, "lake", "history").stdout
    completed = kedro(shop, "lake", "rollback")
    assert completed.returncode == 0, completed.stderr
    assert "was cut short" in completed.stdout + completed.stderr
    assert f"was completed first: run {first} is current now" in completed.stdout
    assert kedro(shop, "lake", "verify").returncode == 0
    assert shop.fingerprints("silver") == story.before.fingerprints("silver")
    shown = kedro(shop, "lake", "history").stdout
    assert f"*  {first}" in shown
    assert second in shown
    shop.run("bronze")
    assert [run["status"] for run in trail(shop).runs()][:2] == ["succeeded", "killed"]
    assert standing(shop) <= recorded(shop)


def test_a_notebook_reads_each_kept_state_and_diff_compares_them(
    story: Story, tmp_path: Path
) -> None:
    shop, (first, second) = story.again(tmp_path / "data"), story.runs
    orders = "base_silver.orders"
    names = (orders, "quarantine.orders", "dims.customers", "enriched.cart_attribution")
    for name in names:
        for run_id, then in ((first, story.before), (second, story.after)):
            with shop.session(as_of=run_id) as session:
                frame = session.load_context().catalog.load(name).collect()
            assert frame.sort(frame.columns).equals(then.table(name)), (name, run_id)
    told = kedro(shop, "lake", "diff", first, second).stdout
    assert f"Bronze: orders of {FIRST}, {SECOND}" in told
    (shown,) = re.findall(rf"^{orders} +(\d+) +(\d+) +(\d+) +(\d+)$", told, re.MULTILINE)
    added = story.after.table(orders).height - story.before.table(orders).height + 1
    assert shown == ("2", f"{added}", "1", "0")
    unknown = kedro(shop, "run", "--params", "as_of=nobody")
    assert unknown.returncode == 1
    assert "nobody" in unknown.stderr


def test_a_run_at_work_is_not_disturbed(story: Story, tmp_path: Path) -> None:
    shop = story.again(tmp_path / "data")
    with alone(Lake(shop.data / "silver"), shop.data / "silver" / "_processes", "nightly"):
        refused = kedro(shop, "lake", "rollback")
    assert refused.returncode == 1
    assert "Another run holds the lake" in refused.stderr
    assert "nightly" in refused.stderr
    assert shop.fingerprints("silver") == story.after.fingerprints("silver")


def test_a_run_that_waits_for_its_next_step_does_not_go_on_with_what_was_taken_back(
    story: Story, tmp_path: Path
) -> None:
    shop = story.again(tmp_path / "data")
    shop.run("bronze", run_id="waiting-1")
    assert "waiting-1" in kedro(shop, "lake", "rollback").stderr
    lease = shop.data / "silver" / "_LEASE.json"
    note = json.loads(lease.read_text())
    lease.write_text(json.dumps({**note, "until": "2025-01-01T00:00:00+00:00"}))
    assert kedro(shop, "lake", "rollback").returncode == 0
    assert shop.fingerprints("silver") == story.before.fingerprints("silver")
    joined = kedro(shop, "run", "--pipelines", "dims", "--params", "run_id=waiting-1")
    assert joined.returncode == 1
    assert "Run waiting-1 has ended" in joined.stderr
    ends = {run["run_id"]: run["status"] for run in trail(shop).runs()}
    assert ends["waiting-1"] == "killed"


def test_what_is_kept_can_be_deleted(story: Story, tmp_path: Path) -> None:
    shop, (first, second) = story.again(tmp_path / "data"), story.runs
    nothing = kedro(shop, "lake", "gc", "--delete").stdout
    assert "Kept: 2 states." in nothing
    assert "nothing can be deleted" in nothing
    asked = ("lake", "gc", "--keep-days", "0", "--keep-runs", "0")
    found = kedro(shop, *asked).stdout
    assert "Kept: 1 state." in found
    (objects,) = re.findall(r"To be deleted: (\d+ objects, [^,]+), which", found)
    assert f"Deleted: {objects}, which" in kedro(shop, *asked, "--delete").stdout
    assert first not in kedro(shop, "lake", "history").stdout
    assert not list((shop.data / "silver/_history").rglob("*.parquet"))
    refused = kedro(shop, "lake", "rollback")
    assert refused.returncode == 1
    assert "There is no state before the current one to go back to" in refused.stderr
    assert second in kedro(shop, "lake", "history").stdout


@pytest.mark.parametrize("said", [{"runs": -1}, {"runs": "many"}, {"run": 1}, 3])
def test_a_number_of_states_that_cannot_be_is_refused(said: object) -> None:
    with pytest.raises(ConfigurationError, match=r"globals\.yml: history says something"):
        declared({"history": said}, "history", HistorySettings)
    assert declared({}, "history", HistorySettings) == HistorySettings(runs=1)
