"""Damage is taken away when the run makes it again, and refused by name when it does not."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medallion.errors import LakeError
from medallion.gates.declared import Declared
from medallion.gates.layers.dims import DimsGate
from medallion.hooks.mending import mend
from medallion.lake.bronze import BronzeInventory, Listed
from medallion.lake.inventory import LakeInventory
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.lake.verifying import verify_lake
from medallion.planning.request import parse_request
from medallion.spec import Spec

DAY = "2025-10-01"
ALL = {"base_silver.orders", "quarantine.orders", "enriched.sales_velocity", "dims.customers_keys"}


class Catalog:
    """What the guard asks a catalog for."""

    def __init__(self, lake: LakeInventory, *days: str, **parameters: Any) -> None:
        listed = tuple(Listed("orders", "ingest_dt", day, "/b", "x", {"f": 1}) for day in days)
        self.datasets = {
            "lake": lake,
            "params:run": parse_request(parameters),
            "bronze.inventory": BronzeInventory("/b", {"orders": listed}, ()),
        }

    def load(self, name: str) -> Any:
        return self.datasets[name]


@pytest.fixture
def lake(tmp_path: Path, spec: Spec) -> LakeInventory:
    return LakeInventory(Lake(tmp_path), spec)


def damaged(lake: LakeInventory, table: str, partition: str = f"ingestion_dt={DAY}") -> Path:
    folder = lake.lake.root / table / partition
    folder.mkdir(parents=True)
    pl.DataFrame({"x": [1]}).write_parquet(folder / "part-0000.parquet")
    seal(folder, table, {"part-0000.parquet": 1}, {}, counts={"keys_left": 3})
    os.truncate(folder / "part-0000.parquet", 7)
    return folder


@pytest.mark.parametrize("table", ["base/orders", "quarantine/orders", "enriched/sales_velocity"])
def test_what_the_run_makes_again_is_taken_away_and_named(
    lake: LakeInventory, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    folder = damaged(lake, table)
    mend(Catalog(lake, DAY), ALL)
    assert not folder.exists()
    assert f"{table}/ingestion_dt={DAY}: part-0000.parquet has 7 bytes" in caplog.text


def test_a_lost_key_set_says_what_is_lost_with_it(
    lake: LakeInventory, caplog: pytest.LogCaptureFixture
) -> None:
    damaged(lake, "keys/customers", "version=current")
    mend(Catalog(lake, DAY), ALL)
    assert "Keys that had left Bronze before are no longer known" in caplog.text


@pytest.mark.parametrize(
    ("written", "days", "parameters", "message"),
    [
        ({"gold.fct_orders"}, [DAY], {}, "this run does not write their tables"),
        (ALL, [DAY], {"ingest_dt": "2025-10-02"}, "this run is asked for other days"),
        (ALL, [DAY], {"replay": {}}, "this run is asked for other days"),
        (ALL, ["2025-10-02"], {}, "Bronze no longer holds their days"),
    ],
)
def test_what_the_run_does_not_make_again_is_refused_and_stays(
    lake: LakeInventory,
    written: set[str],
    days: list[str],
    parameters: dict[str, Any],
    message: str,
) -> None:
    folder = damaged(lake, "base/orders")
    with pytest.raises(LakeError, match=message) as refused:
        mend(Catalog(lake, *days, **parameters), written)
    assert refused.value.details == [
        f"base/orders/ingestion_dt={DAY}: part-0000.parquet has 7 bytes, not {_bytes(lake):,}"
    ]
    assert folder.exists()


def _bytes(lake: LakeInventory) -> int:
    return lake.lake.partitions("base/orders")[DAY].bytes


def test_a_copy_that_somebody_made_is_not_removed(lake: LakeInventory) -> None:
    folder = damaged(lake, "base/orders")
    copy = folder.with_name(f"{folder.name}.bak")
    shutil.copytree(folder, copy)
    with pytest.raises(LakeError, match="that no run has written"):
        mend(Catalog(lake, DAY), ALL)
    assert copy.exists()


def test_keys_that_left_are_told_and_are_no_failure(lake: LakeInventory, spec: Spec) -> None:
    damaged(lake, "dims/customers", f"snapshot_dt={DAY}")
    (told,) = DimsGate(Declared(spec, {}), lake, {}).findings()
    assert (told.table, told.severity) == ("customers", "info")
    assert told.observed.startswith("3 known keys are no longer in Bronze")


def sound(lake: LakeInventory, table: str, partition: str = f"ingestion_dt={DAY}") -> Path:
    folder = lake.lake.root / table / partition
    folder.mkdir(parents=True)
    pl.DataFrame({"x": [1]}).write_parquet(folder / "part-0000.parquet")
    seal(folder, table, {"part-0000.parquet": 1}, {})
    return folder


@pytest.mark.parametrize("name", ["orders_copy", "orders.bak", "orders (copy)", "Orders"])
@pytest.mark.parametrize("layer", ["base", "quarantine"])
def test_a_copied_table_is_ignored_and_named(
    lake: LakeInventory, caplog: pytest.LogCaptureFixture, layer: str, name: str
) -> None:
    copy = shutil.copytree(sound(lake, f"{layer}/orders").parent, lake.lake.root / layer / name)
    mend(Catalog(lake, DAY), ALL)
    assert (copy / f"ingestion_dt={DAY}").is_dir()
    assert f"{layer}/{name}: is no table of this lake; nothing reads it." in caplog.text
    verified = verify_lake(lake, "")
    assert verified.problems[0].startswith(f"{layer}/{name}: is no table of this lake")
    assert (verified.partitions, "move the folders" in verified.advice) == (1, True)


@pytest.mark.parametrize("name", ["base_copy", "base.bak", "gold"])
def test_a_copied_layer_is_ignored_and_named(
    lake: LakeInventory, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    shutil.copytree(sound(lake, "base/orders").parents[1], lake.lake.root / name)
    mend(Catalog(lake, DAY), ALL)
    assert f"{name}: is no layer of this lake; nothing reads it." in caplog.text
    assert list(lake.base("orders")) == [date.fromisoformat(DAY)]


@pytest.mark.parametrize(
    ("table", "partition", "copied"),
    [
        ("base/orders", f"ingestion_dt={DAY}", "ingestion_dt=2025-12-31"),
        ("quarantine/orders", f"ingestion_dt={DAY}", "ingestion_dt=2025-12-31"),
        ("enriched/sales_velocity", f"ingestion_dt={DAY}", "ingestion_dt=2025-12-31"),
        ("dims/customers", f"snapshot_dt={DAY}", "snapshot_dt=2025-12-31"),
    ],
)
def test_a_copy_under_another_day_is_refused_with_the_right_hint(
    lake: LakeInventory, table: str, partition: str, copied: str
) -> None:
    folder = sound(lake, table, partition)
    copy = shutil.copytree(folder, folder.with_name(copied))
    with pytest.raises(LakeError, match="There are copies of partitions") as refused:
        mend(Catalog(lake, DAY), ALL)
    assert refused.value.details[0].startswith(f"{table}/{copied}: its ")
    assert "move them out of the lake" in str(refused.value.hint)
    assert copy.is_dir()


def test_a_partition_that_a_copy_has_replaced_is_made_again(
    lake: LakeInventory, caplog: pytest.LogCaptureFixture
) -> None:
    folder = sound(lake, "base/orders")
    shutil.copytree(folder, folder.with_name("ingestion_dt=2025-10-02"))
    mend(Catalog(lake, DAY, "2025-10-02"), ALL)
    assert "base/orders/ingestion_dt=2025-10-02: its" in caplog.text
    assert list(lake.base("orders")) == [date.fromisoformat(DAY)]
