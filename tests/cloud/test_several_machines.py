"""One run whose steps are done on several machines, which share nothing but the buckets."""

from __future__ import annotations

import subprocess
from pathlib import Path

from medallion.spec import Spec
from tests.cloud.conftest import Cloud, data_of
from tests.running import Shop, kedro

RUN = "shared"
# Reads other transforms.
LAST = "daily_business_metrics"
TO_PUBLISH = "bronze,dims,base_silver,enriched,publish"


def ran(process: subprocess.Popen[str]) -> str:
    told = "".join(part or "" for part in process.communicate(timeout=600))
    assert process.returncode == 0, told
    return told


def test_layers_on_three_machines_and_transforms_on_two_make_what_the_laptop_makes(
    bronze: Path, cloud: Cloud, spec: Spec, tmp_path: Path
) -> None:
    join = ("--params", f"run_id={RUN}")
    for number, layer in enumerate(("bronze", "dims", "base_silver")):
        told = cloud.kedro(tmp_path / str(number), "run", "--pipelines", layer, *join)
        assert told.returncode == 0, told.stderr
        assert cloud.current() is None
    told = cloud.kedro(tmp_path / "0", "run", "--nodes", "enriched.plan", *join)
    assert told.returncode == 0, told.stderr
    independent = [name for name in spec.transforms if name != LAST]
    halves = independent[::2], independent[1::2]
    at_once = [
        cloud.started(
            tmp_path / str(number),
            "run",
            "--nodes",
            ",".join(f"enriched.{name}" for name in names),
            *join,
        )
        for number, names in enumerate(halves)
    ]
    for process in at_once:
        ran(process)
    told = cloud.kedro(tmp_path / "2", "run", "--from-nodes", f"enriched.{LAST}", *join)
    assert told.returncode == 0, told.stderr
    assert cloud.current() == RUN
    laptop = Shop(bronze, tmp_path / "laptop")
    told = kedro(laptop, "run", "--pipelines", TO_PUBLISH, "--params", "quality.mode=strict")
    assert told.returncode == 0, told.stderr
    told = cloud.kedro(tmp_path / "reader", "lake", "verify")
    assert told.returncode == 0, told.stdout + told.stderr
    (copy,) = (tmp_path / "reader").glob("cache/stores/*/silver")
    assert data_of(copy) == data_of(tmp_path / "laptop" / "silver")
    shown = cloud.kedro(tmp_path / "reader", "runs", "show", RUN).stdout
    assert "succeeded" in shown
