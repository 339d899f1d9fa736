"""What a manifest says counts only while its files are what it describes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from medallion.gates.ledger import Judged, Ledger
from medallion.lake import damage
from medallion.lake.damage import find_damage
from medallion.lake.inventory import LakeInventory, write_pointer, write_state
from medallion.lake.manifest import MANIFEST
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.lake.verifying import verify_lake
from medallion.spec import Spec

FILE = "part-0000.parquet"


def put(
    lake: Lake, table: str, value: str, rows: int = 2, counts: dict[str, int] | None = None
) -> Path:
    key = {"dims": "snapshot_dt", "keys": "version"}.get(
        table.split("/", maxsplit=1)[0], "ingestion_dt"
    )
    folder = lake.root / table / f"{key}={value}"
    folder.mkdir(parents=True)
    pl.DataFrame({"value": range(rows)}).write_parquet(folder / FILE)
    seal(folder, table, {FILE: rows}, {"value": "BIGINT"}, inputs={"bronze": "x"}, counts=counts)
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "silver")


@pytest.fixture
def folder(lake: Lake) -> Path:
    """A partition that has something in every byte."""
    return put(lake, "base/orders", "2025-10-01")


def truncated(folder: Path) -> None:
    os.truncate(folder / FILE, 10)


def emptied(folder: Path) -> None:
    (folder / FILE).write_bytes(b"")


def replaced_by_as_many_bytes(folder: Path) -> None:
    content = bytearray((folder / FILE).read_bytes())
    content[20] ^= 1
    (folder / FILE).write_bytes(bytes(content))


def data_deleted(folder: Path) -> None:
    (folder / FILE).unlink()


def manifest_deleted(folder: Path) -> None:
    (folder / MANIFEST).unlink()


def manifest_truncated(folder: Path) -> None:
    os.truncate(folder / MANIFEST, 30)


def manifest_changed(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][0]["sha256"] = "0" * 64
    (folder / MANIFEST).write_text(json.dumps(manifest))


def file_added(folder: Path) -> None:
    shutil.copy(folder / FILE, folder / "part-0001.parquet")


def partition_of_another_day(folder: Path) -> None:
    other = put(Lake(folder.parents[2]), "base/orders", "2025-10-02")
    shutil.rmtree(folder)
    other.rename(folder)


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (truncated, f"{FILE} has 10 bytes, not"),
        (emptied, f"{FILE} has 0 bytes, not"),
        (replaced_by_as_many_bytes, f"{FILE} was replaced"),
        (data_deleted, f"{FILE} is not there"),
        (manifest_deleted, f"has no readable {MANIFEST}"),
        (manifest_truncated, f"has no readable {MANIFEST}"),
        (file_added, "part-0001.parquet does not belong to it"),
        (
            partition_of_another_day,
            f"its {MANIFEST} is that of base/orders/ingestion_dt=2025-10-02",
        ),
    ],
)
def test_the_cheap_look_finds(
    lake: Lake, folder: Path, harm: Callable[[Path], None], what: str
) -> None:
    assert find_damage(lake) == []
    harm(folder)
    (found,) = find_damage(lake)
    assert str(found).startswith(f"base/orders/ingestion_dt=2025-10-01: {what}")


@pytest.mark.parametrize(
    "table", ["quarantine/orders", "enriched/sales_velocity", "dims/customers"]
)
def test_every_layer_is_looked_at(lake: Lake, table: str) -> None:
    truncated(put(lake, table, "2025-10-01"))
    assert [found.table for found in find_damage(lake)] == [table]


def test_key_sets_are_looked_at(lake: Lake) -> None:
    truncated(put(lake, "keys/customers", "current"))
    assert [found.path for found in find_damage(lake)] == ["keys/customers/version=current"]


@pytest.mark.parametrize("name", ["ingestion_dt=2025-10-01.bak", "ingestion_dt=2025-10-01 (copy)"])
def test_a_folder_that_no_run_has_written_is_foreign(lake: Lake, folder: Path, name: str) -> None:
    shutil.copytree(folder, folder.with_name(name))
    assert [(f.partition, f.is_foreign) for f in find_damage(lake)] == [(name, True)]


@pytest.mark.parametrize("name", [".DS_Store", "._part-0000.parquet", "notes.txt"])
def test_files_that_are_nobodys_data_do_no_harm(lake: Lake, folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    assert find_damage(lake) == []


def test_only_the_thorough_look_reads_a_file_that_did_not_change_after_its_manifest(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced_by_as_many_bytes(folder)
    monkeypatch.setattr(damage, "_changed", lambda _: 0)
    assert find_damage(lake) == []
    assert [found.partition for found in find_damage(lake, thorough=True)] == [folder.name]


def test_only_the_thorough_look_finds_a_manifest_that_was_written_by_hand(
    lake: Lake, folder: Path
) -> None:
    manifest_changed(folder)
    assert find_damage(lake) == []
    assert f"its {MANIFEST} was changed" in str(find_damage(lake, thorough=True)[0])


def test_a_copied_lake_is_read_once_and_not_again(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.utime(folder / FILE)
    assert find_damage(lake) == []
    monkeypatch.setattr(damage, "describe_files", lambda *_: pytest.fail("read again"))
    assert find_damage(lake) == []


class TestState:
    """What a file of state says counts only while what it describes is there."""

    def test_a_day_of_which_rows_are_gone_was_made_from_nothing(
        self, lake: Lake, spec: Spec
    ) -> None:
        put(lake, "base/orders", "2025-10-01", rows=2, counts={"bronze_rows": 3})
        aside = put(lake, "quarantine/orders", "2025-10-01", rows=1, counts={"bronze_rows": 3})
        inventory = LakeInventory(lake, spec)
        assert set(inventory.processed("orders").values()) == {"x"}
        shutil.rmtree(aside)
        assert set(inventory.processed("orders").values()) == {""}

    @pytest.mark.parametrize("rows", [0, 2])
    def test_an_enriched_day_counts_while_its_rows_stand(
        self, lake: Lake, spec: Spec, rows: int
    ) -> None:
        folder = put(lake, "enriched/sales_velocity", "2025-10-01") if rows else None
        write_state(lake, "sales_velocity", {"2025-10-01": {"events": "e"}})
        inventory = LakeInventory(lake, spec)
        assert list(inventory.enriched_state("sales_velocity")) == ["2025-10-01"]
        if folder:
            shutil.rmtree(folder)
            assert inventory.enriched_state("sales_velocity") == {}
            assert inventory.days_without_rows("sales_velocity") == ["2025-10-01"]

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
    def test_state_that_cannot_be_read_says_nothing(
        self, lake: Lake, spec: Spec, text: str
    ) -> None:
        for name in ("enriched/_state/sales_velocity", "_validated/gold", "dims/_latest"):
            path = lake.root / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        inventory = LakeInventory(lake, spec)
        assert inventory.enriched_state("sales_velocity") == {}
        assert inventory.validated("gold") == {}
        assert inventory.newest_snapshots() == {}

    @pytest.mark.parametrize("pointer", [None, "{", '{"customers": "2030-01-01"}', "{}"])
    def test_the_newest_snapshot_that_stands_counts_whatever_the_pointer_says(
        self, lake: Lake, spec: Spec, pointer: str | None
    ) -> None:
        for day in ("2025-10-01", "2025-10-03"):
            put(lake, "dims/customers", day)
        path = lake.root / "dims/_latest.json"
        if pointer is not None:
            path.write_text(pointer)
        inventory = LakeInventory(lake, spec)
        assert str(inventory.newest_snapshots()["customers"]) == "2025-10-03"
        write_pointer(inventory)
        assert json.loads(path.read_text()) == {"customers": "2025-10-03"}

    def test_a_snapshot_is_whole_with_its_keys_and_the_rows_put_aside(
        self, lake: Lake, spec: Spec
    ) -> None:
        counts = {"bronze_rows": 5, "superseded": 1}
        put(lake, "dims/customers", "2025-10-01", rows=3, counts=counts)
        inventory = LakeInventory(lake, spec)
        assert not inventory.is_whole("customers")
        put(lake, "keys/customers", "current")
        assert not inventory.is_whole("customers")
        folder = lake.root / "quarantine/customers/snapshot_dt=2025-10-01"
        folder.mkdir(parents=True)
        pl.DataFrame({"value": [1]}).write_parquet(folder / FILE)
        seal(folder, "quarantine/customers", {FILE: 1}, {}, counts=counts)
        assert inventory.is_whole("customers")

    @pytest.mark.parametrize("replaced", ["keys/customers", "quarantine/customers"])
    def test_what_belongs_to_a_snapshot_is_what_the_gate_has_seen_last(
        self, lake: Lake, spec: Spec, replaced: str
    ) -> None:
        counts = {"bronze_rows": 5, "superseded": 1, "keys_left": 2}
        put(lake, "dims/customers", "2025-10-01", rows=3, counts=counts)
        key, day = ("version", "current") if "keys" in replaced else ("snapshot_dt", "2025-10-01")
        put(lake, "keys/customers", "current")
        _put_aside(lake, 1, counts)
        inventory = LakeInventory(lake, spec)
        ledger = Ledger({"customers": Judged("suite", inventory.snapshot_stamp("customers"))})
        seen = ledger.with_snapshots({}, {"customers": inventory.keys_stamp("customers")})
        lake.document(lake.places.ledger_key("dims")).write(seen.tables_as_json())
        assert inventory.is_whole("customers")
        assert not verified(inventory)
        folder = lake.root / replaced / f"{key}={day}"
        shutil.rmtree(folder)
        if "keys" in replaced:
            put(lake, replaced, "current", rows=1)
        else:
            _put_aside(lake, 7, counts)
        assert not inventory.is_whole("customers")
        (told,) = verified(inventory)
        assert told.startswith("dims/customers: the key set or the rows put aside")


def test_what_systems_leave_in_a_lake_is_no_damage(lake: Lake, folder: Path, spec: Spec) -> None:
    inventory = LakeInventory(lake, spec)
    lake.document(lake.places.ledger_key("dims")).write({"customers": {"partitions": {}}})
    beside = [folder, *lake.places.state_folders, lake.root / "base", lake.root / "base/orders"]
    for each in beside:
        each.mkdir(parents=True, exist_ok=True)
        for name in (".DS_Store", "desktop.ini", "Thumbs.db", "._dims.json", "._part-0000.parquet"):
            (each / name).write_bytes(b"\0\5\26\7")
    (lake.root / "lost+found").mkdir()
    (lake.root / "base/$RECYCLE.BIN").mkdir()
    assert verify_lake(inventory, "").problems == []


def _put_aside(lake: Lake, value: int, counts: dict[str, int]) -> None:
    """One quarantined row of the snapshot, with its value."""
    folder = lake.root / "quarantine/customers/snapshot_dt=2025-10-01"
    folder.mkdir(parents=True)
    pl.DataFrame({"value": [value]}).write_parquet(folder / FILE)
    seal(folder, "quarantine/customers", {FILE: 1}, {}, counts=counts)


def verified(inventory: LakeInventory) -> list[str]:
    problems = verify_lake(inventory, "").problems
    return [line for line in problems if line.startswith("dims/customers:")]
