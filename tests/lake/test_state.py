"""What stands is what the folders hold, however it was remembered."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.lake import state
from medallion.lake.damage import find_damage
from medallion.lake.manifest import MANIFEST, content_hash, describe_files, write_manifest
from medallion.lake.manifest import PartitionManifest as Manifest
from medallion.lake.state import LakeState, StateReader
from medallion.lake.store import Lake

TABLES = ("base/orders", "dims/customers")
FILE = "part-0000.parquet"


def put(root: Path, table: str, day: int, text: str) -> Path:
    """A partition whose only file holds a text."""
    folder = root / table / f"ingestion_dt=2025-10-{day:02d}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / FILE).write_text(text)
    files = describe_files(folder, {FILE: len(text)})
    manifest = Manifest(
        table=table,
        partition=folder.name,
        files=files,
        columns={"a": "BIGINT", text or "b": "VARCHAR"},
        content_hash=content_hash(files),
        inputs={"bronze": text},
        bounds={"order_ts": ("2025-10-01T00:00:00", f"2025-10-01T00:00:{day:02d}")},
        refers={"orders": ("2025-10-01", "2025-10-02")},
        counts={"bronze_rows": len(text)},
    )
    write_manifest(folder, manifest)
    return folder


def as_read_anew(root: Path) -> LakeState:
    return StateReader(root).whole()


class Opened:
    """The files below a folder that this process has opened, since it was last asked."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._paths: list[str] = []
        sys.addaudithook(self._note)

    def _note(self, event: str, arguments: Any) -> None:
        if event == "open" and str(arguments[0]).startswith(self._folder):
            self._paths.append(str(arguments[0]))

    def take(self) -> list[str]:
        paths, self._paths = self._paths, []
        return paths


def test_a_lake_without_tables_is_empty(tmp_path: Path) -> None:
    assert as_read_anew(tmp_path / "silver").tables == {}


def test_a_file_in_the_place_of_a_table_is_a_table_without_partitions(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "orders").touch()
    assert Lake(tmp_path).partitions("base/orders") == {}


def test_the_state_says_where_each_file_is(tmp_path: Path) -> None:
    folders = [put(tmp_path, "base/orders", day, "x") for day in (2, 1)]
    files = as_read_anew(tmp_path).files("base/orders")
    assert files == sorted(folder / FILE for folder in folders)


@pytest.mark.usefixtures("at_rest")
def test_a_second_process_opens_no_manifest(tmp_path: Path) -> None:
    silver, cache = tmp_path / "silver", tmp_path / "cache"
    for day in range(1, 29):
        put(silver, "base/orders", day, f"rows of {day}")
    opened = Opened(silver)
    first = _process(silver, cache)
    assert len([path for path in opened.take() if path.endswith(MANIFEST)]) == 28
    second = _process(silver, cache)
    assert opened.take() == []
    assert second == first == as_read_anew(silver)


def _process(silver: Path, cache: Path) -> LakeState:
    """What a process reads, which remembers it for the next one."""
    reader = StateReader(silver)
    reader.remember_in(cache)
    found = reader.whole()
    reader.save()
    return found


def test_what_has_just_changed_is_not_remembered(tmp_path: Path) -> None:
    """It may change again within one tick of the clock, without a trace."""
    folder = put(tmp_path / "silver", "base/orders", 1, "x")
    _process(tmp_path / "silver", tmp_path / "cache")
    opened = Opened(folder)
    _process(tmp_path / "silver", tmp_path / "cache")
    assert opened.take() == [str(folder / MANIFEST)]


def garbled(piece: Path) -> None:
    content = bytearray(piece.read_bytes())
    content[len(content) // 2] ^= 1
    piece.write_bytes(bytes(content))


def truncated(piece: Path) -> None:
    piece.write_bytes(piece.read_bytes()[:-7])


def emptied(piece: Path) -> None:
    piece.write_bytes(b"")


def replaced_by_other_json(piece: Path) -> None:
    piece.write_text('[]\n{"a": []}')


def of_another_version(piece: Path) -> None:
    header, _, body = piece.read_bytes().partition(b"\n")
    said = json.loads(header)
    piece.write_bytes(json.dumps(["another", *said[1:]]).encode() + b"\n" + body)


def made_a_folder(piece: Path) -> None:
    piece.unlink()
    piece.mkdir()


def removed(piece: Path) -> None:
    piece.unlink()


SPOILING = [
    garbled, truncated, emptied, replaced_by_other_json, of_another_version, made_a_folder, removed
]  # fmt: skip


@pytest.mark.usefixtures("at_rest")
@pytest.mark.parametrize("spoil", SPOILING)
def test_a_spoilt_index_is_not_believed(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    silver, cache = tmp_path / "silver", tmp_path / "cache"
    put(silver, "base/orders", 1, "x")
    first = _process(silver, cache)
    spoil(cache / "base" / "orders.json")
    assert _process(silver, cache) == first


@pytest.mark.usefixtures("at_rest")
def test_the_index_of_another_lake_is_not_believed(tmp_path: Path) -> None:
    put(tmp_path / "one", "base/orders", 1, "x")
    _process(tmp_path / "one", tmp_path / "cache")
    put(tmp_path / "other", "base/orders", 2, "y")
    assert _process(tmp_path / "other", tmp_path / "cache") == as_read_anew(tmp_path / "other")


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("put"), st.sampled_from(TABLES), st.integers(1, 3), st.text("ab", max_size=9)
        ),
        st.tuples(st.just("remove"), st.sampled_from(TABLES), st.integers(1, 3)),
        st.tuples(st.just("break"), st.sampled_from(TABLES), st.integers(1, 3)),
        st.tuples(st.just("spoil"), st.sampled_from(TABLES), st.sampled_from(SPOILING)),
        st.tuples(st.just("run")),
    ),
    max_size=12,
)


@given(operations=OPERATIONS)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_the_state_is_what_the_folders_hold(
    operations: list[tuple[Any, ...]],
) -> None:
    """Partitions are written, replaced, removed and broken; the index is spoilt in any way."""
    with TemporaryDirectory() as place:
        silver, cache = Path(place, "silver"), Path(place, "cache")
        living = StateReader(silver)
        living.remember_in(cache)
        for operation in operations:
            _do(silver, cache, *operation)
            assert living.whole() == _process(silver, cache) == as_read_anew(silver)


def _do(silver: Path, cache: Path, what: str, table: str = "", *arguments: Any) -> None:
    match what:
        case "put":
            put(silver, table, *arguments)
        case "remove":
            shutil.rmtree(silver / table / f"ingestion_dt=2025-10-{arguments[0]:02d}", True)
        case "break":
            manifest = silver / table / f"ingestion_dt=2025-10-{arguments[0]:02d}" / MANIFEST
            if manifest.exists():
                manifest.write_text("[]")
        case "spoil":
            piece = cache / f"{table}.json"
            if piece.is_file():
                arguments[0](piece)


class TestARun:
    """A run looks at each manifest once, and sees what it has itself put in place."""

    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        lake = Lake(tmp_path / "silver")
        put(lake.root, "base/orders", 1, "old")
        put(lake.root, "base/orders", 2, "stays")
        return lake

    def commit(self, lake: Lake, text: str) -> None:
        staging = lake.staging("run", "step")
        put(staging, "base/orders", 1, text)
        lake.prepare(staging, {}).apply_all()

    def inputs(self, lake: Lake) -> list[str]:
        return [found.inputs["bronze"] for found in lake.partitions("base/orders").values()]

    @pytest.mark.usefixtures("at_rest")
    def test_it_sees_the_state_that_it_began_with(self, lake: Lake) -> None:
        lake.state.hold()
        assert self.inputs(lake) == ["old", "stays"]
        manifest = lake.root / "base/orders/ingestion_dt=2025-10-01" / MANIFEST
        manifest.write_text(manifest.read_text().replace('"old"', '"by hand"'))
        assert self.inputs(lake) == ["old", "stays"]
        lake.state.release()
        assert self.inputs(lake) == ["by hand", "stays"]

    def test_it_sees_what_it_has_put_in_place_and_taken_away(self, lake: Lake) -> None:
        lake.state.hold()
        assert self.inputs(lake) == ["old", "stays"]
        self.commit(lake, "new")
        assert self.inputs(Lake(lake.root)) == ["new", "stays"]
        lake.remove(["base/orders/ingestion_dt=2025-10-02"])
        assert self.inputs(lake) == ["new"]

    def test_it_sees_what_another_of_its_processes_has_put_in_place(self, lake: Lake) -> None:
        reader = StateReader(lake.root)
        reader.hold()
        before = reader.table("base/orders")
        self.commit(lake, "new")
        assert reader.table("base/orders") != before
        assert reader.table("base/orders") == as_read_anew(lake.root).tables["base/orders"]


@pytest.mark.usefixtures("at_rest")
class TestTheCheapLook:
    """What was sound, and was not touched since, is not opened again."""

    @pytest.fixture
    def lake(self, tmp_path: Path) -> Lake:
        lake = Lake(tmp_path / "silver")
        lake.state.remember_in(tmp_path / "cache")
        for day in (1, 2):
            put(lake.root, "base/orders", day, f"rows {day}")
        assert find_damage(lake) == []
        lake.state.save()
        return lake

    def test_sound_partitions_are_not_listed_again_in_another_process(
        self, lake: Lake, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state.reader_of.cache_clear()
        other = Lake(lake.root)
        other.state.remember_in(lake.root.parent / "cache")
        monkeypatch.setattr(
            "medallion.lake.damage.what_is_wrong", lambda *_, **__: "was looked into"
        )
        assert find_damage(other) == []

    @pytest.mark.parametrize("name", [FILE, "strange.parquet", MANIFEST])
    def test_a_file_that_is_written_is_seen(self, lake: Lake, name: str) -> None:
        (lake.root / "base/orders/ingestion_dt=2025-10-01" / name).write_text("short")
        assert [one.partition for one in find_damage(lake)] == ["ingestion_dt=2025-10-01"]

    def test_a_file_that_is_gone_is_seen(self, lake: Lake) -> None:
        (lake.root / "base/orders/ingestion_dt=2025-10-02" / FILE).unlink()
        assert [one.what for one in find_damage(lake)] == [f"{FILE} is not there"]

    def test_a_manifest_that_claims_other_rows_is_still_read(self, lake: Lake) -> None:
        folder = lake.root / "base/orders/ingestion_dt=2025-10-01"
        manifest = lake.partitions("base/orders")["2025-10-01"]
        write_manifest(folder, replace(manifest, table="base/carts"))
        assert [one.what for one in find_damage(lake)] == [
            f"its {MANIFEST} is that of base/carts/ingestion_dt=2025-10-01"
        ]
