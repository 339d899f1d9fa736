"""The states of a published lake: which there are, going back to one, and clearing what is old."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from medallion.errors import ChangedError, LakeError, PointerError, PublishError, RequestError
from medallion.lake.published import (
    CHOOSE,
    STAGING,
    Pointer,
    Published,
    StateManifest,
    is_manifest,
)
from medallion.lake.states import States
from medallion.storage import Entry
from medallion.storage.filesystem import is_key
from medallion.storage.parallel import in_parallel
from medallion.storage.probing import PROBES


@dataclass(frozen=True)
class State:
    """One state of the lake.

    Attributes:
        manifest: What it says.
        key: Where it says so.
        written: When, UTC.
        is_current: Whether the pointer names it.
        is_reachable: Whether it was current once: it is what the current one was made on, and so
            on; a state that never became current, or was left by going back, is not.
    """

    manifest: StateManifest
    key: str
    written: datetime
    is_current: bool
    is_reachable: bool

    @property
    def run_id(self) -> str:
        """The run that made it."""
        return self.manifest.run_id

    @property
    def remark(self) -> str:
        """What is to be known of it; nothing of one that is or was current and whole."""
        if not self.manifest.is_whole:
            return "unfinished"
        return "" if self.is_reachable else "left"

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.manifest.tables.values())


@dataclass(frozen=True)
class History:
    """The states of a lake, and which one is current.

    Attributes:
        states: All states, the newest first.
        current: The current one; None if none is.
        version: The version of what says so; None if nothing does.
        problem: Why no state is current; empty if one is, or nothing was published yet.
    """

    states: tuple[State, ...]
    current: State | None
    version: str | None
    problem: str

    def find(self, run_id: str | None) -> State:
        """See `find_state`.

        Raises:
            RequestError: There is none.
        """
        if run_id is None and self.problem:
            raise RequestError(
                f"{self.problem} So there is no state before the current one.", hint=CHOOSE
            )
        return find_state(self.states, run_id)


def look(states: States) -> History:
    """The states of a lake, also where it is not said which one is current."""
    try:
        pointer, version = states.pointer()
        problem = ""
    except PointerError as error:
        pointer, version, problem = None, error.version, error.message
    found = _listed(states, pointer)
    current = next((one for one in found if one.is_current), None)
    if (found or pointer) and not (current or problem):
        problem = states.without_state(pointer)
    return History(tuple(found), current, version, problem)


def history(states: States) -> list[State]:
    """All states, the newest first.

    Raises:
        PointerError: It is not said which one is current.
    """
    pointer, _ = states.pointer()
    return _listed(states, pointer)


def _listed(states: States, pointer: Pointer | None) -> list[State]:
    found = states.states()
    previous = {key: state.previous for state, key, _ in found}
    current = pointer.manifest if pointer else None
    line: set[str] = set()
    ancestor = current
    while ancestor and ancestor not in line:
        line.add(ancestor)
        ancestor = previous.get(ancestor)
    return [
        State(
            state,
            key,
            datetime.fromtimestamp(written / 1e9, UTC),
            key == current,
            key in line,
        )
        for state, key, written in found
    ]


def find_state(states: Sequence[State], run_id: str | None) -> State:
    """The state of a run, or the one that the current one was made on.

    Raises:
        RequestError: There is none.
    """
    current = next((one for one in states if one.is_current), None)
    if run_id is None:
        wanted = current and current.manifest.previous
        found = next((one for one in states if one.key == wanted), None)
        if found is None:
            raise RequestError(
                "There is no state before the current one to go back to.",
                hint="`kedro lake history` lists the states.",
            )
        return found
    found = next((one for one in states if one.run_id == run_id), None)
    if found is None:
        raise RequestError(
            f"There is no state of run {run_id}: it has published nothing, or its state was"
            " deleted since.",
            hint="`kedro lake history` lists the states there are.",
        )
    return found


def roll_back(states: States, run_id: str | None) -> State:
    """Makes another state current: nothing is copied, and what is left stays a state.

    Args:
        states: The states of the lake.
        run_id: The run whose state it is; by default the state that the current one was made on.

    Returns:
        The state, as it was found; one that was current already stays.

    Raises:
        RequestError: There is no such state.
        LakeError: Not all of the state is there.
        PublishError: Somebody else has changed the lake meanwhile.
    """
    # It sees the version first: whoever deletes states gives the pointer another one afterwards.
    seen = look(states)
    state = seen.find(run_id)
    if not state.is_current:
        states.go_back(Pointer(run_id=state.run_id, manifest=state.key), seen.version)
    return state


@dataclass(frozen=True)
class Garbage:
    """Objects that no kept state names.

    Attributes:
        entries: The objects.
        kept: The states that are kept.
        dropped: The states that go.
        version: The version of the pointer when they were found.
    """

    entries: tuple[Entry, ...]
    kept: tuple[State, ...]
    dropped: tuple[State, ...]
    version: str | None

    @property
    def bytes(self) -> int:
        """The bytes of all of them."""
        return sum(entry.size for entry in self.entries)


def find_garbage(
    published: Published,
    *,
    keep_days: int,
    keep_runs: int,
    living: Collection[str],
    now: datetime,
) -> Garbage:
    """What can be deleted.

    Args:
        published: The lake.
        keep_days: States that are younger are kept, and all objects that are.
        keep_runs: So many of the newest states are kept, too.
        living: Runs that are at work: their states and what they have staged are kept.
        now: The time.

    Raises:
        LakeError: What a kept state names is not known, because a part of it cannot be read, or
            which state is current.
    """
    since = now - timedelta(days=keep_days)
    pointer, version = published.pointer()
    states = history(published)
    if pointer and not any(one.is_current for one in states):
        raise LakeError(published.without_state(pointer), hint=CHOOSE)
    kept = kept_among(states, keep_days=keep_days, keep_runs=keep_runs, living=living, now=now)
    named = published.named_by({one.key: one.manifest for one in kept})
    working = tuple(f"{STAGING}/{run}/" for run in living)
    entries = [
        entry
        for folder in (STAGING, PROBES)
        for entry in published.storage.listed(f"{folder}/")
        if entry.key not in named
        and not entry.key.startswith(working)
        and entry.changed_ns < since.timestamp() * 1e9
        and is_key(entry.key)
    ]
    dropped = tuple(one for one in states if one not in kept)
    return Garbage(tuple(entries), kept, dropped, version)


def kept_among(
    states: Sequence[State],
    *,
    keep_days: int,
    keep_runs: int,
    living: Collection[str],
    now: datetime,
) -> tuple[State, ...]:
    """The states that are kept; see `find_garbage`."""
    since = now - timedelta(days=keep_days)
    return tuple(
        one
        for number, one in enumerate(states)
        if one.is_current or number < keep_runs or one.written >= since or one.run_id in living
    )


def delete(published: Published, garbage: Garbage) -> None:
    """Deletes objects, each as it was when it was found, several at a time.

    A state stops being one before its objects go. Then the pointer gets another version: who has
    looked at it before, and was asleep meanwhile, can neither publish on what goes nor go back to
    it. So the states that are there now are all that will ever be made on; none of them may name
    what is deleted.

    Raises:
        PublishError: Somebody has changed the lake since; nothing that is named was deleted.
    """
    if published.pointer()[1] != garbage.version:
        raise _meanwhile()
    manifests = [one for one in garbage.entries if is_manifest(one.key)]
    objects = [one for one in garbage.entries if not is_manifest(one.key)]
    _delete_all(published, manifests)
    pointer = published.fence()
    current = {pointer.manifest} if pointer else set()
    gone = {one.key for one in garbage.entries}
    named = published.named_by({one.key: one.manifest for one in history(published)})
    if gone & (current | named):
        for state in garbage.dropped:
            published.restore(state.key, state.manifest)
        raise _meanwhile()
    _delete_all(published, objects)


def _delete_all(published: Published, entries: Iterable[Entry]) -> None:
    # Eight at a time are a few hundred a second, less than what a bucket takes from the first on.
    try:
        in_parallel(lambda one: published.storage.delete(one.key, one.version), entries)
    except ChangedError as error:
        raise _meanwhile() from error


def _meanwhile() -> PublishError:
    return PublishError(
        "Somebody has published or gone back to a state since it was found what can go.",
        hint="run again; nothing that a state names was deleted.",
    )
