"""Of a lake on a disk, what a run replaces is kept, and can be gone back to."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.errors import DocumentError, LakeError, RequestError
from medallion.lake import swap
from medallion.lake.comparing import causes
from medallion.lake.damage import find_damage
from medallion.lake.disk_states import DiskStates
from medallion.lake.history import history
from medallion.lake.kept_states import EARLIER
from tests.lake.small_lakes import Bytes, Content, SmallLake, Steps, folder
from tests.lake.test_state import FILE, as_read_anew

ORDERS, ASIDE, CARTS = "base/orders", "quarantine/orders", "enriched/carts"
ONE: Content = {(ORDERS, 1): "a", (ORDERS, 2): "b", (ASIDE, 2): "bad", (CARTS, 1): "c"}
# One partition is replaced, one is removed, one is new, one stays; carts stay as they are.
TWO: Content = {(ORDERS, 1): "a", (ORDERS, 2): "b again", (ORDERS, 3): "new", (CARTS, 1): "c"}
THREE: Content = {(ORDERS, 1): "a", (ORDERS, 2): "third", (CARTS, 1): "c", (CARTS, 2): "d"}
NOTHING: Content = {}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "silver"


@pytest.fixture
def lake(root: Path) -> SmallLake:
    """What the first run has left."""
    made = SmallLake(root)
    made.run("r1", ONE)
    return made


def test_the_first_run_keeps_nothing(lake: SmallLake) -> None:
    assert lake.runs() == ["r1"]
    assert lake.kept_partitions() == []
    with pytest.raises(RequestError, match="There is no state before the current one"):
        lake.go_to()


def test_what_a_first_run_has_begun_is_dated_by_it(root: Path) -> None:
    began = datetime.now(UTC)
    lake = SmallLake(root)
    lake.lake.history.note({f"{ORDERS}/{folder(1)}": "a version"}, "r1")
    states = lake.lake.history.read()
    assert states is not None
    assert all(one.written >= began for one in (states.current, *states.others))


def test_what_a_run_replaces_and_removes_is_kept_and_nothing_else(lake: SmallLake) -> None:
    lake.run("r2", TWO)
    assert lake.runs() == ["r2", "r1"]
    assert lake.kept_partitions() == [f"{ORDERS}/{folder(2)}", f"{ASIDE}/{folder(2)}"]


def test_what_is_kept_was_moved_and_not_copied(lake: SmallLake) -> None:
    before = (lake.root / ORDERS / folder(2) / FILE).stat().st_ino
    lake.run("r2", TWO)
    (kept,) = lake.lake.places.kept_partitions.glob(f"{ORDERS}/*/*/{FILE}")
    assert kept.stat().st_ino == before
    lake.go_to("r1")
    assert (lake.root / ORDERS / folder(2) / FILE).stat().st_ino == before


def test_going_back_and_forward_gives_the_same_bytes(lake: SmallLake) -> None:
    one = lake.data()
    lake.run("r2", TWO)
    two = lake.data()
    for wanted, run_id, expected in ((None, "r1", one), ("r2", "r2", two), ("r1", "r1", one)):
        assert lake.go_to(wanted).run_id == run_id
        assert lake.current() == run_id
        assert lake.data() == expected
        assert find_damage(lake.lake) == []
    assert [(one.run_id, one.remark) for one in lake.states()] == [
        ("r2", "left"),
        ("r1", ""),
    ]
    with pytest.raises(RequestError, match="There is no state before the current one"):
        lake.go_to()


@pytest.mark.parametrize(
    ("keep", "versions"),
    [(0, {}), (1, {(ORDERS, 2): 1, (CARTS, 2): 1}),
     (2, {(ORDERS, 2): 2, (ORDERS, 3): 1, (CARTS, 2): 1})],
)  # fmt: skip
def test_no_more_states_are_kept_than_are_asked_for(
    root: Path, keep: int, versions: dict[tuple[str, int], int]
) -> None:
    lake = SmallLake(root, keep)
    for number, content in enumerate((ONE, TWO, THREE, ONE)):
        lake.run(f"r{number}", content)
    assert lake.runs() == ["r3", "r2", "r1", "r0"][: keep + 1]
    kept = Counter(lake.kept_partitions())
    assert kept == {f"{table}/{folder(day)}": count for (table, day), count in versions.items()}


def test_a_state_further_back_is_gone_to_in_one_step(root: Path) -> None:
    lake = SmallLake(root, keep=3)
    data = {}
    for run_id, content in (("r1", ONE), ("r2", TWO), ("r3", THREE), ("r4", NOTHING)):
        lake.run(run_id, content)
        data[run_id] = lake.data()
    for run_id in ("r1", "r3", "r4", "r2", "r1"):
        lake.go_to(run_id)
        assert lake.data() == data[run_id]
        assert sorted(lake.runs()) == sorted(data)


def test_a_run_that_changes_nothing_keeps_nothing(lake: SmallLake) -> None:
    lake.run("r2", TWO)
    before = lake.kept()
    lake.run("r3", TWO)
    assert lake.kept() == before
    assert lake.runs() == ["r2", "r1"]


def test_a_lake_without_history_begins_one_with_its_first_change(lake: SmallLake) -> None:
    shutil.rmtree(lake.root / "_history")
    one = lake.data()
    assert lake.runs() == [EARLIER]
    lake.run("same", ONE)
    assert not (lake.root / "_history").exists()
    lake.run("r2", TWO)
    assert lake.runs() == ["r2", EARLIER]
    lake.go_to()
    assert lake.data() == one


def test_what_a_failed_run_has_done_is_no_state_to_keep(lake: SmallLake) -> None:
    """The state before it stays the one to go back to, also when the next run succeeds."""
    one = lake.data()
    lake.run("failed", TWO, until="base_silver")
    assert [(one.run_id, one.remark) for one in lake.states()] == [
        ("failed", "unfinished"),
        ("r1", ""),
    ]
    lake.run("r3", THREE)
    assert lake.runs() == ["r3", "r1"]
    lake.go_to()
    assert lake.data() == one


def test_what_a_failed_run_has_done_can_be_left_and_gone_back_to(lake: SmallLake) -> None:
    one = lake.data()
    lake.run("failed", TWO, until="base_silver")
    half = lake.data()
    lake.go_to()
    assert (lake.data(), lake.current()) == (one, "r1")
    lake.go_to("failed")
    assert (lake.data(), lake.current()) == (half, "failed")
    lake.run("r2", TWO)
    assert lake.current() == "r2"


def test_the_next_run_goes_on_from_the_state_that_was_gone_to(lake: SmallLake) -> None:
    lake.run("r2", TWO)
    two = lake.data()
    lake.go_to()
    lake.run("r3", TWO)
    assert lake.data() == two
    # What was left by going back made room for what the run was made on.
    assert lake.runs() == ["r3", "r1"]


def test_what_a_command_takes_out_is_kept_with_what_was_noted_of_it(lake: SmallLake) -> None:
    one = lake.data()
    lake.forget(ORDERS, 1)
    lake.run("r2", {key: text for key, text in ONE.items() if key != (ORDERS, 1)})
    lake.go_to()
    assert lake.data() == one


class TestDamage:
    """What is damaged is no part of any state; what was made again is."""

    @pytest.fixture
    def lake(self, lake: SmallLake) -> SmallLake:
        lake.run("r2", TWO)
        (lake.root / ORDERS / folder(1) / FILE).write_text("damaged")
        return lake

    def test_mending_keeps_the_earlier_states(self, lake: SmallLake) -> None:
        kept = lake.kept_partitions()
        lake.mend()
        lake.run("r3", TWO)
        assert lake.runs() == ["r2", "r1"]
        assert lake.kept_partitions() == kept
        lake.go_to()
        assert lake.read() == ONE

    def test_a_state_whose_damage_was_not_made_again_is_refused(self, lake: SmallLake) -> None:
        lake.mend()
        lake.run("r3", {**TWO, (ORDERS, 1): "delivered again"})
        before = lake.data()
        with pytest.raises(LakeError, match=f"{folder(1)}, which belongs to the state of run r2"):
            lake.go_to("r2")
        assert lake.data() == before

    def test_a_kept_file_that_is_gone_is_named_before_anything_changes(
        self, lake: SmallLake
    ) -> None:
        before = lake.data()
        next(lake.lake.places.kept_partitions.glob(f"{ORDERS}/*/*/{FILE}")).unlink()
        with pytest.raises(LakeError, match=f"state of run r1, {FILE} is not there"):
            lake.go_to()
        assert lake.data() == before

    @pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("{}")])
    def test_a_kept_document_that_is_not_what_it_was_is_named(
        self, lake: SmallLake, spoil: Callable[[Path], object]
    ) -> None:
        before = lake.data()
        spoil(next((lake.root / "_history/documents").glob("*.json")))
        with pytest.raises(LakeError, match="state of run r1, is not what it was"):
            lake.go_to()
        assert lake.data() == before

    def test_a_lake_that_was_changed_by_hand_is_not_mixed_with_a_state(
        self, lake: SmallLake
    ) -> None:
        shutil.rmtree(lake.root / CARTS / folder(1))
        with pytest.raises(LakeError, match=f"{CARTS} is not known as it was after run r1"):
            lake.go_to()

    def test_a_note_of_states_that_cannot_be_read_is_named(
        self, lake: SmallLake, caplog: pytest.LogCaptureFixture
    ) -> None:
        (lake.root / "_history/states.json").write_text("[]")
        with pytest.raises(DocumentError, match=r"_history/states\.json cannot be read"):
            lake.states()
        lake.run("r3", THREE)
        assert "No earlier state can be gone back to; a new history begins" in caplog.text
        assert lake.runs() == ["r3", EARLIER]
        assert len(lake.kept_partitions()) == 2


class TestReading:
    """An earlier state is read without being gone to."""

    @pytest.fixture
    def lake(self, root: Path) -> SmallLake:
        lake = SmallLake(root, keep=2)
        for run_id, content in (("r1", ONE), ("r2", TWO), ("r3", THREE)):
            lake.run(run_id, content)
        return lake

    def test_each_kept_state_is_read_as_it_was(self, lake: SmallLake) -> None:
        for run_id, content in (("r1", ONE), ("r2", TWO), ("r3", THREE)):
            assert lake.read(run_id) == content
        assert lake.read() == THREE

    def test_it_is_read_as_it_was_after_going_back(self, lake: SmallLake) -> None:
        lake.go_to("r1")
        for run_id, content in (("r1", ONE), ("r2", TWO), ("r3", THREE)):
            assert lake.read(run_id) == content

    def test_nothing_that_is_kept_is_taken_for_data(self, lake: SmallLake) -> None:
        assert {*as_read_anew(lake.root).tables} == {ORDERS, ASIDE, CARTS}
        assert lake.lake.state.table(ORDERS).folders == [folder(1), folder(2)]
        assert find_damage(lake.lake, thorough=True) == []

    def test_a_run_whose_state_is_not_kept_is_named(self, lake: SmallLake) -> None:
        with pytest.raises(RequestError, match="r0"):
            lake.read("r0")

    def test_two_states_are_compared_by_the_tables_that_differ(self, lake: SmallLake) -> None:
        states = DiskStates(lake.lake)
        found = {one.run_id: one.manifest for one in history(states)}
        differing = {
            name
            for name in {*found["r1"].tables, *found["r2"].tables}
            if found["r1"].tables.get(name) != found["r2"].tables.get(name)
        }
        assert differing == {ORDERS, ASIDE}
        assert causes(states, found["r1"], found["r2"]) == [
            "Bronze: orders of 2025-10-02, 2025-10-03"
        ]


def test_what_is_deleted_of_the_history_is_what_the_states_hold_that_go(root: Path) -> None:
    lake = SmallLake(root, keep=2)
    for run_id, content in (("r1", ONE), ("r2", TWO), ("r3", THREE)):
        lake.run(run_id, content)
    data, states = lake.data(), DiskStates(lake.lake)
    asked = {"keep_runs": 2, "living": (), "now": datetime.now(UTC) + timedelta(days=2)}
    kept = states.find_garbage(keep_days=3, **asked)  # type: ignore[arg-type]
    assert (kept.entries, kept.dropped) == ((), ())
    found = states.find_garbage(keep_days=1, **asked)  # type: ignore[arg-type]
    assert [one.run_id for one in found.dropped] == ["r1"]
    before = lake.kept()
    states.delete(found)
    gone = {f"_history/{key}" for key in before.keys() - lake.kept().keys()}
    assert gone == {entry.key for entry in found.entries}
    assert found.bytes == sum(len(before[key.removeprefix("_history/")]) for key in gone)
    assert (lake.runs(), lake.data()) == (["r3", "r2"], data)
    lake.go_to("r2")
    assert lake.read() == TWO


# What may happen to a small lake, one thing after the other.
TEXTS = st.sampled_from(("a", "b", "c"))
CONTENTS = st.dictionaries(
    st.tuples(st.sampled_from((ORDERS, ASIDE, CARTS)), st.integers(1, 2)), TEXTS, max_size=4
)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), CONTENTS),
        st.tuples(st.just("fail"), CONTENTS),
        st.tuples(st.just("back")),
        st.tuples(st.just("go to"), st.integers(0, 3)),
        st.tuples(st.just("forget")),
        st.tuples(st.just("mend"), TEXTS),
        st.tuples(st.just("keep"), st.integers(0, 3)),
    ),
    max_size=10,
)


@given(operations=OPERATIONS)
@settings(max_examples=150, deadline=None)
def test_whatever_was_done_a_state_that_is_gone_to_is_byte_for_byte_what_it_was(
    operations: list[tuple[str, ...]],
) -> None:
    """Of runs that succeed, fail, change nothing, of damage, and of going back and forth."""
    with TemporaryDirectory() as place:
        story = Story(Path(place, "silver"))
        for number, operation in enumerate(operations):
            story.happens(f"r{number}", *operation)
            story.holds()


class Story:
    """A lake, and what each of its states was when it was left."""

    def __init__(self, root: Path) -> None:
        self.lake = SmallLake(root)
        self.were: dict[str, tuple[Bytes, Content]] = {}
        #: States of which a partition was damaged, and then made again as something else.
        self.broken: set[str] = set()

    def happens(self, name: str, what: str, *arguments: Any) -> None:
        if self.lake.states():
            self.were[self.lake.current()] = self.lake.data(), self.lake.read()
        match what:
            case "run":
                self._run(name, arguments[0])
            case "fail":
                self.lake.run(name, arguments[0], until="base_silver")
            case "back":
                self._go(name, None)
            case "go to":
                runs = self.lake.runs() or ["none"]
                self._go(name, runs[arguments[0] % len(runs)])
            case "forget":
                content = self.lake.read()
                for table, day in list(content)[:1]:
                    self.lake.forget(table, day)
                    del content[table, day]
                self._run(name, content)
            case "mend":
                self._mend(name, arguments[0])
            case "keep":
                self.lake.lake.state.kept_runs = arguments[0]

    def holds(self) -> None:
        """Every state that is listed is there, and nothing else is kept."""
        others = self.lake.runs()[1:]
        for run_id in others:
            with _refused_if(run_id in self.broken):
                assert self.lake.read(run_id) == self.were[run_id][1]
        paths = self.lake.kept_partitions()
        assert all(paths.count(path) <= len(others) for path in paths)
        assert find_damage(self.lake.lake, thorough=True) == []

    def _run(self, name: str, content: Content) -> None:
        self.lake.run(name, content)
        assert self.lake.read() == content
        if self.lake.runs()[:1] == [name]:
            assert len(self.lake.runs()) <= self.lake.lake.state.kept_runs + 1

    def _go(self, name: str, run_id: str | None) -> None:
        before = self.lake.data()
        try:
            gone_to = self.lake.go_to(run_id, name).run_id
        except RequestError:
            assert run_id in (None, "none")
            return
        except LakeError:
            assert self.broken
            assert self.lake.data() == before
            return
        assert self.lake.current() == gone_to
        assert self.lake.data() == self.were[gone_to][0]

    def _mend(self, name: str, text: str) -> None:
        """A file is damaged, and the next run makes its partition again, or another one."""
        content = self.lake.read()
        for key in list(content)[:1]:
            (self.lake.root / key[0] / folder(key[1]) / FILE).write_text("damaged")
            self.broken |= {
                run_id
                for run_id, (_, held) in self.were.items()
                if held.get(key) == content[key] != text
            }
            content[key] = text
        self.lake.mend()
        self._run(name, content)


@contextmanager
def _refused_if(is_broken: bool) -> Iterator[None]:
    try:
        yield
    except LakeError:
        assert is_broken


# What a process does that is killed at each of its steps, on the lake of two runs.
def again(lake: SmallLake) -> None:
    lake.commit("r3", "base_silver", THREE)


def out(lake: SmallLake) -> None:
    lake.forget(ORDERS, 1)


def back(lake: SmallLake) -> None:
    lake.go_to("r1")


def _dies(root: Path, work: Callable[[SmallLake], None], step: int, is_exchanged: bool) -> None:
    """The process is killed before one of its steps."""
    if not is_exchanged:
        swap._exchange_call = lambda: None
    with Steps(step):
        work(SmallLake(root))


@pytest.fixture(scope="module")
def processes() -> Any:
    """Processes that can be killed, without the time that each would take to begin."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.lake.test_disk_states"])
    return context


@pytest.mark.parametrize("is_exchanged", [True, False])
@pytest.mark.parametrize("work", [again, out, back])
def test_killed_at_any_step_it_leaves_one_whole_state_and_the_way_back(
    work: Callable[[SmallLake], None],
    is_exchanged: bool,
    lake: SmallLake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    processes: Any,
) -> None:
    were = {"r1": lake.data()}
    lake.run("r2", TWO)
    were["r2"] = lake.data()
    done = SmallLake(shutil.copytree(lake.root, tmp_path / "undisturbed"))
    with monkeypatch.context() as patched, Steps() as steps:
        if not is_exchanged:
            patched.setattr(swap, "_exchange_call", lambda: None)
        work(done)
    assert steps.count > 4
    for step in range(1, steps.count + 1):
        here = Path(shutil.copytree(lake.root, tmp_path / f"{step}" / "silver"))
        died = processes.Process(target=_dies, args=(here, work, step, is_exchanged))
        died.start()
        died.join()
        assert died.exitcode == -signal.SIGKILL
        after = SmallLake(here)
        after.lake.recover()
        assert after.read() in (TWO, done.read())
        if work is back:
            assert after.data() == were[after.current()]
            assert sorted(after.runs()) == ["r1", "r2"]
        else:
            after.run("r4", THREE)
            were["r4"] = after.data()
            assert after.runs() == ["r4", "r2"]
        for run_id in sorted(after.runs(), key=lambda one: one == after.current()):
            after.go_to(run_id)
            assert after.data() == were[run_id], (step, run_id)
