"""A folder takes the place of another, on one file system or on two."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from medallion.errors import LakeError
from medallion.lake import swap
from medallion.lake.store import Lake
from tests.lake.small_lakes import SmallLake
from tests.lake.test_store import TABLES, commit_of, values

OTHER_DISK = Path("/dev/shm")  # noqa: S108


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the test's."""
    if not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system")
    folder = OTHER_DISK / f"medallion-{tmp_path.name}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("linked", ["base", "base/orders", "quarantine", "_staging"])
def test_parts_of_a_lake_may_lie_on_another_file_system(
    tmp_path: Path, other: Path, linked: str
) -> None:
    lake = Lake(tmp_path / "silver")
    link = lake.root / linked
    link.parent.mkdir(parents=True)
    link.symlink_to(other)
    commit_of(lake, 1).apply_all()
    commit_of(lake, 2).apply_all()
    assert set(values(lake).values()) == {2}
    assert link.is_symlink()
    assert not list(lake.root.rglob("_*ing.*"))


@pytest.mark.parametrize("linked", ["base", "base/orders", "quarantine", "_staging", "_history"])
def test_an_earlier_state_of_such_a_lake_is_kept_and_gone_back_to(
    tmp_path: Path, other: Path, linked: str
) -> None:
    root = tmp_path / "silver"
    (root / linked).parent.mkdir(parents=True)
    (root / linked).symlink_to(other)
    lake = SmallLake(root)
    one = {("base/orders", 1): "a", ("quarantine/orders", 1): "bad", ("enriched/carts", 1): "c"}
    lake.run("r1", one)
    before = lake.data()
    lake.run("r2", {("base/orders", 1): "b", ("quarantine/orders", 2): "bad again"})
    after = lake.data()
    lake.go_to("r1")
    assert (lake.data(), lake.read()) == (before, one)
    lake.go_to("r2")
    assert lake.data() == after
    assert not list(root.rglob("_*ing.*"))


def test_a_partition_on_another_file_system_is_removed(tmp_path: Path, other: Path) -> None:
    lake = Lake(tmp_path / "silver")
    lake.root.mkdir()
    (lake.root / "base").symlink_to(other)
    commit_of(lake, 1).apply_all()
    gone = {"base/orders": {"ingestion_dt=2025-10-01"}}
    lake.prepare(lake.staging("run", "step"), gone).apply_all()
    assert list(lake.partitions("base/orders")) == ["2025-10-02"]
    assert [path.name for path in (other / "orders").iterdir()] == ["ingestion_dt=2025-10-02"]


def test_a_crash_while_content_is_copied_is_completed(tmp_path: Path, other: Path) -> None:
    lake = Lake(tmp_path / "silver")
    lake.root.mkdir()
    (lake.root / "base").symlink_to(other)
    commit_of(lake, 1).apply_all()
    commit_of(lake, 2)
    half = other / "orders" / "_coming.ingestion_dt=2025-10-01"
    half.mkdir()
    (half / "part-0000.parquet").write_bytes(b"PAR1")
    assert set(values(lake).values()) == {1}
    assert len(lake.recover()) == len(TABLES) * 2
    assert set(values(lake).values()) == {2}
    assert not half.exists()


def test_any_other_failure_is_not_taken_for_a_second_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EACCES, "no")

    (tmp_path / "new").mkdir()
    monkeypatch.setattr(swap, "_replace", refuse)
    with pytest.raises(OSError, match="no"):
        swap.replace_folder(tmp_path / "new", tmp_path / "live")


def test_a_link_to_a_disk_that_is_gone_is_named(tmp_path: Path) -> None:
    (tmp_path / "base").symlink_to(tmp_path / "unmounted")
    (tmp_path / "new").mkdir()
    with pytest.raises(LakeError, match="a link to a place that is not there"):
        swap.replace_folder(tmp_path / "new", tmp_path / "base" / "orders" / "ingestion_dt=x")
