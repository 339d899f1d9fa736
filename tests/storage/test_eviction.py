"""A full cache gives up what was used longest ago, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from medallion.storage.eviction import evict


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    for number in range(5):
        path = tmp_path / f"{number}" / "part.parquet"
        path.parent.mkdir()
        path.write_bytes(b"x" * 100)
        os.utime(path, (1_000 + number, 1_000 + number))
    (tmp_path / "0" / "_MANIFEST.json").write_text("{}")
    return tmp_path


def left(cache: Path) -> list[str]:
    return sorted(p.parent.name for p in cache.rglob("*.parquet") if p.stat().st_size)


def test_a_cache_within_its_bounds_is_left_alone(cache: Path) -> None:
    assert evict([cache], 500) == 0
    assert left(cache) == ["0", "1", "2", "3", "4"]


def test_what_was_used_longest_ago_goes_first(cache: Path) -> None:
    os.utime(cache / "0" / "part.parquet", (5_000, 1_000))
    assert evict([cache], 250) == 300
    assert left(cache) == ["0", "4"]
    assert (cache / "0" / "_MANIFEST.json").exists()


def test_a_name_can_stay_without_its_bytes(cache: Path) -> None:
    evict([cache], 0, empty=True)
    assert left(cache) == []
    assert len(list(cache.rglob("*.parquet"))) == 5


def test_a_cache_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    assert evict([tmp_path / "nothing"], 0) == 0
