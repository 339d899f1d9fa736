"""A lake in an object store of which something is spoilt or lost: what is said, and what helps."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from medallion.errors import LakeError
from medallion.lake.published import Published
from tests.lake.test_working_copy import ONE, TWO, Machine, publish
from tests.storage.memory import Memory


@pytest.fixture
def store() -> Memory:
    return Memory()


@pytest.fixture
def machine(tmp_path: Path, store: Memory) -> Callable[[str], Machine]:
    return lambda name: Machine(tmp_path / name, store)


@pytest.fixture
def published(machine: Callable[[str], Machine]) -> Published:
    """Two states; who wrote them has read them, too, so all is in its cache."""
    writer = machine("writer")
    publish(writer, "r1", ONE)
    publish(writer, "r2", TWO)
    assert machine("admin").reads() == TWO
    return machine("admin").published


def cached(published: Published) -> list[Path]:
    return [path for path in published.cache.rglob("*.json") if path.is_file()]


@pytest.mark.parametrize("spoilt", [b"", b"{", b"{}", b'{"tables": ', b"\xff\x00"])
def test_a_spoilt_cache_is_read_again_from_the_store_once_and_silently(
    published: Published,
    machine: Callable[[str], Machine],
    spoilt: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sound = {path: path.read_bytes() for path in cached(published)}
    assert {path.name.partition("-")[0].partition(".")[0] for path in sound} == {
        *("_MANIFEST", "orders", "sales_velocity", "base_silver")
    }
    for path in sound:
        path.write_bytes(spoilt)
    reader = machine("admin")
    assert reader.reads() == TWO
    assert caplog.messages == []
    assert {path: path.read_bytes() for path in cached(published)} == sound


@pytest.mark.parametrize("kind", ["_MANIFEST.json", "_pieces/base/orders", "_documents/"])
def test_what_is_spoilt_in_the_store_is_said_of_the_store_and_not_kept(
    published: Published, machine: Callable[[str], Machine], store: Memory, kind: str
) -> None:
    assert published.pointer()[0]
    (key,) = [one for one in store.objects if one.startswith(f"_staging/r2/{kind}")]
    good = store.read(key).data
    store.write(key, good[: len(good) // 2])
    with pytest.raises(LakeError, match=f"^memory/{key} ") as refused:
        machine("reader").reads()
    assert "kedro lake rollback --to RUN" in refused.value.hint
    store.write(key, good)
    assert machine("reader").reads() == TWO
