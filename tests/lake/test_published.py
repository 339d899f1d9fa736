"""A lake in an object store of which something is spoilt or lost: what is said, and what helps."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medallion.errors import CollectedError, LakeError, PointerError, PublishError, RequestError
from medallion.lake import history
from medallion.lake.doctor import pointer_diagnosis
from medallion.lake.published import POINTER, Pointer, Published
from tests.lake.test_working_copy import ONE, TWO, Machine, publish
from tests.storage.memory import Memory


@pytest.fixture
def store() -> Memory:
    return Memory(now=time.time_ns)


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


SPOILT = {
    b"": "it is empty",
    b"\n": "it is empty",
    b'{"run_id": "r2", "mani': "it is no JSON",
    b"{}": "it does not say what it should (run_id: Field required)",
    b"[]": "it does not say what it should (",
    b"null": "it does not say what it should (",
    b'{"run_id": "r2", "manifest": "../../raw/bronze/x"}': "'../../raw/bronze/x' is no manifest",
    b'{"run_id": "r2", "manifest": "_staging/r2/x.json"}': "'_staging/r2/x.json' is no manifest",
}
NOWHERE = b'{"run_id": "nope", "manifest": "_staging/nope/_MANIFEST.json"}'


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_spoilt_pointer_is_named_and_can_be_replaced(
    published: Published, machine: Callable[[str], Machine], store: Memory, spoilt: bytes
) -> None:
    store.write(POINTER, spoilt)
    says = f"memory/{POINTER} does not say which state is current: {SPOILT[spoilt]}"
    for refusing in (machine("new").reads, lambda: machine("new").copy.begin("r3")):
        with pytest.raises(PointerError, match=f"^{re.escape(says)}") as refused:
            refusing()
        assert "`kedro lake history`" in refused.value.hint
        assert "`kedro lake rollback --to RUN`" in refused.value.hint
    with pytest.raises(PointerError):
        find_garbage(published)
    seen = history.look(published)
    assert [(one.run_id, one.is_current) for one in seen.states] == [("r2", False), ("r1", False)]
    assert seen.problem.startswith(says)
    with pytest.raises(RequestError, match=f"^{re.escape(says)}"):
        history.roll_back(published, None)
    assert history.roll_back(published, "r2").run_id == "r2"
    assert machine("new").reads() == TWO
    assert history.look(published).problem == ""


def test_a_spoilt_pointer_that_somebody_has_replaced_meanwhile_is_not_replaced_again(
    published: Published, store: Memory
) -> None:
    store.write(POINTER, b"{}")
    seen = history.look(published)
    history.roll_back(published, "r1")
    again = Pointer(run_id="r2", manifest=seen.find("r2").key)
    with pytest.raises(PublishError, match="run r1 is current"):
        published.go_back(again, seen.version)


def test_a_pointer_that_names_no_state_is_told_so(
    published: Published, machine: Callable[[str], Machine], store: Memory
) -> None:
    store.write(POINTER, NOWHERE)
    says = f"memory/{POINTER} names the state of run 'nope', which is not there."
    seen = history.look(published)
    assert (seen.problem, seen.current) == (says, None)
    for refusing in (
        machine("new").reads,
        lambda: machine("new").copy.begin("r3"),
        lambda: find_garbage(published),
    ):
        with pytest.raises(LakeError, match=f"^{re.escape(says)}") as refused:
            refusing()
        assert "`kedro lake rollback --to RUN`" in refused.value.hint
    with pytest.raises(RequestError, match=f"^{re.escape(says)}"):
        history.roll_back(published, None)
    history.roll_back(published, "r1")
    assert machine("new").reads() == ONE


def test_a_pointer_that_is_not_there_is_told_where_there_are_states(
    published: Published, machine: Callable[[str], Machine], store: Memory
) -> None:
    store.delete(POINTER)
    assert history.look(published).problem == (
        f"There is no memory/{POINTER}: none of the states is current."
    )
    history.roll_back(published, "r2")
    assert machine("new").reads() == TWO
    assert history.look(Published(Memory(), published.cache)).problem == ""


def test_the_doctor_says_what_is_wrong_with_the_pointer_and_changes_nothing(
    published: Published, store: Memory
) -> None:
    def told() -> tuple[str, str]:
        before = dict(store.objects)
        found = pointer_diagnosis(published)
        assert store.objects == before
        assert ("rollback --to RUN" in found.remedy) == (found.verdict != "ok")
        return found.verdict, found.found

    assert told() == ("ok", "run r2 is current")
    for spoilt, what in SPOILT.items():
        store.write(POINTER, spoilt)
        verdict, found = told()
        assert (verdict, what in found) == ("failed", True)
    store.write(POINTER, NOWHERE)
    assert told() == ("failed", published.without_state(published.pointer()[0]))
    store.delete(POINTER)
    assert told() == ("warning", published.without_state(None))
    store.objects.clear()
    assert told() == ("ok", "nothing has been published yet")


def lose(store: Memory, run_id: str, suffix: str) -> tuple[str, bytes]:
    """An object of a state that somebody deletes, and what it held."""
    key = next(k for k in store.objects if k.startswith(f"_staging/{run_id}/") and suffix in k)
    data = store.read(key).data
    store.delete(key)
    return key, data


@pytest.mark.parametrize("suffix", [".parquet", "_pieces/", "_documents/"])
def test_what_the_current_state_has_lost_is_said_with_what_helps(
    published: Published, machine: Callable[[str], Machine], store: Memory, suffix: str
) -> None:
    assert published.pointer()[0]
    key, data = lose(store, "r2", suffix)
    with pytest.raises(
        CollectedError, match=f"^memory/{key} is missing: the current state, of run 'r2', names it"
    ):
        machine("new").reads()
    store.create(key, data)
    assert machine("new").reads() == TWO


def test_of_a_lost_file_a_rollback_and_a_run_help_and_a_run_alone_does_not(
    published: Published, machine: Callable[[str], Machine], store: Memory
) -> None:
    assert published.pointer()[0]
    lose(store, "r2", ".parquet")
    assert not publish(machine("again"), "r3", TWO).is_new
    with pytest.raises(CollectedError, match="is missing: the current state"):
        machine("new").reads()
    history.roll_back(published, "r1")
    assert machine("new").reads() == ONE
    assert publish(machine("again"), "r4", TWO).is_new
    assert machine("new").reads() == TWO


def test_a_file_that_went_with_its_state_is_said_to_have_gone(
    published: Published, store: Memory, tmp_path: Path
) -> None:
    history.roll_back(published, "r1")
    key, _ = lose(store, "r2", ".parquet")
    with pytest.raises(CollectedError, match="it belongs to a state that was deleted"):
        published.bring(key, tmp_path / "file", "")


def find_garbage(published: Published) -> history.Garbage:
    now = datetime.now(UTC)
    return history.find_garbage(published, keep_days=1, keep_runs=1, living=[], now=now)
