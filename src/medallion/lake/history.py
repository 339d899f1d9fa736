"""The states of a published lake: which there are, going back to one, and clearing what is old."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from medallion.errors import RequestError
from medallion.lake.published import (
    MANIFEST,
    STAGING,
    Pointer,
    Published,
    StateManifest,
    referenced,
)
from medallion.lake.states import States
from medallion.storage import Entry
from medallion.storage.parallel import in_parallel


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
        return "" if self.is_reachable else "not current"

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.manifest.tables.values())


def history(published: States) -> list[State]:
    """All states, the newest first."""
    pointer, _ = published.pointer()
    found = published.states()
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
            f"Run {run_id} has left no state.", hint="`kedro lake history` lists the states."
        )
    return found


def roll_back(published: States, state: State) -> Pointer:
    """Makes another state current: nothing is copied, and what is left stays a state.

    Raises:
        PublishError: A run has published meanwhile.
    """
    _, version = published.pointer()
    pointer = Pointer(run_id=state.run_id, manifest=state.key)
    published.point(pointer, version)
    return pointer


@dataclass(frozen=True)
class Garbage:
    """Objects that no kept state names.

    Attributes:
        entries: The objects.
        kept: The states that are kept.
        dropped: The states that go.
    """

    entries: tuple[Entry, ...]
    kept: tuple[State, ...]
    dropped: tuple[State, ...]

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
        living: Runs that are at work: what they have staged is kept.
        now: The time.
    """
    since = now - timedelta(days=keep_days)
    states = history(published)
    kept = kept_among(states, keep_days=keep_days, keep_runs=keep_runs, living=living, now=now)
    named = {key for one in kept for key in (one.key, *referenced(published, one.manifest))}
    prefixes = tuple(f"{STAGING}/{run}/" for run in living)
    entries = [
        entry
        for entry in published.storage.listed(f"{STAGING}/")
        if entry.key not in named
        and not entry.key.startswith(prefixes)
        and entry.changed_ns < since.timestamp() * 1e9
    ]
    dropped = tuple(one for one in states if one not in kept)
    return Garbage(tuple(entries), kept, dropped)


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
    """Deletes objects as they were when they were found.

    A state stops being one before its objects go, so that nobody goes back to it.
    """
    for group in (
        [one for one in garbage.entries if _is_manifest(one)],
        [one for one in garbage.entries if not _is_manifest(one)],
    ):
        in_parallel(lambda one: published.storage.delete(one.key, one.version), group)


def _is_manifest(entry: Entry) -> bool:
    return entry.key.split("/")[2].startswith(MANIFEST.removesuffix(".json"))
