"""Bronze in a store: names at once, manifests when they are new, data when a run asks for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion.lake.bronze_mirror import BronzeMirror
from medallion.storage import LocalStorage
from medallion.storage.eviction import evict

FOLDER = "orders/ingest_dt=2025-10-01"


@pytest.fixture
def store(tmp_path: Path) -> LocalStorage:
    storage = LocalStorage(tmp_path / "store")
    for day in ("2025-10-01", "2025-10-02"):
        storage.write(f"orders/ingest_dt={day}/part-0000.parquet", f"rows of {day}".encode())
        storage.write(f"orders/ingest_dt={day}/_SUCCESS", b"")
        storage.write(f"orders/ingest_dt={day}/_MANIFEST.json", f"said of {day}".encode())
    return storage


class Counting:
    """A store of which it is known what was downloaded."""

    def __init__(self, storage: LocalStorage) -> None:
        self._storage = storage
        self.root = storage.root
        self.downloaded: list[str] = []

    def listed(self, prefix: str = "") -> object:
        return self._storage.listed(prefix)

    def download(self, key: str, target: Path) -> None:
        self.downloaded.append(key)
        self._storage.download(key, target)


@pytest.fixture
def counting(store: LocalStorage) -> Counting:
    return Counting(store)


def mirror(counting: Counting, tmp_path: Path) -> BronzeMirror:
    made = BronzeMirror(counting, tmp_path / "mirror")  # type: ignore[arg-type]
    made.look()
    return made


def test_names_and_manifests_come_at_once_and_data_when_it_is_asked_for(
    counting: Counting, tmp_path: Path
) -> None:
    made = mirror(counting, tmp_path)
    assert sorted(counting.downloaded) == [
        "orders/ingest_dt=2025-10-01/_MANIFEST.json",
        "orders/ingest_dt=2025-10-02/_MANIFEST.json",
    ]
    part = made.folder / FOLDER / "part-0000.parquet"
    assert part.read_bytes() == b""
    made.fetch([str(made.folder / FOLDER)])
    assert part.read_bytes() == b"rows of 2025-10-01"
    assert not [key for key in counting.downloaded if "10-02/part" in key]


def test_what_has_not_changed_is_not_downloaded_again(counting: Counting, tmp_path: Path) -> None:
    made = mirror(counting, tmp_path)
    made.fetch([str(made.folder / FOLDER)])
    counting.downloaded.clear()
    again = mirror(counting, tmp_path)
    again.fetch([str(made.folder / FOLDER)])
    assert counting.downloaded == []


def test_what_was_delivered_again_is(
    counting: Counting, store: LocalStorage, tmp_path: Path
) -> None:
    made = mirror(counting, tmp_path)
    made.fetch([str(made.folder / FOLDER)])
    store.write(f"{FOLDER}/part-0000.parquet", b"other rows of the day")
    store.write(f"{FOLDER}/_MANIFEST.json", b"other")
    again = mirror(counting, tmp_path)
    assert (made.folder / FOLDER / "_MANIFEST.json").read_bytes() == b"other"
    again.fetch([str(made.folder / FOLDER)])
    assert (made.folder / FOLDER / "part-0000.parquet").read_bytes() == b"other rows of the day"


def test_what_is_gone_is_gone(counting: Counting, store: LocalStorage, tmp_path: Path) -> None:
    made = mirror(counting, tmp_path)
    for name in ("part-0000.parquet", "_SUCCESS", "_MANIFEST.json"):
        store.delete(f"{FOLDER}/{name}")
    mirror(counting, tmp_path)
    assert not (made.folder / FOLDER).exists()
    assert (made.folder / "orders/ingest_dt=2025-10-02/_MANIFEST.json").exists()


def test_what_a_full_cache_gave_up_or_a_hand_has_changed_is_downloaded_again(
    counting: Counting, tmp_path: Path
) -> None:
    made = mirror(counting, tmp_path)
    folder = made.folder
    part = folder / FOLDER / "part-0000.parquet"
    for damage in (lambda: evict([folder], 0, empty=True), lambda: part.write_bytes(b"x")):
        made.fetch([str(made.folder / FOLDER)])
        damage()
        made = mirror(counting, tmp_path)
        made.fetch([str(made.folder / FOLDER)])
        assert part.read_bytes() == b"rows of 2025-10-01"
