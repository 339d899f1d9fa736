"""An older snapshot that was deleted is named, as nothing makes it again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from medallion.gates.declared import Declared
from medallion.gates.layers.bronze import BronzeGate
from medallion.lake.bronze import BronzeInventory, Listed
from medallion.lake.inventory import LakeInventory
from medallion.lake.sealing import seal
from medallion.lake.snapshots import known_snapshots, lost_snapshots
from medallion.lake.store import Lake
from medallion.lake.verifying import verify_lake
from medallion.planning.plan import plan_run
from medallion.planning.request import parse_request
from medallion.spec import Spec
from medallion.storage import Document

DAYS = ("2025-10-01", "2025-10-02", "2025-10-03")


@pytest.fixture(params=["customers", "product_catalog"])
def dimension(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def lake(tmp_path: Path, spec: Spec, dimension: str) -> LakeInventory:
    """Three snapshots with rows put aside, all seen by the gate."""
    lake = LakeInventory(Lake(tmp_path), spec)
    for layer in ("dims", "quarantine"):
        for day in DAYS:
            folder = lake.lake.root / layer / dimension / f"snapshot_dt={day}"
            folder.mkdir(parents=True)
            seal(folder, f"{layer}/{dimension}", {}, {})
    Document.at(tmp_path / "_validated/dims.json").write(
        {dimension: {"snapshots": known_snapshots(lake, dimension)}}
    )
    # A lake is read once, so the tests change what nobody has read yet.
    return LakeInventory(Lake(tmp_path), spec)


def delete(lake: LakeInventory, layer: str, dimension: str, day: str) -> str:
    path = f"{layer}/{dimension}/snapshot_dt={day}"
    shutil.rmtree(lake.lake.root / path)
    return path


def test_nothing_is_lost_while_all_stand(lake: LakeInventory, dimension: str) -> None:
    assert lost_snapshots(lake, dimension) == []


@pytest.mark.parametrize("layer", ["dims", "quarantine"])
@pytest.mark.parametrize("day", DAYS[:2])
def test_the_next_run_and_verify_name_it(
    lake: LakeInventory, dimension: str, layer: str, day: str
) -> None:
    path = delete(lake, layer, dimension, day)
    assert f"{path}: is not there" in verify_lake(lake, "").problems
    orders = Listed("orders", "ingest_dt", DAYS[0], "/b", "first", {"f": 5})
    bronze = BronzeInventory("/b", {"orders": (orders,)}, ())
    plan = plan_run(parse_request({}), lake.spec, bronze, lake)
    (found,) = [one for one in plan.findings if one.check == "snapshot_lost"]
    assert str(found).startswith(f"{dimension}/snapshot_dt={day}: ")
    assert path in found.message
    gate = BronzeGate(Declared(lake.spec, {}), {}, (found,))
    assert [failure.name for failure in gate.findings()] == ["snapshot_lost"]


def test_the_newest_is_made_again_and_those_after_it_were_forgotten(
    lake: LakeInventory, dimension: str
) -> None:
    for layer in ("dims", "quarantine"):
        delete(lake, layer, dimension, DAYS[2])
    assert lost_snapshots(lake, dimension) == []


def test_all_but_the_newest_are_lost_if_none_stands(lake: LakeInventory, dimension: str) -> None:
    gone = [delete(lake, "dims", dimension, day) for day in DAYS]
    shutil.rmtree(lake.lake.root / "quarantine")
    assert [path for path in lost_snapshots(lake, dimension) if path in gone] == gone[:2]


def test_a_lake_whose_gate_remembers_no_snapshot_has_lost_none(
    lake: LakeInventory, dimension: str
) -> None:
    Document.at(lake.lake.root / "_validated/dims.json").write({dimension: {"partitions": {}}})
    delete(lake, "dims", dimension, DAYS[0])
    assert lost_snapshots(lake, dimension) == []


@pytest.mark.parametrize("keys", ["deleted", "older", "as they were"])
def test_keys_that_only_the_key_set_knew_are_named_when_it_is_not_what_it_was(
    tmp_path: Path, spec: Spec, keys: str
) -> None:
    for path in ("dims/customers/snapshot_dt=2025-10-03", "keys/customers/version=current"):
        (tmp_path / path).mkdir(parents=True)
        seal(tmp_path / path, path.rpartition("/")[0], {}, {}, counts={"keys_left": 2})
    lake = LakeInventory(Lake(tmp_path), spec)
    stamp = "of a newer one" if keys == "older" else lake.keys_stamp("customers")
    Document.at(tmp_path / "_validated/dims.json").write({"customers": {"keys": stamp}})
    if keys == "deleted":
        shutil.rmtree(tmp_path / "keys")
    lake = LakeInventory(Lake(tmp_path), spec)
    orders = Listed("orders", "ingest_dt", DAYS[2], "/b", "first", {"f": 5})
    plan = plan_run(parse_request({}), spec, BronzeInventory("/b", {"orders": (orders,)}, ()), lake)
    told = [str(one) for one in plan.findings if one.check == "snapshot_lost"]
    assert [line[:35] for line in told] == (
        [] if keys == "as they were" else ["customers: the known keys (keys/cus"]
    )
    assert all("2 of them had left Bronze" in line for line in told)


def test_a_damaged_snapshot_is_named_once_by_verify(lake: LakeInventory, dimension: str) -> None:
    delete(lake, "dims", dimension, DAYS[0])
    damaged = lake.lake.root / f"dims/{dimension}/snapshot_dt={DAYS[1]}"
    (damaged / "stray.parquet").write_bytes(b"")
    told = [line for line in verify_lake(lake, "").problems if f"dims/{dimension}/" in line]
    assert [line.partition(":")[0][-10:] for line in told] == [DAYS[1], DAYS[0]]
