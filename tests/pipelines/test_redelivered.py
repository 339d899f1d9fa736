"""A lake that grew by deliveries holds what a lake made from nothing holds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from medallion.spec import Spec
from tests.faults.bronze import write_manifest
from tests.running import Shop, kedro, two_light_days

FIRST, SECOND = "ingest_dt=2025-10-01", "ingest_dt=2025-10-02"
SILVER = ("bronze", "dims", "base_silver")
ROWS = ("silver/base", "silver/quarantine")


@pytest.fixture
def shop(tmp_path: Path, spec: Spec) -> Shop:
    return Shop(two_light_days(tmp_path / "bronze", spec, defects=False), tmp_path / "data")


def orders(shop: Shop, day: str) -> pl.DataFrame:
    files = sorted((shop.bronze / "orders" / day).glob("*.parquet"))
    return pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in files])


def deliver(shop: Shop, day: str, *files: pl.DataFrame) -> None:
    folder = shop.bronze / "orders" / day
    shutil.rmtree(folder)
    folder.mkdir()
    rows = {}
    for number, frame in enumerate(files):
        name = f"part-{number:04}.parquet"
        frame.write_parquet(folder / name)
        rows[name] = frame.height
    # A delivery is known by its manifest, so another one needs other words.
    batch = sum(int(frame.hash_rows().sum()) for frame in files)
    write_manifest(folder, rows, batch_id=f"batch_{batch}")


def dated(row: pl.DataFrame, day: int) -> pl.DataFrame:
    """A version of a row that came in on a day of October."""
    return row.with_columns(pl.lit(f"2025-10-{day:02}T00:00:00.000000Z").alias("ingestion_ts"))


def holds_what_is_made_from_nothing(shop: Shop) -> None:
    anew = Shop(shop.bronze, shop.data.with_name("anew"))
    anew.run(*SILVER)
    for rows in ROWS:
        assert shop.fingerprints(rows) == anew.fingerprints(rows)


@pytest.mark.parametrize("older_again", [FIRST, SECOND])
def test_a_newest_version_that_is_delivered_again_older_gives_way(
    shop: Shop, older_again: str
) -> None:
    newer, other = (20, 10), {FIRST: SECOND, SECOND: FIRST}[older_again]
    days = {day: orders(shop, day) for day in (FIRST, SECOND)}
    row = days[FIRST].head(1)
    days[FIRST] = days[FIRST].slice(1)

    def with_version(day: str, came_in: int) -> None:
        deliver(shop, day, pl.concat([days[day], dated(row, came_in).cast(days[day].schema)]))

    with_version(older_again, newer[0])
    with_version(other, newer[1])
    shop.run(*SILVER)
    with_version(older_again, 5)
    shop.run(*SILVER)
    holds_what_is_made_from_nothing(shop)


@pytest.mark.parametrize("number", [900001.0, 1e16])
def test_a_duplicate_whose_key_came_as_a_number_returns_when_the_other_goes(
    shop: Shop, number: float
) -> None:
    first, second = orders(shop, FIRST), orders(shop, SECOND)
    row = first.head(1)
    as_number = row.with_columns(pl.lit(number).alias("order_id"))
    as_text = dated(row, 20).with_columns(pl.lit(f"{number:.0f}").alias("order_id"))
    deliver(shop, FIRST, first, dated(as_number, 10))
    deliver(shop, SECOND, pl.concat([second, as_text.cast(second.schema)]))
    shop.run(*SILVER)
    deliver(shop, SECOND, second)
    shop.run(*SILVER)
    holds_what_is_made_from_nothing(shop)
    assert f"{number:.0f}" in shop.table("base_silver.orders")["order_id"].to_list()


def restore_accepted(silver: Path, copy: Path) -> None:
    """Only the accepted rows come back from the copy, the others are gone."""
    shutil.rmtree(silver / "quarantine/orders/ingestion_dt=2025-10-01")
    shutil.copytree(copy / f"base/orders/ingestion_dt={FIRST[-10:]}",
                    silver / f"base/orders/ingestion_dt={FIRST[-10:]}")  # fmt: skip


def restore_older_rows(silver: Path, copy: Path) -> None:
    """The accepted rows come back as they were before the delivery."""
    name = f"base/orders/ingestion_dt={FIRST[-10:]}"
    shutil.rmtree(silver / name)
    shutil.copytree(copy / name, silver / name)


@pytest.mark.parametrize("restore", [restore_accepted, restore_older_rows])
def test_a_day_that_was_put_back_from_an_older_copy_is_made_again(
    shop: Shop, tmp_path: Path, restore: Callable[[Path, Path], None]
) -> None:
    shop.run(*SILVER)
    silver, copy = shop.data / "silver", tmp_path / "copy"
    shutil.copytree(silver, copy)
    first, second = orders(shop, FIRST), orders(shop, SECOND)
    taken = dated(first.head(3), 20)
    if restore is restore_accepted:
        taken = dated(first, 20)
    deliver(shop, SECOND, pl.concat([second, taken.cast(second.schema)]))
    shop.run(*SILVER)
    if restore is restore_accepted:
        assert not (silver / f"base/orders/ingestion_dt={FIRST[-10:]}").exists()
    restore(silver, copy)
    verified = kedro(shop, "lake", "verify")
    assert verified.returncode == 1
    assert "orders of 2025-10-01: its rows" in verified.stderr
    shop.run(*SILVER)
    holds_what_is_made_from_nothing(shop)
    assert kedro(shop, "lake", "verify").returncode == 0
