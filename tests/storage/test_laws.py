"""The laws of storage, asked of every implementation."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medallion.errors import AbsentError, ChangedError, ExistsError, StorageError
from medallion.storage import LocalStorage, Storage
from medallion.storage.filesystem import clear_drafts
from medallion.storage.google import GoogleStorage
from medallion.storage.process import numbering
from tests.storage.memory import Memory


@pytest.fixture(params=["disk", "google", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return Memory()
    if request.param == "disk":
        return LocalStorage(tmp_path / "root")
    bucket: str = request.getfixturevalue("bucket")
    return GoogleStorage(f"gs://{bucket}/lake")


def test_what_was_written_is_read_back(storage: Storage) -> None:
    version = storage.write("a/b.json", b"1")
    stored = storage.read("a/b.json")
    assert (stored.data, stored.version) == (b"1", version)


def test_an_absent_object_is_said_to_be_absent(storage: Storage) -> None:
    with pytest.raises(AbsentError, match="not there"):
        storage.read("a")


def test_an_object_is_created_once(storage: Storage) -> None:
    storage.create("a", b"first")
    with pytest.raises(ExistsError):
        storage.create("a", b"second")
    assert storage.read("a").data == b"first"


def test_one_of_many_creators_wins(storage: Storage) -> None:
    def create(n: int) -> bool:
        try:
            storage.create("a", str(n).encode())
        except ExistsError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(create, range(64)))
    assert won.count(True) == 1
    assert storage.read("a").data == str(won.index(True)).encode()


def test_every_write_makes_a_new_version(storage: Storage) -> None:
    versions = {storage.write("a", b"same") for _ in range(20)}
    assert len(versions) == 20


def test_a_swap_needs_the_version_that_stands(storage: Storage) -> None:
    old = storage.create("a", b"1")
    new = storage.swap("a", b"2", old)
    with pytest.raises(ChangedError):
        storage.swap("a", b"3", old)
    stored = storage.read("a")
    assert (stored.data, stored.version) == (b"2", new)


def test_an_object_that_is_gone_cannot_be_swapped(storage: Storage) -> None:
    version = storage.create("a", b"1")
    storage.delete("a")
    with pytest.raises(ChangedError):
        storage.swap("a", b"2", version)


def test_no_swap_of_many_is_lost(storage: Storage) -> None:
    storage.create("a", b"0")

    def add(_: int) -> None:
        while True:
            stored = storage.read("a")
            try:
                storage.swap("a", str(int(stored.data) + 1).encode(), stored.version)
            except ChangedError:
                continue
            return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    assert storage.read("a").data == b"40"


def test_an_upload_replaces_nothing(storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"new")
    storage.create("a", b"old")
    with pytest.raises(ExistsError):
        storage.upload(file, "a")
    assert storage.read("a").data == b"old"


def test_what_was_uploaded_is_downloaded(storage: Storage, tmp_path: Path) -> None:
    file, copy = tmp_path / "file", tmp_path / "elsewhere" / "copy"
    file.write_bytes(b"rows")
    storage.upload(file, "t/p=1/part-0000.parquet")
    storage.download("t/p=1/part-0000.parquet", copy)
    assert copy.read_bytes() == b"rows"
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


def test_a_download_of_nothing_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(AbsentError):
        storage.download("a", tmp_path / "copies" / "a")
    assert list((tmp_path / "copies").iterdir()) == []


def test_a_listing_has_every_object_in_order_with_its_version(storage: Storage) -> None:
    versions = {key: storage.write(key, b"xy") for key in ("b/2", "a", "b/1", "c")}
    listed = list(storage.listed())
    assert [entry.key for entry in listed] == ["a", "b/1", "b/2", "c"]
    assert {entry.key: entry.version for entry in listed} == versions
    assert {entry.size for entry in listed} == {2}
    assert [entry.key for entry in storage.listed("b/")] == ["b/1", "b/2"]


def test_a_delete_with_a_version_spares_a_newer_object(storage: Storage) -> None:
    old = storage.write("a", b"1")
    storage.write("a", b"2")
    with pytest.raises(ChangedError):
        storage.delete("a", old)
    assert storage.read("a").data == b"2"


def test_deleting_what_is_gone_is_no_matter(storage: Storage) -> None:
    version = storage.write("a", b"1")
    storage.delete("a", version)
    storage.delete("a", version)
    storage.delete("a")
    assert list(storage.listed()) == []


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/etc/passwd", "", "a//b", ".", "a\0b"])
def test_a_key_cannot_leave_the_root(storage: Storage, key: str) -> None:
    with pytest.raises(StorageError, match="cannot be the key"):
        storage.write(key, b"")


def test_what_was_appended_is_at_the_end(storage: Storage) -> None:
    for part in (b"one\n", b"two\n"):
        storage.append("a/b.jsonl", part)
    assert storage.read("a/b.jsonl").data == b"one\ntwo\n"
    storage.append("a/b.jsonl", b"three\n")
    assert storage.read("a/b.jsonl").data == b"one\ntwo\nthree\n"


def test_a_listing_looks_below_its_prefix_alone(storage: Storage) -> None:
    for key in ("a/b", "a/bc/d", "ab", "c/a/b"):
        storage.write(key, b"")
    assert [entry.key for entry in storage.listed("a/b")] == ["a/b", "a/bc/d"]
    assert [entry.key for entry in storage.listed("a/")] == ["a/b", "a/bc/d"]
    assert list(storage.listed("none/")) == []


def test_folders_are_what_keys_begin_with(storage: Storage) -> None:
    assert storage.folders() == []
    for key in ("b/1", "a/1", "a/2/3", "c"):
        storage.write(key, b"")
    assert storage.folders() == ["a", "b"]
    assert storage.folders("a/") == ["2"]
    assert storage.folders("none/") == []


def test_what_a_killed_writer_has_left_is_cleared_and_a_living_ones_is_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    host = f"{socket.gethostname()}~{numbering()}"
    left = tmp_path / f".{host}~{dead.pid}~abc.draft"
    others = [
        tmp_path / name
        for name in (
            f".{host}~{os.getpid()}~abc.draft",
            f".{socket.gethostname()}~0000~{dead.pid}~abc.draft",
            ".elsewhere~1~abc.draft",
            "mine.draft",
        )
    ]
    for path in (left, *others):
        path.touch()
    clear_drafts(tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in others)
