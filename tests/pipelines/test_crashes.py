"""A run killed at any point leaves whole partitions, and the next run ends where it would have."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from medallion.lake.disk_states import DiskStates
from medallion.lake.history import roll_back
from medallion.lake.inventory import LakeInventory
from medallion.lake.store import Lake
from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.audit.recorded import recorded, standing, trail
from tests.conftest import PROJECT
from tests.pipelines.crash_child import POINTS
from tests.running import Shop

# Which call of a point is the last one: some early in the run, some late.
COUNTS = {
    "before a journal is written": (1,),
    "after a journal is written": (7,),
    "before a partition is swapped": (30,),
    "after a partition is swapped": (9,),
    "before a change is noted": (2,),
    "before what stood is kept": (3,),
    "after what stood is kept": (1,),
    "after a state is noted": (1,),
    "before the pointer moves": (2,),
    "before Enriched is recorded": (4,),
    "before the warehouse is replaced": (2,),
    "before the warehouse is recorded": (2,),
}


def sample(root: Path, spec: Spec, days: int) -> Path:
    generate(
        SampleRequest(
            output=root,
            start=date(2025, 10, 1),
            days=days,
            orders_per_day=30,
            seed=3,
            mess="light",
            defects=True,
        ),
        spec=spec,
    )
    return root


@pytest.fixture(scope="module")
def bronze(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Path:
    return sample(tmp_path_factory.mktemp("bronze") / "lake", spec, days=3)


@pytest.fixture(scope="module")
def before(bronze: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The results of the first two days: what stands when the killed run begins."""
    shop = Shop(bronze, tmp_path_factory.mktemp("before"))
    shop.run(start="2025-10-01", end="2025-10-02")
    return shop


@pytest.fixture(scope="module")
def undisturbed(before: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    data = tmp_path_factory.mktemp("undisturbed") / "data"
    shutil.copytree(before.data, data)
    shop = Shop(before.bronze, data)
    shop.run()
    return shop


def assert_whole(shop: Shop, spec: Spec) -> None:
    """Every partition on disk is what its manifest says."""
    lake = Lake(shop.data / "silver")
    tables = [f"{layer}/{t}" for layer in ("base", "quarantine") for t in spec.tables]
    tables += [f"enriched/{name}" for name in spec.transforms]
    tables += [f"dims/{name}" for name in spec.dimensions]
    for table in tables:
        for manifest in lake.partitions(table).values():
            assert lake.verifies(table, manifest), (table, manifest.partition)
    assert LakeInventory(lake, spec).base_days()


def assert_recorded(shop: Shop) -> None:
    """The trail knows of the run that was killed, and of every partition that stands."""
    runs = trail(shop).runs()
    assert [run["status"] for run in runs] == ["succeeded", "killed", "succeeded"]
    assert "2025-10-03" in str(runs[1]["plan"])
    assert standing(shop) <= recorded(shop)


def go_back(shop: Shop) -> None:
    """To the state that the last one was made on."""
    states = DiskStates(Lake(shop.data / "silver"), "rollback")
    roll_back(states, None)


def cut_short(
    before: Shop, folder: Path, point: str, count: int, *end: str
) -> tuple[Shop, subprocess.CompletedProcess[bytes]]:
    """A copy of what stands, and the run on it that ended at a point (killed, if not said)."""
    shop = Shop(before.bronze, Path(shutil.copytree(before.data, folder / "data")))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.pipelines.crash_child", point, str(count),
         str(shop.bronze), str(shop.data), *end],
        cwd=PROJECT,
        capture_output=True,
        check=False,
    )  # fmt: skip
    return shop, ended


@pytest.mark.parametrize(
    ("point", "count"), [(point, count) for point in POINTS for count in COUNTS[point]]
)
def test_a_killed_run_leaves_whole_partitions_and_the_next_one_completes_it(
    before: Shop, undisturbed: Shop, tmp_path: Path, spec: Spec, point: str, count: int
) -> None:
    shop, killed = cut_short(before, tmp_path, point, count)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    assert_whole(shop, spec)
    shop.run()
    assert shop.fingerprints("silver") == undisturbed.fingerprints("silver")
    for table in ("fct_orders", "fct_customers", "fct_daily_dashboard"):
        query = f"select * from gold.{table} order by all"
        assert shop.sql(query) == undisturbed.sql(query)
    assert_recorded(shop)
    go_back(shop)
    assert shop.fingerprints("silver") == before.fingerprints("silver")


@pytest.mark.parametrize(
    ("end", "point", "count"),
    [
        ("interrupted", "before a partition is swapped", 6),
        ("failed", "before a partition is swapped", 6),
        ("interrupted", "before Enriched is recorded", 4),
    ],
)
def test_a_run_that_is_cut_short_leaves_a_record_of_every_partition(
    before: Shop, tmp_path: Path, spec: Spec, end: str, point: str, count: int
) -> None:
    shop, ended = cut_short(before, tmp_path, point, count, end)
    assert ended.returncode, ended.stderr.decode()[-2000:]
    assert_whole(shop, spec)
    assert [run["status"] for run in trail(shop).runs()] == [end, "succeeded"]
    assert standing(shop) <= recorded(shop)
