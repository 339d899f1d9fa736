"""A partition is always either as it was or complete, whatever happens and whenever."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from medallion import events
from medallion.errors import LakeError
from medallion.lake import disk_commits
from medallion.lake.commits import Commit
from medallion.lake.manifest import MANIFEST
from medallion.lake.sealing import seal
from medallion.lake.store import Lake

TABLES = ("base/orders", "quarantine/orders", "base/returns")
DAYS = ("2025-10-01", "2025-10-02")


def stage(staging: Path, table: str, day: str, value: int) -> None:
    folder = staging / table / f"ingestion_dt={day}"
    folder.mkdir(parents=True)
    frame = pl.DataFrame({"value": [value]})
    frame.write_parquet(folder / "part-0000.parquet")
    seal(folder, table, {"part-0000.parquet": 1}, {"value": "BIGINT"})


def commit_of(lake: Lake, value: int, run_id: str = "run") -> Commit:
    staging = lake.staging(run_id, "base_silver")
    for table in TABLES:
        for day in DAYS:
            stage(staging, table, day, value)
    return lake.prepare(staging, {})


def values(lake: Lake) -> dict[str, int]:
    """What a reader finds: one value per partition, read through the manifest."""
    return {
        f"{table}/{day}": pl.read_parquet(
            lake.root / table / manifest.partition / manifest.files[0].path
        ).item()
        for table in TABLES
        for day, manifest in lake.partitions(table).items()
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "silver")
    commit_of(made, 1).apply_all()
    return made


def test_a_commit_replaces_every_partition_and_leaves_no_staging(lake: Lake) -> None:
    commit_of(lake, 2).apply_all()
    assert set(values(lake).values()) == {2}
    assert not list(lake.places.staging.rglob("*.parquet"))


def test_a_crash_before_the_journal_leaves_the_lake_as_it_was(lake: Lake) -> None:
    staging = lake.staging("killed", "base_silver")
    stage(staging, "base/orders", "2025-10-01", 2)
    assert lake.recover() == []
    assert set(values(lake).values()) == {1}
    assert not lake.places.staging.exists()


@pytest.mark.parametrize("survived", range(len(TABLES) * len(DAYS)))
def test_a_crash_between_two_swaps_is_completed_by_the_next_run(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    commit = commit_of(lake, 2)
    real, done = disk_commits.replace_folder, []

    def crash_after(new: Path, live: Path) -> None:
        if len(done) == survived:
            raise KeyboardInterrupt
        real(new, live)
        done.append(live)

    monkeypatch.setattr(disk_commits, "replace_folder", crash_after)
    with pytest.raises(KeyboardInterrupt):
        commit.apply_all()
    assert sorted(values(lake).values()) == [1] * (6 - survived) + [2] * survived

    monkeypatch.undo()
    assert len(Lake(lake.root).recover()) == len(TABLES) * len(DAYS)
    assert set(values(lake).values()) == {2}


def test_a_crash_where_names_cannot_be_exchanged_is_completed_too(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = commit_of(lake, 2)
    monkeypatch.setattr("medallion.lake.swap._exchange_call", lambda: None)
    real = Path.rename

    def crash_with_nothing_in_place(self: Path, target: Path) -> Path:
        if str(target).endswith("base/orders/ingestion_dt=2025-10-01") and "_staging" in str(self):
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "rename", crash_with_nothing_in_place)
    with pytest.raises(KeyboardInterrupt):
        commit.apply_all()
    monkeypatch.setattr(Path, "rename", real)
    Lake(lake.root).recover()
    assert set(values(lake).values()) == {2}


def test_a_partition_that_comes_out_the_same_is_not_touched(lake: Lake) -> None:
    file = lake.root / "base/orders/ingestion_dt=2025-10-01/part-0000.parquet"
    before = file.stat()
    assert commit_of(lake, 1).apply_all() == []
    after = file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_partition_of_the_window_that_comes_out_empty_is_removed(lake: Lake) -> None:
    staging = lake.staging("run", "base_silver")
    stage(staging, "base/orders", "2025-10-02", 2)
    partitions = {f"ingestion_dt={day}" for day in DAYS}
    lake.prepare(staging, {"base/orders": partitions - {"ingestion_dt=2025-10-02"}}).apply_all()
    assert list(lake.partitions("base/orders")) == ["2025-10-02"]
    assert list(lake.partitions("base/returns")) == list(DAYS)


def test_one_table_of_a_commit_moves_alone_and_the_last_one_ends_it(lake: Lake) -> None:
    commit = commit_of(lake, 2)
    commit.apply("base/orders")
    assert values(lake)["base/orders/2025-10-01"] == 2
    assert values(lake)["base/returns/2025-10-01"] == 1
    commit.apply("base/returns")
    assert commit.folder.exists()
    commit.apply("quarantine/orders")
    assert not commit.folder.exists()


def test_a_table_whose_name_begins_like_another_is_not_moved_with_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    staging = lake.staging("run", "base_silver")
    for table in ("base/order", "base/order_items"):
        stage(staging, table, "2025-10-01", 1)
    commit = lake.prepare(staging, {})
    assert commit.apply("base/order") == ["base/order/ingestion_dt=2025-10-01"]
    assert not lake.partitions("base/order_items")


def test_a_partition_without_a_readable_manifest_is_named(lake: Lake) -> None:
    manifest = lake.root / "base/orders/ingestion_dt=2025-10-01" / MANIFEST
    manifest.write_text("{", encoding="utf-8")
    os.utime(manifest)
    with pytest.raises(LakeError, match=r"ingestion_dt=2025-10-01 has no readable _MANIFEST.json"):
        lake.partitions("base/orders")


def test_a_file_that_changed_since_it_was_written_no_longer_verifies(lake: Lake) -> None:
    manifest = lake.partitions("base/orders")["2025-10-01"]
    assert lake.verifies("base/orders", manifest)
    file = lake.root / "base/orders/ingestion_dt=2025-10-01/part-0000.parquet"
    with file.open("ab") as handle:
        handle.write(b"x")
    assert not lake.verifies("base/orders", manifest)
    shutil.rmtree(file.parent)
    assert not lake.verifies("base/orders", manifest)


def told(lake: Lake, table: str = "base/orders") -> list[tuple[str, str, str, int]]:
    """Who put what in place, as a listener hears it while the lake is recovered."""
    heard: list[events.Event] = []
    with events.listening(heard.append):
        lake.recover()
    return [
        (event.run_id, one.value, one.status, one.rows)
        for event in heard
        if isinstance(event, events.TableWritten) and f"{event.layer}/{event.table}" == table
        for one in event.partitions
    ]


def test_what_a_commit_puts_in_place_is_told_partition_by_partition(lake: Lake) -> None:
    staging = lake.staging("run", "base_silver")
    stage(staging, "base/orders", "2025-10-01", 2)
    stage(staging, "base/orders", "2025-10-03", 3)
    commit = lake.prepare(staging, {"base/orders": {"ingestion_dt=2025-10-02"}})
    heard: list[events.Event] = []
    with events.listening(heard.append):
        commit.apply_all()
    (event,) = heard
    assert isinstance(event, events.TableWritten)
    assert (event.run_id, event.layer, event.table) == ("run", "base", "orders")
    assert [(one.value, one.status) for one in event.partitions] == [
        ("2025-10-01", "written"),
        ("2025-10-02", "removed"),
        ("2025-10-03", "written"),
    ]


def test_a_recovery_tells_in_the_name_of_the_run_that_died(lake: Lake) -> None:
    staging = lake.staging("killed", "base_silver")
    stage(staging, "base/orders", "2025-10-03", 3)
    lake.prepare(staging, {})
    assert told(lake) == [
        ("killed", "2025-10-03", "written", lake.partitions("base/orders")["2025-10-03"].rows)
    ]
    assert told(lake) == []


def test_a_run_killed_between_the_swap_and_its_record_is_told_by_the_recovery(lake: Lake) -> None:
    staging = lake.staging("killed", "base_silver")
    stage(staging, "base/orders", "2025-10-03", 3)

    def die(_: events.Event) -> None:
        raise KeyboardInterrupt

    with events.listening(die), pytest.raises(KeyboardInterrupt):
        lake.prepare(staging, {}).apply_all()
    assert "2025-10-03" in lake.partitions("base/orders")
    assert [one[:3] for one in told(lake)] == [("killed", "2025-10-03", "written")]


def test_what_came_out_as_it_stands_is_told_as_unchanged(lake: Lake) -> None:
    staging = lake.staging("again", "base_silver")
    stage(staging, "base/orders", "2025-10-01", 1)
    commit = lake.prepare(staging, {})
    heard: list[events.Event] = []
    with events.listening(heard.append):
        assert commit.apply_all() == []
    (event,) = heard
    assert isinstance(event, events.TableWritten)
    assert [one.status for one in event.partitions] == ["unchanged"]


def test_a_recovery_leaves_a_living_run_alone(lake: Lake) -> None:
    for run in ("living", "dead"):
        stage(lake.staging(run, "base_silver"), "base/orders", "2025-10-03", 3)
    lake.recover(living="living")
    assert [path.name for path in lake.places.staging.iterdir()] == ["living"]


def test_a_step_that_is_done_again_completes_its_former_commit_first(lake: Lake) -> None:
    staging = lake.staging("run", "base_silver")
    stage(staging, "base/orders", "2025-10-03", 3)
    lake.prepare(staging, {})
    assert list(lake.staging("run", "base_silver").iterdir()) == []
    assert "2025-10-03" in lake.partitions("base/orders")
