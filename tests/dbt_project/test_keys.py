"""A key that a run has once seen in Bronze stays known after it left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from medallion.dbt_project import BuildResult, EngineSettings, build_dimensions
from medallion.lake.bronze import list_bronze
from medallion.spec import Spec
from tests.dbt_project.engine import write_files

SIGNUP, INGEST = "signup_date=2025-01-01", "ingest_dt=2025-10-01"


class Shop:
    """A Bronze of customers only, and the key set that was made of it last."""

    def __init__(self, root: Path, spec: Spec) -> None:
        self.root = root
        self.spec = spec
        self.builds = 0
        self.known: dict[str, Path] = {}

    def deliver(self, partition: str, *keys: str) -> None:
        folder = self.root / "bronze" / "customers" / partition
        for file in folder.glob("*") if folder.exists() else ():
            file.unlink()
        frame = pl.DataFrame({"customer_id": keys, "signup_date": ["2025-01-01"] * len(keys)})
        write_files(self.root / "bronze", "customers", partition, [frame])

    def withdraw(self, partition: str) -> None:
        folder = self.root / "bronze" / "customers" / partition
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()

    def build(self, forgotten: Sequence[date] = ()) -> BuildResult:
        inventory = list_bronze(str(self.root / "bronze"), self.spec)
        opened, _ = inventory.open(inventory.tables["customers"])
        self.builds += 1
        staging = self.root / f"staging-{self.builds}"
        settings = EngineSettings("1GB", 1, self.root / "spill", self.root / "dbt")
        result = build_dimensions(
            self.spec, opened, date(2025, 10, 3), staging, settings, self.known, forgotten
        )
        (partition,) = result.staged["keys/customers"].partitions
        self.known = {"customers": partition.files[0]}
        return result

    def keys(self) -> list[tuple[str, bool]]:
        frame = pl.read_parquet(self.known["customers"])
        return frame.select("customer_id", "is_in_bronze").rows()


@pytest.fixture
def shop(tmp_path: Path, spec: Spec) -> Shop:
    return Shop(tmp_path, spec)


@pytest.mark.parametrize("partition", [SIGNUP, INGEST])
def test_an_erased_customer_stays_known_and_is_counted(shop: Shop, partition: str) -> None:
    shop.deliver(partition, "CUST-1", "CUST-2")
    assert shop.build().counts["customers"].keys_left == 0
    shop.deliver(partition, "CUST-2")
    for _ in range(2):
        result = shop.build()
        assert shop.keys() == [("CUST-1", False), ("CUST-2", True)]
        assert result.counts["customers"].keys_left == 1
        assert result.counts["customers"].accepted == 1


def test_a_customer_who_comes_back_has_not_left(shop: Shop) -> None:
    shop.deliver(SIGNUP, "CUST-1", "CUST-2")
    shop.build()
    shop.deliver(SIGNUP, "CUST-2")
    shop.build()
    shop.deliver(SIGNUP, "CUST-1", "CUST-2")
    assert shop.build().counts["customers"].keys_left == 0


def test_a_key_set_of_an_earlier_version_is_read(shop: Shop) -> None:
    old = shop.root / "old.parquet"
    pl.DataFrame({"customer_id": ["CUST-9"]}).write_parquet(old)
    shop.known = {"customers": old}
    shop.deliver(SIGNUP, "CUST-1")
    shop.build()
    assert shop.keys() == [("CUST-1", True), ("CUST-9", False)]


def test_a_forgotten_day_takes_the_keys_along_that_it_alone_had(shop: Shop) -> None:
    shop.deliver(INGEST, "CUST-1", "CUST-2")
    shop.deliver("ingest_dt=2025-10-02", "CUST-2")
    shop.build()
    shop.withdraw(INGEST)
    shop.build()
    assert shop.keys() == [("CUST-1", False), ("CUST-2", True)]
    shop.build(forgotten=[date(2025, 10, 1)])
    assert shop.keys() == [("CUST-2", True)]
