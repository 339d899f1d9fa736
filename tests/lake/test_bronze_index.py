"""What is remembered of Bronze's manifests is what they say, however they change."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.lake import bronze_index
from medallion.lake.bronze import BronzeInventory, list_bronze
from medallion.spec import Spec
from medallion.storage import LocalStorage
from tests.lake.test_bronze import partition
from tests.lake.test_state import Opened

TABLE = "orders"
MANIFEST = "_MANIFEST.json"


def read(root: Path, spec: Spec, cache: Path | None = None) -> BronzeInventory:
    """What a run sees; it remembers when it ends."""
    found = list_bronze(str(root), spec, LocalStorage(cache) if cache else None)
    bronze_index.remember()
    return found


@pytest.mark.usefixtures("at_rest")
def test_a_manifest_that_stays_is_read_once(tmp_path: Path, spec: Spec) -> None:
    for day in range(1, 10):
        partition(tmp_path / "bronze", f"{TABLE}/ingest_dt=2025-10-{day:02d}")
    opened = Opened(tmp_path / "bronze")
    first = read(tmp_path / "bronze", spec, tmp_path / "cache")
    assert len([path for path in opened.take() if path.endswith(MANIFEST)]) == 9
    second = read(tmp_path / "bronze", spec, tmp_path / "cache")
    assert not [path for path in opened.take() if path.endswith(MANIFEST)]
    assert second == first == read(tmp_path / "bronze", spec)


def test_one_that_has_just_been_written_is_not_remembered(tmp_path: Path, spec: Spec) -> None:
    """It may be written again within one tick of the clock, without a trace."""
    partition(tmp_path / "bronze", f"{TABLE}/ingest_dt=2025-10-01")
    opened = Opened(tmp_path / "bronze")
    for _ in range(2):
        read(tmp_path / "bronze", spec, tmp_path / "cache")
        assert [path for path in opened.take() if path.endswith(MANIFEST)]


@pytest.mark.usefixtures("at_rest")
def test_a_look_writes_nothing(tmp_path: Path, spec: Spec) -> None:
    partition(tmp_path / "bronze", f"{TABLE}/ingest_dt=2025-10-01")
    list_bronze(str(tmp_path / "bronze"), spec, LocalStorage(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()
    bronze_index.remember()
    assert (tmp_path / "cache" / f"{TABLE}.json").exists()


@pytest.mark.usefixtures("at_rest")
def test_nothing_is_written_where_nothing_has_changed(tmp_path: Path, spec: Spec) -> None:
    partition(tmp_path / "bronze", f"{TABLE}/ingest_dt=2025-10-01")
    read(tmp_path / "bronze", spec, tmp_path / "cache")
    before = (tmp_path / "cache" / f"{TABLE}.json").stat()
    read(tmp_path / "bronze", spec, tmp_path / "cache")
    assert (tmp_path / "cache" / f"{TABLE}.json").stat().st_ino == before.st_ino


DAYS = st.integers(1, 3)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), DAYS, st.integers(1, 3)),
        st.tuples(st.just("remove"), DAYS),
        st.tuples(st.just("say"), DAYS, st.sampled_from([b"", b"[]", b'{"files": []}'])),
        st.tuples(st.just("name a file of another partition"), DAYS),
        st.tuples(st.just("spoil"), st.sampled_from([b"", b"{}", b"[]\n{}"])),
    ),
    max_size=8,
)


@pytest.mark.usefixtures("at_rest")
@given(operations=OPERATIONS)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_a_run_sees_what_the_manifests_say(
    spec: Spec, operations: list[tuple[Any, ...]]
) -> None:
    with TemporaryDirectory() as place:
        bronze, cache = Path(place, "bronze"), Path(place, "cache")
        (bronze / TABLE).mkdir(parents=True)
        for what, *arguments in operations:
            _do(bronze, cache, what, *arguments)
            assert read(bronze, spec, cache) == read(bronze, spec)


def _do(bronze: Path, cache: Path, what: str, *arguments: Any) -> None:
    if what == "spoil":
        if cache.is_dir():
            (cache / f"{TABLE}.json").write_bytes(arguments[0])
        return
    name = f"{TABLE}/ingest_dt=2025-10-{arguments[0]:02d}"
    if what in ("deliver", "remove"):
        shutil.rmtree(bronze / name, ignore_errors=True)
    if what == "deliver":
        partition(bronze, name, rows=arguments[1])
    manifest = bronze / name / MANIFEST
    if what == "say" and manifest.exists():
        # In place: the same inode, and perhaps the same size.
        manifest.write_bytes(arguments[1])
        os.utime(manifest)
    if what.startswith("name") and manifest.exists():
        other = {"path": f"{TABLE}/ingest_dt=2025-10-09/part-0000.parquet", "rows": 2}
        manifest.write_text(json.dumps({"files": [other]}))
