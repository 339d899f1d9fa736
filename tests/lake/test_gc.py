"""What no kept state names can be deleted: whoever reads, dies or sleeps meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from medallion.errors import CollectedError, LakeError, PublishError, RequestError
from medallion.lake import history
from medallion.lake.history import Garbage
from medallion.lake.published import MANIFEST, POINTER, STAGING, Published
from medallion.storage import Storage
from medallion.storage.parallel import WORKERS
from tests.lake.test_working_copy import ONE, TABLES, TWO, Content, Dying, Machine, Watched, publish
from tests.storage.memory import Memory

THREE: Content = {TABLES[0]: {"2025-10-01": [6]}, TABLES[1]: {"2025-10-02": [5]}}
STATES = {"r1": ONE, "r2": TWO, "r3": THREE}


class Time:
    """A clock of the store and of all machines."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> int:
        return int(self.at.timestamp()) * 10**9

    def pass_days(self, days: float) -> None:
        self.at += timedelta(days=days)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(time: Time) -> Memory:
    return Memory(now=time)


@pytest.fixture
def machine(tmp_path: Path, store: Memory, time: Time) -> Callable[..., Machine]:
    def new(name: str, through: Storage = store) -> Machine:
        return Machine(tmp_path / name, through, time)

    return new


@pytest.fixture
def published(machine: Callable[..., Machine], time: Time) -> Published:
    """Three states, a day apart, all older than what is kept for its age."""
    for run_id, content in STATES.items():
        publish(machine("writer"), run_id, content)
        time.pass_days(1)
    time.pass_days(40)
    return machine("admin").published


def find(published: Published, time: Time, *, runs: int = 1, living: Sequence[str] = ()) -> Garbage:
    return history.find_garbage(published, keep_days=30, keep_runs=runs, living=living, now=time.at)


def collect(published: Published, time: Time, **kept: int) -> Garbage:
    found = find(published, time, **kept)
    history.delete(published, found)
    return found


def copied(store: Memory, time: Time) -> Memory:
    return Memory(store.objects, store.count, time)


def as_of(machine: Machine, run_id: str) -> Content:
    machine.copy.as_of = run_id
    return machine.reads()


def die_before_it_is_named(machine: Callable[..., Machine], store: Memory, time: Time) -> None:
    """Run `again` uploads all that it has made, and dies before its manifest names it."""
    counted = Watched(copied(store, time))
    publish(machine("counting", counted), "again", ONE)
    manifest = counted.calls.index(("create", f"{STAGING}/again/{MANIFEST}")) + 1
    with pytest.raises(Dying):
        publish(machine("first", Watched(store, manifest)), "again", ONE)


def runs(published: Published) -> list[str]:
    return [state.run_id for state in history.history(published)]


def test_what_goes_is_what_only_dropped_states_name(
    published: Published, machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    found = collect(published, time, runs=2)
    assert [state.run_id for state in found.dropped] == ["r1"]
    assert runs(published) == ["r3", "r2"]
    # The first day of r2 is still that of r1, where it was uploaded.
    left = [key for key in store.objects if key.startswith(f"{STAGING}/r1/")]
    assert [key.rpartition("/")[0] for key in left] == [
        f"{STAGING}/r1/{TABLES[0]}/ingestion_dt=2025-10-01"
    ]
    for run_id in ("r2", "r3"):
        assert as_of(machine(run_id), run_id) == STATES[run_id]
    assert find(published, time, runs=2).entries == ()


def test_looking_changes_nothing(published: Published, store: Memory, time: Time) -> None:
    before = dict(store.objects)
    assert find(published, time).entries
    assert store.objects == before


def test_the_current_state_is_kept_however_old_it_is(
    published: Published, machine: Callable[..., Machine], time: Time
) -> None:
    history.roll_back(published, "r1")
    collect(published, time)
    assert runs(published) == ["r3", "r1"]
    assert machine("reader").reads() == ONE


def test_a_young_state_is_kept_whatever_else_is(
    published: Published, machine: Callable[..., Machine], time: Time
) -> None:
    publish(machine("writer"), "r4", ONE)
    history.roll_back(published, "r3")
    time.pass_days(1)
    publish(machine("writer"), "r5", TWO)
    collect(published, time)
    assert runs(published) == ["r5", "r4"]


def test_who_reads_while_it_is_at_work_reads_whole_states(
    published: Published, machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    opened, fetched = machine("opened"), machine("fetched")
    opened.copy.as_of = fetched.copy.as_of = "r2"
    opened.copy.refresh()
    assert fetched.reads() == TWO
    seen: list[str] = []

    class Reading(Watched):
        """Whenever something is deleted, people read."""

        def delete(self, key: str, version: str | None = None) -> None:
            store.delete(key, version)
            newcomer = machine(f"newcomer{len(seen)}")
            seen.append(key)
            assert newcomer.reads() == THREE
            assert as_of(newcomer, "r2") == TWO
            assert opened.reads() == fetched.reads() == TWO

    collect(Published(Reading(store), published.cache, time), time, runs=2)
    assert seen


def test_who_has_opened_a_state_that_goes_is_told_so_and_can_read_on(
    published: Published, machine: Callable[..., Machine], time: Time
) -> None:
    late = machine("late")
    late.copy.as_of = "r1"
    late.copy.refresh()
    (first, _) = late.state.table(TABLES[0]).partitions.values()
    second = late.state.table(TABLES[0]).partitions["ingestion_dt=2025-10-02"]
    collect(published, time, runs=2)
    late.copy.fetch([first])
    with pytest.raises(CollectedError, match=r"is not there any more.*was deleted") as told:
        late.copy.fetch([second])
    assert "load it again" in told.value.hint
    with pytest.raises(RequestError, match="There is no state of run r1"):
        late.copy.refresh()
    late.copy.as_of = None
    assert late.reads() == THREE


@pytest.mark.usefixtures("published")
def test_whenever_it_dies_every_state_is_whole_and_the_next_one_finishes(
    machine: Callable[..., Machine], store: Memory, time: Time, tmp_path: Path
) -> None:
    states = {**STATES, "r4": {**THREE, TABLES[1]: {"2025-10-03": [8]}}}
    publish(machine("writer"), "r4", states["r4"])
    done = copied(store, time)
    counted = Watched(done)
    collect(Published(counted, tmp_path / "counted", time), time)
    listed = set()
    for call in range(1, len(counted.calls) + 1):
        for before in (True, False):
            here = tmp_path / f"{call}-{before}"
            left = copied(store, time)
            dying = Watched(left, call, before=before)
            with pytest.raises(Dying):
                collect(Published(dying, here / "dying", time), time)
            admin = Published(left, here / "admin", time)
            for run_id in runs(admin):
                assert as_of(Machine(here / run_id, left, time), run_id) == states[run_id]
            assert Machine(here / "reader", left, time).reads() == states["r4"]
            listed.add(len(runs(admin)))
            collect(admin, time)
            assert left.objects.keys() == done.objects.keys()
    assert listed >= {2, 4}


def test_what_a_run_at_work_has_staged_stays_also_if_it_is_at_it_for_weeks(
    published: Published, machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    counted = Watched(copied(store, time))
    publish(machine("counting", counted), "long", ONE)
    swap = counted.calls.index(("swap", POINTER)) + 1
    with pytest.raises(Dying):
        publish(machine("long", Watched(store, swap)), "long", ONE)
    staged = {key for key in store.objects if key.startswith(f"{STAGING}/long/")}
    assert f"{STAGING}/long/{MANIFEST}" in staged
    time.pass_days(1)
    publish(machine("other"), "r4", TWO)
    time.pass_days(60)
    assert not staged & {entry.key for entry in find(published, time, living=["long"]).entries}
    assert staged <= {entry.key for entry in find(published, time).entries}


def test_a_run_that_slept_since_before_cannot_publish(
    published: Published, machine: Callable[..., Machine], time: Time
) -> None:
    zombie = machine("zombie")
    zombie.copy.begin("r4")
    zombie.commits(ONE)
    collect(published, time)
    with pytest.raises(PublishError, match=r"Run r4 is not published: .* run r3 is current"):
        zombie.copy.publish("r4", {})
    assert machine("reader").reads() == THREE


def test_a_run_that_slept_while_it_published_cannot_name_what_was_deleted_meanwhile(
    published: Published, machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    class Sleeping(Watched):
        """Days pass when the files are uploaded, and what nobody names yet is deleted."""

        def create(self, key: str, data: bytes) -> str:
            if key == f"{STAGING}/r4/{MANIFEST}":
                time.pass_days(60)
                assert any("/r4/" in entry.key for entry in collect(published, time).entries)
            return store.create(key, data)

    with pytest.raises(PublishError, match="Run r4 is not published"):
        publish(machine("sleeping", Sleeping(store)), "r4", ONE)
    assert machine("reader").reads() == THREE
    assert runs(published) == ["r3"]


def test_nobody_goes_back_to_what_was_named_after_it_was_deleted(
    published: Published, machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    class Sleeping(Watched):
        """Days pass when the files are uploaded; the run dies when it has named them."""

        def create(self, key: str, data: bytes) -> str:
            if key != f"{STAGING}/r4/{MANIFEST}":
                return store.create(key, data)
            time.pass_days(60)
            collect(published, time)
            store.create(key, data)
            raise Dying

    with suppress(Dying):
        publish(machine("sleeping", Sleeping(store)), "r4", ONE)
    with pytest.raises(PublishError, match="The state of run r4 is not whole"):
        history.roll_back(published, "r4")
    assert machine("reader").reads() == THREE


def test_it_deletes_nothing_that_was_made_current_while_it_slept(
    published: Published, machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    found = find(published, time)
    history.roll_back(published, "r1")
    publish(machine("writer"), "r4", TWO)
    watched = Watched(store)
    with pytest.raises(PublishError, match="nothing that a state names was deleted"):
        history.delete(Published(watched, published.cache, time), found)
    assert {verb for verb, _ in watched.calls} == {"read"}
    for run_id, content in {**STATES, "r4": TWO}.items():
        assert as_of(machine(run_id), run_id) == content


@pytest.mark.parametrize("is_worked_on", [False, True])
def test_a_state_that_is_gone_back_to_while_it_goes_is_put_back(
    is_worked_on: bool,
    published: Published,
    machine: Callable[..., Machine],
    store: Memory,
    time: Time,
) -> None:
    class Hasty(Watched):
        """Somebody goes back to a state just before its manifest is deleted, and a run begins."""

        def delete(self, key: str, version: str | None = None) -> None:
            if key == f"{STAGING}/r1/{MANIFEST}":
                history.roll_back(published, "r1")
                if is_worked_on:
                    publish(machine("writer"), "r4", {**ONE, TABLES[1]: {"2025-10-01": [7]}})
            store.delete(key, version)

    with pytest.raises(PublishError, match="nothing that a state names was deleted"):
        collect(Published(Hasty(store), published.cache, time), time)
    assert machine("reader").reads()[TABLES[0]] == ONE[TABLES[0]]
    for run_id, content in STATES.items():
        assert as_of(machine(run_id), run_id) == content


@pytest.mark.usefixtures("published")
def test_whenever_states_go_while_somebody_goes_back_to_one_what_is_current_is_whole(
    store: Memory, time: Time, tmp_path: Path
) -> None:
    class Overtaken(Watched):
        """States go just before one of the calls."""

        def happens(self, number: int) -> None:
            if number == self._last:
                collect(Published(self._storage, tmp_path / "other", time), time)

    counted = Watched(copied(store, time))
    history.roll_back(Published(counted, tmp_path / "counted", time), "r1")
    ends = set()
    for call in range(1, len(counted.calls) + 1):
        left = copied(store, time)
        admin = Published(Overtaken(left, call), tmp_path / f"admin{call}", time)
        try:
            history.roll_back(admin, "r1")
        except (PublishError, RequestError) as error:
            ends.add(type(error))
        assert Machine(tmp_path / f"reader{call}", left, time).reads() == THREE
    assert ends == {PublishError, RequestError}


def test_an_object_that_was_written_again_is_not_deleted(
    published: Published, store: Memory, time: Time
) -> None:
    found = find(published, time)
    again = next(entry.key for entry in found.entries if entry.key.endswith(".parquet"))
    store.write(again, b"other")
    with pytest.raises(PublishError, match="run again"):
        history.delete(published, found)
    assert store.read(again).data == b"other"


def test_a_run_that_is_done_again_days_later_names_nothing_that_may_be_going(
    published: Published, machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    die_before_it_is_named(machine, store, time)
    time.pass_days(31)
    old = {*store.objects}
    publish(machine("second"), "again", ONE)
    state = published.manifest(f"{STAGING}/again/{MANIFEST}")
    named = published.named_by(
        {s.key: s.manifest for s in history.history(published) if s.is_current}
    )
    assert not {key for key in named & old if key.startswith(f"{STAGING}/again/")}
    assert machine("reader").reads() == ONE
    assert state.previous == f"{STAGING}/r3/{MANIFEST}"


@pytest.mark.usefixtures("published")
def test_what_was_uploaded_just_now_is_not_uploaded_again(
    machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    die_before_it_is_named(machine, store, time)
    before = {*store.objects}
    publish(machine("second"), "again", ONE)
    assert {*store.objects} - before == {f"{STAGING}/again/{MANIFEST}"}


def test_no_more_than_a_few_are_deleted_at_a_time(
    machine: Callable[..., Machine], store: Memory, time: Time
) -> None:
    for number in range(2 * WORKERS):
        store.write(f"{STAGING}/dead/{number}", b"")
    time.pass_days(31)
    barrier = Barrier(WORKERS)
    at_once: list[int] = []

    class Counting(Watched):
        def delete(self, key: str, version: str | None = None) -> None:
            at_once.append(barrier.wait(timeout=60))
            store.delete(key, version)

    collect(Published(Counting(store), machine("admin").published.cache, time), time)
    assert sorted(at_once) == sorted([*range(WORKERS)] * 2)
    assert store.objects == {}


def test_odd_objects_among_what_runs_have_staged_are_no_matter(
    published: Published, store: Memory, time: Time
) -> None:
    for key in ("readme.txt", "not a run/_MANIFEST.json", "r3/"):
        store.objects[f"{STAGING}/{key}"] = (b"", 1, 0)
    store.write("_probe/left", b"1")
    time.pass_days(31)
    collect(published, time)
    assert [key for key in store.objects if "readme" in key or "probe" in key] == []
    assert f"{STAGING}/r3/" in store.objects


@pytest.mark.usefixtures("published")
def test_nothing_is_deleted_while_it_is_not_known_what_a_kept_state_names(
    store: Memory, time: Time, tmp_path: Path
) -> None:
    said = json.loads(store.read(f"{STAGING}/r3/{MANIFEST}").data)
    store.delete(said["tables"][TABLES[1]]["key"])
    before = store.objects.keys()
    with pytest.raises(LakeError, match="is missing: the current state"):
        collect(Published(store, tmp_path / "empty", time), time)
    assert store.objects.keys() == before


def test_a_history_that_is_read_while_states_go_has_those_that_are_left(
    published: Published, store: Memory, time: Time, tmp_path: Path
) -> None:
    class Late(Watched):
        """States go after they were listed, and before they are read."""

        def read(self, key: str) -> object:
            with self._lock:
                if key.endswith(MANIFEST) and f"{STAGING}/r1/{MANIFEST}" in store.objects:
                    collect(published, time)
            return store.read(key)

    assert runs(Published(Late(store), tmp_path / "empty", time)) == ["r3"]
