"""Whatever is published, taken back and deleted, in whatever order: no state is ever broken.

Runs begin, die, sleep and are done again; people go back and forward; what can go is found and,
much later, deleted; and any of this happens in the middle of any other, at any call of the store.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from medallion.errors import PublishError
from medallion.lake import history
from medallion.lake.history import Garbage
from medallion.lake.published import POINTER, Published
from tests.lake.test_gc import Time
from tests.lake.test_working_copy import TABLES, Content, Dying, Machine, Watched
from tests.storage.memory import Memory

DAYS = st.sampled_from(["2025-10-01", "2025-10-02", "2025-10-03"])
CONTENT = st.dictionaries(
    st.sampled_from(TABLES),
    st.dictionaries(DAYS, st.lists(st.integers(1, 9), min_size=1, max_size=1), min_size=1),
)
RUNS = st.sampled_from(["a", "b"])
CALL = st.integers(1, 25)
# What the sequences have come to: a law that nothing reaches says nothing.
REACHED: Counter[str] = Counter()


@contextmanager
def refused(what: str) -> Iterator[None]:
    """Lets something be refused, and counts it."""
    try:
        yield
    except PublishError:
        REACHED[what] += 1


class Interrupted(Watched):
    """A storage during one of whose calls something else happens, once."""

    def __init__(self, storage: Memory, call: int, what: Callable[[], object]) -> None:
        super().__init__(storage, call)
        self._what = what

    def happens(self, number: int) -> None:
        if number == self._last:
            self._what()


class Lake(RuleBasedStateMachine):
    """A lake in a store, the runs that work on it, and what it must say."""

    @initialize(contents=st.lists(CONTENT, min_size=4, max_size=4, unique_by=str))
    def begin_with_some_states(self, contents: list[Content]) -> None:
        self.scratch = tempfile.TemporaryDirectory(prefix="medallion-gc-")
        self.time = Time()
        self.store = Memory(now=self.time)
        self.machines = 0
        # What each run that has begun works on, and what each is to publish.
        self.begun: dict[str, Machine] = {}
        self.wanted: dict[str, Content] = {}
        self.found: Garbage | None = None
        self.says: dict[str, Content] = {}
        for content in contents:
            self.run_as_usual(content, 1)

    def teardown(self) -> None:
        self.scratch.cleanup()

    def admin(self, storage: Any = None) -> Published:
        self.machines += 1
        cache = Path(self.scratch.name) / f"cache{self.machines}"
        return Published(storage or self.store, cache, self.time)

    @rule(run=RUNS, content=CONTENT)
    def begin(self, run: str, content: Content) -> None:
        """A run begins on a machine of its own, or is begun again as what it was."""
        self.machines += 1
        folder = Path(self.scratch.name) / f"machine{self.machines}"
        machine = Machine(folder, self.store, self.time)
        machine.copy.begin(run)
        machine.commits(self.wanted.setdefault(run, content))
        self.begun[run] = machine

    @rule(content=CONTENT, days=st.sampled_from([0.2, 1.5, 40]))
    def run_as_usual(self, content: Content, days: float) -> None:
        """A run of a name of its own, some days after what was before."""
        self.wait(days)
        run = f"r{self.machines}"
        self.begin(run, content)
        self.publish(run)

    @precondition(lambda self: self.begun)
    @rule(run=RUNS)
    def publish(self, run: str) -> None:
        self.publish_through(self.store, run)

    def publish_through(self, storage: Any, run: str) -> None:
        machine = self.begun.pop(run, None)
        if machine:
            machine.copy.published = Published(storage, machine.published.cache, self.time)
            with refused("publications refused"):
                machine.copy.publish(run, {})

    @precondition(lambda self: self.begun)
    @rule(run=RUNS, call=CALL)
    def die_while_publishing(self, run: str, call: int) -> None:
        with suppress(Dying):
            self.publish_through(Watched(self.store, call), run)

    @rule(number=st.integers(0, 9))
    def go_back(self, number: int) -> None:
        states = history.history(self.admin())
        state = history.roll_back(self.admin(), states[number % len(states)].run_id)
        REACHED["rollbacks"] += not state.is_current

    @rule(days=st.sampled_from([0.2, 0.7, 1.5, 40]))
    def wait(self, days: float) -> None:
        self.time.pass_days(days)

    @rule(keep_days=st.sampled_from([1, 30]), keep_runs=st.integers(1, 3))
    def find(self, keep_days: int, keep_runs: int) -> None:
        """What can go is found; whoever is to delete it falls asleep."""
        self.found = self.garbage(self.admin(), keep_days, keep_runs)

    def garbage(self, published: Published, keep_days: int, keep_runs: int) -> Garbage:
        now = self.time.at
        return history.find_garbage(
            published, keep_days=keep_days, keep_runs=keep_runs, living=(), now=now
        )

    @precondition(lambda self: self.found)
    @rule()
    def wake_up_and_delete(self) -> None:
        found, self.found = self.found, None
        if found:
            with refused("deletions refused"):
                history.delete(self.admin(), found)

    @rule(keep_days=st.sampled_from([1, 30]), keep_runs=st.integers(1, 3), call=CALL)
    def die_while_deleting(self, keep_days: int, keep_runs: int, call: int) -> None:
        published = self.admin(Watched(self.store, call))
        with suppress(Dying):
            history.delete(published, self.garbage(published, keep_days, keep_runs))

    @rule(keep_days=st.sampled_from([1, 30]), keep_runs=st.integers(1, 3))
    def delete(self, keep_days: int, keep_runs: int) -> None:
        """What is kept is what is said, and nothing old is left that it does not name."""
        oldest = self.time() - keep_days * 86_400 * 10**9
        states = history.history(self.admin())
        kept = {
            state.key
            for number, state in enumerate(states)
            if state.is_current or number < keep_runs or self.store.objects[state.key][2] >= oldest
        }
        history.delete(self.admin(), self.garbage(self.admin(), keep_days, keep_runs))
        REACHED["states deleted"] += len(states) - len(kept)
        assert {state.key for state in history.history(self.admin())} == kept
        named = {POINTER}.union(*(self.names(key) for key in kept))
        left = {key for key, (_, _, written) in self.store.objects.items() if written < oldest}
        assert left <= named

    @precondition(lambda self: self.begun)
    @rule(run=RUNS, call=CALL, days=st.sampled_from([0, 2]), keep_runs=st.integers(1, 2))
    def delete_while_publishing(self, run: str, call: int, days: int, keep_runs: int) -> None:
        def sleep_while_others_delete() -> None:
            self.wait(days)
            self.delete(1, keep_runs)

        self.publish_through(Interrupted(self.store, call, sleep_while_others_delete), run)

    @rule(call=CALL, number=st.integers(0, 9), keep_runs=st.integers(1, 2))
    def go_back_while_deleting(self, call: int, number: int, keep_runs: int) -> None:
        self.delete_while(call, keep_runs, lambda: self.go_back(number))

    @rule(
        call=CALL, run=RUNS, content=CONTENT, number=st.integers(0, 9), keep_runs=st.integers(1, 2)
    )
    def publish_while_deleting(
        self, call: int, run: str, content: Content, number: int, keep_runs: int
    ) -> None:
        def whole_run() -> None:
            self.go_back(number)
            self.begin(run, content)
            self.publish(run)

        self.delete_while(call, keep_runs, whole_run)

    def delete_while(self, call: int, keep_runs: int, what: Callable[[], None]) -> None:
        published = self.admin(Interrupted(self.store, call, what))
        with refused("deletions refused"):
            history.delete(published, self.garbage(published, 1, keep_runs))

    @invariant()
    def every_state_that_is_listed_is_whole_and_says_what_it_said(self) -> None:
        pointer = json.loads(self.store.read(POINTER).data)
        states = {state.key for state in history.history(self.admin())}
        assert pointer["manifest"] in states
        for key in states:
            said = self.says_now(key)
            assert self.says.setdefault(key, said) == said
            assert said == {t: days for t, days in self.wanted[self.run_of(key)].items() if days}

    def run_of(self, key: str) -> str:
        return str(json.loads(self.store.read(key).data)["run_id"])

    def says_now(self, key: str) -> Content:
        """The rows of a state, read without the project's code."""
        found: Content = {}
        for table, reference in json.loads(self.store.read(key).data)["tables"].items():
            piece = self.store.read(reference["key"]).data
            assert hashlib.sha256(piece).hexdigest() == reference["sha256"]
            for name, partition in json.loads(piece)["partitions"].items():
                (file,) = partition["objects"]
                rows = pl.read_parquet(io.BytesIO(self.store.read(file).data))["n"].to_list()
                found.setdefault(table, {})[name.partition("=")[2]] = rows
        return found

    def names(self, key: str) -> set[str]:
        """The objects of a state, found without the project's code."""
        state = json.loads(self.store.read(key).data)
        pieces = [one["key"] for one in state["tables"].values()]
        held = [json.loads(self.store.read(piece).data)["partitions"] for piece in pieces]
        files = {file for piece in held for one in piece.values() for file in one["objects"]}
        return {key, *pieces, *files, *(one["key"] for one in state["documents"].values())}


def test_no_state_is_ever_broken() -> None:
    REACHED.clear()
    run_state_machine_as_test(Lake, settings=SETTINGS)
    reached = {"states deleted", "rollbacks", "publications refused", "deletions refused"}
    assert Counter(reached) <= +REACHED


SETTINGS = settings(max_examples=25, stateful_step_count=25, deadline=None, derandomize=True)
