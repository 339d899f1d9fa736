"""Bad input ends in a message; nothing is half-written, and Bronze is as it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medallion.errors import DbtError
from medallion.lake.store import Lake
from medallion.runs.lifecycle import alone
from medallion.spec import Spec
from tests.audit.recorded import trail
from tests.bronze_writing import write_day, write_partition
from tests.conftest import PROJECT
from tests.running import Shop, kedro, two_light_days

DAY = "ingest_dt=2025-10-02"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Path:
    root = tmp_path_factory.mktemp("bronze") / "lake"
    return two_light_days(root, spec, defects=False)


@pytest.fixture
def shop(good: Path, tmp_path: Path) -> Shop:
    shutil.copytree(good, tmp_path / "bronze")
    return Shop(tmp_path / "bronze", tmp_path / "data")


def rewrite(shop: Shop, partition: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Delivers a partition again with other rows or columns."""
    folder = shop.bronze / partition
    file = folder / "part-0000.parquet"
    frame = change(pl.read_parquet(file, hive_partitioning=False))
    frame.write_parquet(file)
    manifest = json.loads((folder / "_MANIFEST.json").read_text(encoding="utf-8"))
    manifest["files"][0]["rows"] = manifest["total_rows"] = frame.height
    (folder / "_MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")


def failures(report: dict[str, Any], layer: str) -> list[dict[str, Any]]:
    """What a gate found, besides what it only records."""
    found = report["gates"][layer]["failures"]
    return [failure for failure in found if failure["severity"] != "info"]


def truncate(shop: Shop) -> None:
    file = shop.bronze / "orders" / DAY / "part-0000.parquet"
    file.write_bytes(file.read_bytes()[:500])


def garble_manifest(shop: Shop) -> None:
    (shop.bronze / "orders" / DAY / "_MANIFEST.json").write_text("{not json", encoding="utf-8")


def lose_file(shop: Shop) -> None:
    (shop.bronze / "orders" / DAY / "part-0000.parquet").unlink()


def lose_all(shop: Shop) -> None:
    shutil.rmtree(shop.bronze)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (truncate, f"orders/{DAY}: part-0000.parquet cannot be read as Parquet"),
        (garble_manifest, f"orders/{DAY}: _MANIFEST.json"),
        (lose_file, f"orders/{DAY}: part-0000.parquet is listed in _MANIFEST.json"),
        (lose_all, "There is no Bronze folder at"),
    ],
)
def test_what_cannot_be_read_stops_the_run_with_the_place_and_writes_nothing(
    shop: Shop, damage: Callable[[Shop], None], expected: str
) -> None:
    damage(shop)
    ended = kedro(shop, "run")
    assert ended.returncode == 1
    assert expected in ended.stderr.replace("\n", " ")
    assert "Traceback" not in ended.stderr + ended.stdout
    assert len(ended.stderr.splitlines()) < 25
    assert not list((shop.data / "silver").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("parameter", "code", "expected"),
    [
        ("ingest_dt=2025-02-30", 2, "is not a day of the calendar"),
        ("ingest_dt=../../x", 2, "is not a day; write it as YYYY-MM-DD"),
        ("ingest_dt=2030-01-01", 1, "has no data on 2030-01-01; it has 2025-10-01 to 2025-10-02"),
        ("ingest_day=2025-10-01", 2, "allowed are"),
        ("start=2025-10-01,end=2025-12-03", 2, "62 days after 2025-10-02, the newest day"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    shop: Shop, parameter: str, code: int, expected: str
) -> None:
    ended = kedro(shop, "run", "--params", parameter)
    assert ended.returncode == code
    assert expected in ended.stderr.replace("\n", " ")
    assert "Traceback" not in ended.stderr + ended.stdout


def test_a_manifest_that_disagrees_warns_here_and_stops_a_strict_run(shop: Shop) -> None:
    path = shop.bronze / "orders" / DAY / "_MANIFEST.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"][0]["rows"] = manifest["total_rows"] = 7
    path.write_text(json.dumps(manifest), encoding="utf-8")
    strict = kedro(shop, "run", "--params", "quality.mode=strict")
    assert strict.returncode == 1
    assert "manifest_rows = footer_rows" in strict.stderr.replace("\n", " ")
    assert "manifest_rows 7, footer_rows " in strict.stderr.replace("\n", " ")
    (failure,) = failures(shop.run(), "bronze")
    assert (failure["says"], failure["partition"]) == ("manifest_rows = footer_rows", DAY)


def test_a_partition_without_a_manifest_waits_and_is_reported(shop: Shop) -> None:
    (shop.bronze / "orders" / DAY / "_MANIFEST.json").unlink()
    found = {failure["says"]: failure for failure in failures(shop.run(), "bronze")}
    assert found["has_manifest is True"]["partition"] == DAY
    assert found["is_delivered is True"]["severity"] == "critical"
    assert shop.table("base_silver.orders")["ingestion_dt"].n_unique() == 1


def test_folders_that_mean_nothing_are_reported_and_the_run_goes_on(shop: Shop) -> None:
    for odd in ("orderz", "orders/ingest_dt=2025-02-30", "orders/notes"):
        (shop.bronze / odd).mkdir()
    report = shop.run()
    assert {failure["table"] for failure in report["gates"]["bronze"]["failures"]} == {
        "orderz",
        "orders",
    }
    assert report["status"] == "succeeded"


def test_a_required_column_that_is_absent_quarantines_its_rows_by_that_name(shop: Shop) -> None:
    rewrite(shop, f"orders/{DAY}", lambda frame: frame.drop("order_date"))
    shop.run()
    put_aside = shop.table("quarantine.orders")
    assert put_aside["invalid_reason"].unique().to_list() == ["missing:order_date"]
    assert put_aside["ingestion_dt"].unique().to_list() == [date(2025, 10, 2)]


def test_a_column_of_another_type_is_cast(shop: Shop) -> None:
    as_text = pl.col("gross_total").cast(pl.String)
    plain = shop.bronze.with_name("plain")
    shutil.copytree(shop.bronze, plain)
    rewrite(shop, f"orders/{DAY}", lambda frame: frame.with_columns(as_text))
    report = shop.run()
    (failure,) = failures(report, "bronze")
    assert failure["observed"] == "gross_total is varchar, not double"
    expected = Shop(plain, shop.data.with_name("plain-data"))
    expected.run()
    columns = ["order_id", "gross_total"]
    assert (
        shop.table("base_silver.orders")
        .select(columns)
        .equals(expected.table("base_silver.orders").select(columns))
    )


def test_an_unknown_column_is_dropped_from_silver_and_kept_in_quarantine(shop: Shop) -> None:
    def with_note(frame: pl.DataFrame) -> pl.DataFrame:
        negative = pl.when(pl.int_range(pl.len()) == 0).then(-1.0).otherwise(pl.col("net_total"))
        return frame.with_columns(pl.lit(" as told ").alias("note"), negative.alias("net_total"))

    rewrite(shop, f"orders/{DAY}", with_note)
    report = shop.run()
    assert [failure["observed"] for failure in failures(report, "bronze")] == ["note is unknown"]
    assert "note" not in shop.table("base_silver.orders").columns
    assert shop.table("quarantine.orders")["note"].to_list() == [" as told "]
    assert shop.table("quarantine.orders")["invalid_reason"].to_list() == ["negative:net_total"]


def test_an_empty_partition_is_processed_and_leaves_no_folder(shop: Shop) -> None:
    for table in ("returns", "return_items"):
        if (shop.bronze / table / DAY).exists():
            rewrite(shop, f"{table}/{DAY}", lambda frame: frame.head(0))
    report = shop.run()
    assert report["status"] == "succeeded"
    assert not (shop.data / f"silver/base/returns/ingestion_dt={DAY[-10:]}").exists()
    assert shop.run()["plan"]["partitions"] == []


def test_bronze_is_never_written(shop: Shop) -> None:
    def seen() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size)
            for path in shop.bronze.rglob("*")
        }

    before = seen()
    shop.run()
    assert seen() == before


def test_a_second_run_is_told_who_holds_the_lake(shop: Shop) -> None:
    locks = shop.data / "silver" / "_processes"
    with alone(Lake(shop.data / "silver"), locks, "the-first-run"):
        ended = kedro(shop, "run")
    assert ended.returncode == 1
    told = ended.stderr.replace("\n", " ")
    assert f"the-first-run-{os.getpid()}, since 20" in told
    assert f"last process {os.getpid()} on " in told
    assert "Traceback" not in ended.stderr


def test_ctrl_c_ends_in_one_line_and_leaves_nothing_staged(shop: Shop) -> None:
    environment = {
        **os.environ,
        "MEDALLION_BRONZE_ROOT": str(shop.bronze),
        "MEDALLION_DATA_ROOT": str(shop.data),
    }
    run = subprocess.Popen(
        [sys.executable, "-m", "kedro", "run"],
        cwd=PROJECT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (shop.data / "silver" / "_staging").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=60)
    # Python ends by the signal itself if it came while a module was made by `exec`; a shell
    # sees 130 either way.
    assert run.returncode in (130, -signal.SIGINT), errors
    assert "Interrupted. Every partition is as it was before, or complete." in errors
    assert "Traceback" not in errors
    assert not (shop.data / "silver" / "_staging").exists()
    (interrupted,) = trail(shop).runs()
    assert interrupted["status"] == "interrupted"
    assert interrupted["seconds"] > 0
    assert shop.run()["status"] == "succeeded"


def test_a_runner_that_leaves_hooks_out_is_refused(shop: Shop) -> None:
    ended = kedro(shop, "run", "--runner", "ParallelRunner")
    assert ended.returncode == 1
    assert "ParallelRunner does not run hooks" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_wrong_spec_fails_before_anything_runs(shop: Shop, tmp_path: Path) -> None:
    conf = tmp_path / "conf"
    shutil.copytree(PROJECT / "conf", conf)
    path = conf / "base" / "spec.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("sla: 0.98", "sla: 98"), encoding="utf-8")
    ended = kedro(shop, "run", "--conf-source", str(conf))
    assert ended.returncode == 1
    assert "tables.customers.sla" in ended.stderr
    assert "(found: 98)" in ended.stderr
    assert not shop.data.exists()


def test_a_sum_of_gold_that_does_not_fit_names_mart_column_and_order(
    tmp_path: Path, spec: Spec
) -> None:
    shop = Shop(tmp_path / "bronze", tmp_path / "data")
    # The cost of each line fits, and so does that of each product; that of the order does not.
    dear = [{"product_id": n, "cost_price": 9_000_000_000.0} for n in range(1, 13)]
    write_partition(shop.bronze, spec, "customers", "signup_date=2025-01-01", [{}])
    write_partition(shop.bronze, spec, "product_catalog", "category=Home", dear)
    lines = [{**line, "quantity": 100_000} for line in dear]
    write_day(shop.bronze, spec, orders=[{}], order_items=lines, shopping_carts=[{}])
    with pytest.raises(DbtError) as raised:
        shop.run()
    assert raised.value.details == [
        "gold.fct_orders.cogs (decimal(18, 2)): order_id ORD-1: 10,800,000,000,000,000.00"
    ]
