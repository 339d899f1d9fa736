"""The same project with the lake in a bucket: empty disks, changed days, gates, kills."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import signal
import subprocess
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.cloud.conftest import Cloud, data_of
from tests.conftest import PROJECT
from tests.running import Shop, kedro
from tests.standins.proxy import Accident, Request

TO_PUBLISH = "bronze,dims,base_silver,enriched,publish"
# What is loaded into BigQuery behind it: test_loads.py.
RUN = ("run", "--pipelines", TO_PUBLISH)


@pytest.fixture(scope="module", autouse=True)
def published(bronze: Path, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine that has published what was delivered first."""
    assert bronze.is_dir()
    machine = tmp_path_factory.mktemp("first")
    told = cloud.kedro(machine, *RUN)
    assert told.returncode == 0, told.stderr
    assert "became current" in told.stdout + told.stderr
    return machine


def downloaded(machine: Path) -> list[Path]:
    return [path for path in machine.rglob("*.parquet") if path.stat().st_size]


def deliver_again(bronze: Path, cloud: Cloud, table: str, day: str) -> None:
    """The same partition with a row less."""
    folder = bronze / table / f"ingest_dt={day}"
    file, manifest = folder / "part-0000.parquet", folder / "_MANIFEST.json"
    frame = pl.read_parquet(file)
    buffer = io.BytesIO()
    frame.head(frame.height - 1).write_parquet(buffer)
    file.write_bytes(buffer.getvalue())
    said = json.loads(manifest.read_text())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    said |= {"checksums": [digest], "total_rows": frame.height - 1}
    said["files"][0] |= {"checksum": digest, "rows": frame.height - 1}
    manifest.write_text(json.dumps(said))
    cloud.deliver(bronze)


def test_it_publishes_what_the_laptop_makes(published: Path, bronze: Path, tmp_path: Path) -> None:
    laptop = Shop(bronze, tmp_path)
    told = kedro(laptop, *RUN, "--params", "quality.mode=strict")
    assert told.returncode == 0, told.stderr
    (copy,) = published.glob("cache/stores/*/silver")
    assert data_of(copy) == data_of(tmp_path / "silver")


def test_a_second_machine_with_an_empty_disk_does_nothing_and_reads_only_what_tells(
    cloud: Cloud, tmp_path: Path
) -> None:
    before = cloud.objects()
    told = cloud.kedro(tmp_path, *RUN)
    assert told.returncode == 0, told.stderr
    assert "Nothing to do: every layer is up to date" in told.stdout
    assert cloud.objects() == before
    assert downloaded(tmp_path) == []


def test_a_notebook_reads_only_the_day_that_it_asks_for(cloud: Cloud, tmp_path: Path) -> None:
    with cloud.catalog(tmp_path) as catalog:
        carts = catalog.load("base_silver.cart_items")
        cloud.network.forget()
        whole = carts.collect()
        all_bytes = cloud.network.bytes_read
        cloud.network.forget()
        day = carts.filter(pl.col("ingestion_dt") == date(2025, 10, 2)).select("quantity")
        assert 0 < day.collect().height < whole.height
        # Files of a few kilobytes are read whole.
        assert cloud.network.bytes_read < all_bytes / 2
    assert downloaded(tmp_path) == []


def test_a_strict_gate_publishes_nothing(cloud: Cloud, spec: Spec, tmp_path: Path) -> None:
    before = cloud.objects()
    bad = tmp_path / "bad"
    request = SampleRequest(
        output=bad, start=date(2025, 10, 4), days=1, orders_per_day=40, seed=4, defects=True
    )
    generate(request, spec=spec)
    for table in spec.events:
        shutil.copytree(bad / table, tmp_path / "delivered" / table)
    cloud.deliver(tmp_path / "delivered")
    current = cloud.current()
    try:
        told = cloud.kedro(tmp_path / "machine", *RUN)
        assert told.returncode == 1
        assert "gate stopped the run" in told.stderr
        assert cloud.objects() == before
        asked = ("runs", "why", "base_silver.orders", "2025-10-03")
        why = cloud.kedro(tmp_path / "machine", *asked)
        assert f"was written by {current}" in why.stdout, why.stderr
        with cloud.catalog(tmp_path / "machine") as catalog:
            runs = catalog.load("audit.runs").collect()
        failed = runs.filter(pl.col("status") == "failed")["run_id"].to_list()
        (statuses,) = ({*runs.filter(pl.col("run_id") == one)["status"]} for one in failed)
        assert statuses == {"failed", "unpublished"}
        assert {*runs.filter(pl.col("run_id") == current)["status"]} == {"succeeded", "written"}
        shown = cloud.kedro(tmp_path / "machine", "runs", "show", *failed).stdout
        assert "published nothing: nobody has come to read what it made" in " ".join(shown.split())
    finally:
        cloud.withdraw("ingest_dt=2025-10-04")


def test_a_day_that_is_delivered_again_uploads_that_day_in_few_calls(
    bronze: Path, cloud: Cloud, tmp_path: Path
) -> None:
    before = cloud.objects()
    deliver_again(bronze, cloud, "shopping_carts", "2025-10-03")
    cloud.network.forget()
    told = cloud.kedro(tmp_path, *RUN)
    assert told.returncode == 0, told.stderr
    now = cloud.objects()
    assert {
        k: v for k, v in before.items() if not k.endswith("_latest.json")
    }.items() <= now.items()
    data = [name for name in now.keys() - before.keys() if name.endswith(".parquet")]
    assert data
    assert not [name for name in data if "dt=2025-10-01" in name or "dt=2025-10-02" in name]
    calls = [one for one in cloud.network.requests if any(name in one.path for name in data)]
    assert len(calls) <= 3 * len(data)


def test_going_back_and_forward(bronze: Path, cloud: Cloud, tmp_path: Path) -> None:
    deliver_again(bronze, cloud, "order_items", "2025-10-01")
    assert cloud.kedro(tmp_path, *RUN).returncode == 0
    newest = cloud.current()
    assert cloud.kedro(tmp_path, "lake", "rollback").returncode == 0
    oldest = cloud.current()
    assert oldest != newest
    shown = cloud.kedro(tmp_path, "lake", "history").stdout
    assert f"*  {oldest}" in shown
    assert str(newest) in shown
    told = cloud.kedro(tmp_path, "lake", "rollback", "--to", str(newest))
    assert f"Run {newest} is current" in told.stdout
    assert cloud.current() == newest


# Every other moment: tests/lake/test_working_copy.py.
@pytest.mark.parametrize("at", ["pointer", "after the pointer"])
def test_killed_while_it_publishes_it_leaves_one_whole_state_and_the_next_run_gets_there(
    at: str, bronze: Path, cloud: Cloud, tmp_path: Path
) -> None:
    before = cloud.current()
    deliver_again(bronze, cloud, "cart_items", "2025-10-02")
    cloud.network.forget()
    process = subprocess.Popen(
        cloud.command(*RUN),
        cwd=PROJECT,
        env=cloud.on(tmp_path / "victim"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    pointed = []

    def kill(request: Request) -> Accident:
        is_pointer = request.changes and "ifGenerationMatch" in request.path
        if pointed or _is_at(at, request):
            process.send_signal(signal.SIGKILL)
            return 503
        if at == "after the pointer" and is_pointer and "_latest.json" in request.path:
            pointed.append(request)
        return None

    cloud.network.accident = kill
    process.wait(timeout=300)
    cloud.network.forget()
    assert process.returncode == -signal.SIGKILL
    assert (cloud.current() != before) == (at == "after the pointer")
    left = cloud.current()
    told = cloud.kedro(tmp_path / "next", *RUN)
    assert told.returncode == 0, told.stderr
    alone = cloud.kedro(tmp_path / "last", *RUN)
    assert "Nothing to do: every layer is up to date" in alone.stdout
    assert "is not what was written" not in alone.stdout + alone.stderr
    assert cloud.current() != before
    _expect_a_record_of_the_victim(cloud, tmp_path / "last", left if left != before else None)


def _expect_a_record_of_the_victim(cloud: Cloud, machine: Path, published: str | None) -> None:
    """All machines know of a run that was killed on one that is gone, and of what it published."""
    runs = cloud.kedro(machine, "runs", "list").stdout
    victim = next(line.split()[0] for line in runs.splitlines() if "killed" in line)
    if published:
        assert victim == published
        why = cloud.kedro(machine, "runs", "why", "base_silver.cart_items", "2025-10-02")
        assert f"was written by {published}" in why.stdout
    assert cloud.kedro(machine, "lake", "verify").returncode == 0
    lost = f"metrics/audit/runs/{victim}.json"
    content = cloud.take_away(lost)
    found = cloud.kedro(machine, "lake", "verify")
    cloud.put_back(lost, content)
    assert found.returncode == 1
    assert f"{victim}.json is not there" in found.stderr


def _is_at(at: str, request: Request) -> bool:
    return at == "pointer" and request.changes and "_latest.json" in request.path
