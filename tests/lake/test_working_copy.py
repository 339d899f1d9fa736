"""A lake in an object store: readers see one whole state, whoever dies when."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Lock
from typing import Any

import polars as pl
import pytest

from medallion.errors import ChangedError, LakeError, PublishError, StorageError
from medallion.lake import history
from medallion.lake.manifest import PartitionManifest, content_hash, describe_files, write_manifest
from medallion.lake.published import POINTER, Published
from medallion.lake.state import StateReader
from medallion.lake.store import Lake
from medallion.lake.working_copy import WorkingCopy
from medallion.storage import LocalStorage, Storage

TABLES = ("base/orders", "enriched/sales_velocity")
FILE = "part-0000.parquet"
Content = dict[str, dict[str, list[int]]]


class Machine:
    """A machine that works on the lake: a working copy, and a cache of its own."""

    def __init__(
        self, folder: Path, storage: Storage, now: Callable[[], int] = time.time_ns
    ) -> None:
        self.root = folder / "copy"
        self.published = Published(storage, folder / "cache", now)
        self.state = StateReader(self.root)
        self.is_in_use = False
        self.copy = WorkingCopy(self.published, self.root, self.state, lambda: self.is_in_use)

    def commits(self, content: Content) -> None:
        """Lets the working copy hold exactly this."""
        for table in TABLES:
            shutil.rmtree(self.root / table, ignore_errors=True)
            for day, numbers in content.get(table, {}).items():
                folder = self.root / table / f"ingestion_dt={day}"
                folder.mkdir(parents=True)
                pl.DataFrame({"n": numbers}).write_parquet(folder / FILE)
                files = describe_files(folder, {FILE: len(numbers)})
                write_manifest(
                    folder,
                    PartitionManifest(
                        table=table,
                        partition=folder.name,
                        files=files,
                        content_hash=content_hash(files),
                    ),
                )
            self.state.forget(table)
        verdicts = {table: sorted(days) for table, days in content.items()}
        Lake(self.root).document("_validated/base_silver.json").write(verdicts)

    def reads(self) -> Content:
        """What is published, as somebody reads it who has not been here before."""
        self.copy.refresh()
        found: Content = {}
        for table, state in self.state.whole().tables.items():
            self.copy.fetch(state.partitions.values())
            for name in state.partitions:
                rows = pl.read_parquet(self.root / table / name / FILE)["n"].to_list()
                found.setdefault(table, {})[name.partition("=")[2]] = rows
        verdicts = Lake(self.root).document("_validated/base_silver.json").read_or(dict, {})
        assert verdicts == {table: sorted(days) for table, days in found.items()}
        return found


ONE: Content = {TABLES[0]: {"2025-10-01": [1], "2025-10-02": [2, 3]}}
TWO: Content = {
    TABLES[0]: {"2025-10-01": [1], "2025-10-02": [4]},
    TABLES[1]: {"2025-10-02": [5]},
}
NONE: Content = {}


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "store")


@pytest.fixture
def machine(tmp_path: Path, storage: LocalStorage) -> Callable[..., Machine]:
    def new(name: str, through: Storage = storage) -> Machine:
        return Machine(tmp_path / name, through)

    return new


def publish(machine: Machine, run_id: str, content: Content) -> Any:
    machine.copy.begin(run_id)
    machine.commits(content)
    return machine.copy.publish(run_id, {"spec": "1"})


class Dying(BaseException):
    """The process is killed."""


class Watched:
    """A storage whose calls are counted; at one of them something happens: its process dies."""

    def __init__(self, storage: Storage, last: int = 10**9, *, before: bool = True) -> None:
        self._storage = storage
        self._last, self._before = last, before
        self._lock = Lock()
        self.root = storage.root
        self.calls: list[tuple[str, str]] = []

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._storage, verb)

        def counted(*arguments: Any) -> Any:
            key = arguments[1 if verb == "upload" else 0] if arguments else ""
            with self._lock:
                self.calls.append((verb, str(key)))
                number = len(self.calls)
            if number > self._last or (number == self._last and self._before):
                self.happens(number)
            done = call(*arguments)
            if number == self._last and not self._before:
                self.happens(number)
            return done

        return counted

    def happens(self, number: int) -> None:
        """What happens at the last call, and at all that would come after it."""
        raise Dying(number)


def test_what_one_machine_publishes_another_reads(machine: Callable[..., Machine]) -> None:
    assert machine("nobody").reads() == NONE
    for number, content in enumerate((ONE, TWO, NONE, ONE)):
        done = publish(machine("writer"), f"r{number}", content)
        assert done.is_new
        assert machine(f"reader{number}").reads() == content
        assert machine("reader").reads() == content


def test_a_partition_that_cannot_be_read_is_not_published_as_removed(
    machine: Callable[..., Machine],
) -> None:
    writer = machine("writer")
    publish(writer, "r1", ONE)
    writer.copy.begin("r2")
    writer.commits(TWO)
    (writer.root / TABLES[0] / "ingestion_dt=2025-10-01" / "_MANIFEST.json").write_text("{")
    writer.state.forget(TABLES[0])
    with pytest.raises(PublishError, match="ingestion_dt=2025-10-01 has no readable manifest"):
        writer.copy.publish("r2", {"spec": "1"})
    assert machine("reader").reads() == ONE


def test_only_what_has_changed_is_uploaded(
    machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    first = publish(machine("a"), "r1", ONE)
    assert (first.partitions, first.objects) == (2, 2)
    watched = Watched(storage)
    second = publish(machine("b", watched), "r2", TWO)
    assert (second.partitions, second.objects) == (2, 2)
    uploads = [key for verb, key in watched.calls if verb == "upload"]
    assert all(key.startswith("_staging/r2/") for key in uploads)
    assert len(uploads) == 2
    pieces = machine("c").published.manifest("_staging/r2/_MANIFEST.json").tables
    assert pieces[TABLES[0]].rows == 2


def test_what_has_not_changed_is_not_published(
    machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    publish(machine("a"), "r1", ONE)
    before = {entry.key: entry.version for entry in storage.listed()}
    watched = Watched(storage)
    again = machine("b", watched)
    again.copy.begin("r2")
    done = again.copy.publish("r2", {"spec": "1"})
    assert (done.is_new, done.run_id) == (False, "r1")
    assert {entry.key: entry.version for entry in storage.listed()} == before
    assert not [key for _, key in watched.calls if key.endswith(".parquet")]


def moments(storage: LocalStorage, tmp_path: Path) -> Iterator[tuple[int, bool]]:
    """Every call of a publication, and whether it is reached or done when the process dies."""
    copied = LocalStorage(shutil.copytree(storage.root, tmp_path / "counted"))
    watched = Watched(copied)
    publish(Machine(tmp_path / "counting", watched), "r2", TWO)
    for call in range(1, len(watched.calls) + 1):
        yield call, True
        yield call, False


def test_whenever_a_process_dies_a_reader_sees_one_state_and_the_next_run_gets_there(
    machine: Callable[..., Machine], storage: LocalStorage, tmp_path: Path
) -> None:
    publish(machine("first"), "r1", ONE)
    seen = set()
    for call, before in moments(storage, tmp_path):
        here = tmp_path / f"{call}-{before}"
        store = LocalStorage(shutil.copytree(storage.root, here / "store"))
        victim = Machine(here / "victim", Watched(store, call, before=before))
        with pytest.raises(Dying):
            publish(victim, "r2", TWO)
        read = Machine(here / "reader", store).reads()
        assert read in (ONE, TWO)
        seen.add(read == TWO)
        # The same machine goes on with the same run, or another one begins a new one.
        for name, run_id in (("victim", "r2"), ("other", "r3")):
            copied = LocalStorage(shutil.copytree(store.root, here / f"store-{name}"))
            publish(Machine(here / name, copied), run_id, TWO)
            assert Machine(here / f"after-{name}", copied).reads() == TWO
    assert seen == {True, False}


def test_of_many_publishers_on_one_state_exactly_one_wins_and_the_others_say_who(
    machine: Callable[..., Machine],
) -> None:
    publish(machine("first"), "r0", ONE)
    writers = 8
    for round_number in range(50):
        barrier = Barrier(writers)

        def race(number: int, barrier: Barrier = barrier, turn: int = round_number) -> str:
            one = machine(f"m{number}")
            one.copy.begin(f"r{turn}-{number}")
            one.commits({TABLES[0]: {"2025-10-01": [turn, number]}})
            barrier.wait()
            try:
                return str(one.copy.publish(f"r{turn}-{number}", {}).run_id)
            except PublishError as error:
                return error.message

        with ThreadPoolExecutor(writers) as pool:
            told = list(pool.map(race, range(writers)))
        pointer, _ = machine("reader").published.pointer()
        assert pointer is not None
        assert [one for one in told if one == pointer.run_id] == [pointer.run_id]
        losers = [one for one in told if one != pointer.run_id]
        assert len(losers) == writers - 1
        assert all(f"run {pointer.run_id} is current" in one for one in losers)


@pytest.mark.parametrize("first", [True, False])
def test_a_swap_whose_answer_was_lost_is_won(
    first: bool, machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    class Forgetful(Watched):
        """The client repeats a call of which the answer was lost, and is refused."""

        def create(self, key: str, data: bytes) -> str:
            version = storage.create(key, data)
            if key == POINTER:
                raise ChangedError("It was changed meanwhile.")
            return version

        def swap(self, key: str, data: bytes, version: str) -> str:
            now = storage.swap(key, data, version)
            if key == POINTER:
                raise ChangedError("It was changed meanwhile.")
            return now

    if not first:
        publish(machine("first"), "r0", ONE)
    assert publish(machine("a", Forgetful(storage)), "r1", TWO).run_id == "r1"
    assert machine("reader").reads() == TWO


def test_a_run_that_slept_while_another_published_cannot_publish(
    machine: Callable[..., Machine],
) -> None:
    zombie = machine("zombie")
    zombie.copy.begin("r1")
    zombie.commits(ONE)
    publish(machine("other"), "r2", TWO)
    with pytest.raises(PublishError, match=r"Run r1 is not published: .* run r2 is current"):
        zombie.copy.publish("r1", {})
    assert machine("reader").reads() == TWO


def test_files_are_read_when_somebody_needs_them_and_once(
    machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    publish(machine("a"), "r1", ONE)
    watched = Watched(storage)
    reader = machine("b", watched)
    reader.copy.begin("r2")
    assert not [key for verb, key in watched.calls if verb == "download"]
    lake = reader.state.table(TABLES[0]).partitions
    wanted = [lake["ingestion_dt=2025-10-02"]]
    reader.copy.fetch(wanted)
    reader.copy.fetch(wanted)
    (download,) = [key for verb, key in watched.calls if verb == "download"]
    assert "ingestion_dt=2025-10-02" in download


def test_a_file_that_is_not_what_its_manifest_says_is_refused(
    machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    publish(machine("a"), "r1", ONE)
    (key,) = [e.key for e in storage.listed() if "2025-10-01/part" in e.key]
    storage.write(key, b"something else")
    with pytest.raises(LakeError, match=f"{key} is not what its manifest describes"):
        machine("b").reads()


def test_a_working_copy_that_was_changed_by_hand_says_again_what_is_published(
    machine: Callable[..., Machine],
) -> None:
    publish(machine("a"), "r1", TWO)
    reader = machine("b")
    assert reader.reads() == TWO
    (reader.root / TABLES[0] / "ingestion_dt=2025-10-01" / FILE).write_bytes(b"x")
    shutil.rmtree(reader.root / TABLES[1])
    assert machine("b").reads() == TWO


def test_going_back_and_forward_is_a_swap_of_the_pointer(
    machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    for run_id, content in (("r1", ONE), ("r2", TWO)):
        publish(machine("a"), run_id, content)
    published = machine("admin").published
    for wanted, run_id, content in ((None, "r1", ONE), ("r2", "r2", TWO), ("r1", "r1", ONE)):
        watched = Watched(storage)
        state = history.roll_back(Published(watched, published.cache), wanted)
        assert state.run_id == run_id
        assert [call for call in watched.calls if call[0] not in ("read", "listed", "folders")] == [
            ("swap", POINTER)
        ]
        assert machine(f"reader-{wanted}").reads() == content
    marks = {one.run_id: (one.is_current, one.is_reachable) for one in history.history(published)}
    assert marks == {"r1": (True, True), "r2": (False, False)}
    # What is made on an earlier state goes on from there.
    publish(machine("a"), "r3", TWO)
    assert machine("last").reads() == TWO


@pytest.mark.parametrize("verb", ["create", "swap"])
def test_a_store_that_ignores_preconditions_is_refused_before_anything_is_done(
    verb: str, machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    class Lying(Watched):
        def __getattr__(self, asked: str) -> Any:
            if asked == verb:
                return lambda key, data, *_: storage.write(key, data)
            return super().__getattr__(asked)

    with pytest.raises(StorageError, match="does not keep what publishing rests on"):
        publish(machine("a", Lying(storage)), "r1", ONE)
    assert list(storage.listed()) == []


def test_an_earlier_state_can_be_read_while_another_is_current(
    machine: Callable[..., Machine],
) -> None:
    for run_id, content in (("r1", ONE), ("r2", TWO)):
        publish(machine("a"), run_id, content)
    reader = machine("reader")
    reader.copy.as_of = "r1"
    assert reader.reads() == ONE
    reader.copy.as_of = None
    assert reader.reads() == TWO


def test_a_state_that_is_not_there_is_told(machine: Callable[..., Machine]) -> None:
    published = machine("a").published
    with pytest.raises(LakeError, match=r"_staging/r1/_MANIFEST\.json is not there"):
        published.manifest("_staging/r1/_MANIFEST.json")


def test_a_store_that_cannot_be_read_is_no_empty_lake(
    machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    class Refusing(Watched):
        def read(self, key: str) -> Any:
            if key == POINTER:
                raise StorageError(f"{key} is refused to these credentials.")
            return storage.read(key)

    reader = machine("a", Refusing(storage))
    with pytest.raises(StorageError, match="refused"):
        reader.copy.begin("r1")


def test_who_reads_on_a_machine_where_a_run_has_failed_sees_what_is_published(
    machine: Callable[..., Machine],
) -> None:
    publish(machine("a"), "r1", ONE)
    reader, run = machine("shared"), machine("shared")
    assert reader.reads() == ONE
    run.copy.begin("r2")
    run.commits(TWO)
    run.copy.end()
    assert reader.reads() == ONE
    # And so does the process of the run itself, once the run is over.
    assert run.reads() == ONE


def test_a_run_at_work_on_the_machine_keeps_the_folder_to_itself(
    machine: Callable[..., Machine],
) -> None:
    publish(machine("a"), "r1", ONE)
    reader, run = machine("shared"), machine("shared")
    assert reader.reads() == ONE
    run.copy.begin("r2")
    run.commits(TWO)
    reader.is_in_use = True
    reader.copy.refresh()
    assert run.copy.publish("r2", {}).is_new
    run.copy.end()
    reader.is_in_use = False
    assert reader.reads() == TWO


def test_who_reads_different_states_on_one_machine_reads_each_his_own(
    machine: Callable[..., Machine],
) -> None:
    for run_id, content in (("r1", ONE), ("r2", TWO)):
        publish(machine("a"), run_id, content)
    earlier, current = machine("shared"), machine("shared")
    earlier.copy.as_of = "r1"
    for _ in range(2):
        assert earlier.reads() == ONE
        assert current.reads() == TWO


def test_who_only_reads_is_given_the_objects_of_one_state_and_a_run_its_folder(
    machine: Callable[..., Machine], storage: LocalStorage
) -> None:
    publish(machine("a"), "r1", ONE)
    reader, run = machine("shared"), machine("shared")
    lake = Lake(reader.root)
    lake.state = reader.state
    reader.state.source = reader.copy
    assert reader.reads() == ONE
    run.copy.begin("r2")
    run.commits(TWO)
    reader.is_in_use = True
    reader.copy.refresh()
    files = [file for one in lake.placed(TABLES[0]) for file in one.files]
    assert all(file.startswith(f"{storage.root}/_staging/r1/") for file in files)
    assert [pl.read_parquet(file)["n"].to_list() for file in files] == [[1], [2, 3]]
    lake.state, run.state.source = run.state, run.copy
    files = [file for one in lake.placed(TABLES[0]) for file in one.files]
    assert [pl.read_parquet(file)["n"].to_list() for file in files] == [[1], [4]]
    assert all(file.startswith(str(run.root)) for file in files)


def test_a_partition_whose_files_are_nowhere_is_not_left_out(
    machine: Callable[..., Machine],
) -> None:
    run = machine("a")
    run.copy.begin("r1")
    run.commits(ONE)
    lake = Lake(run.root)
    lake.state, run.state.source = run.state, run.copy
    (run.root / TABLES[0] / "ingestion_dt=2025-10-01" / FILE).unlink()
    with pytest.raises(LakeError, match="nothing that is published holds them"):
        lake.placed(TABLES[0])


def test_a_run_goes_on_where_the_same_state_is_current_and_nowhere_else(
    machine: Callable[..., Machine],
) -> None:
    publish(machine("a"), "r1", ONE)
    first = machine("shared")
    first.copy.begin("r2")
    first.commits(TWO)
    # As `kedro lake gc` does it.
    machine("admin").published.fence()
    second = machine("shared")
    second.copy.begin("r2")
    assert second.copy.publish("r2", {}).is_new
    third = machine("shared")
    third.copy.begin("r2")
    assert not third.copy.publish("r2", {}).is_new
    publish(machine("a"), "r3", ONE)
    fourth = machine("shared")
    with pytest.raises(PublishError, match=r"Run r2 cannot go on.* run r3 is current") as refused:
        fourth.copy.begin("r2")
    assert "kedro runs close r2" in refused.value.hint


@pytest.mark.parametrize("is_taken_over", [True, False])
def test_a_run_from_which_the_lake_was_taken_cannot_publish_any_more(
    is_taken_over: bool, machine: Callable[..., Machine]
) -> None:
    publish(machine("a"), "r1", ONE)
    sleeper, next_one = machine("sleeper"), machine("next")
    sleeper.copy.begin("r2")
    sleeper.commits(TWO)
    next_one.copy.begin("r3", is_taken_over=is_taken_over)
    if is_taken_over:
        with pytest.raises(PublishError, match="Run r2 is not published"):
            sleeper.copy.publish("r2", {})
        assert machine("reader").reads() == ONE
    else:
        assert sleeper.copy.publish("r2", {}).is_new
