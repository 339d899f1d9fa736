"""One run at a time holds a lake in an object store, wherever its processes are."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from medallion.errors import LockedError, PublishError
from medallion.lake.published import MANIFEST, POINTER, STAGING, Pointer, Published
from medallion.runs import store_lease
from medallion.runs.lease import LEASE
from medallion.runs.store_lease import MINUTES, StoreLease, read_note
from medallion.storage import LocalStorage
from medallion.storage.process import this_process
from tests.storage.memory import Memory

NOON = datetime(2025, 10, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lease(tmp_path: Path, clock: Clock) -> Callable[..., StoreLease]:
    storage = LocalStorage(tmp_path / "store")

    def new(run_id: str, process: str = "host1-1", between: float = 0) -> StoreLease:
        locks = tmp_path / f"locks-{process}"
        return StoreLease(storage, locks, run_id, between, clock, process)

    return new


def held_by(tmp_path: Path) -> tuple[str, set[str]] | None:
    note, _ = read_note(LocalStorage(tmp_path / "store"))
    return (note.run_id, set(note.processes)) if note else None


def test_a_second_run_is_told_who_holds_the_lake_since_when_and_where(
    lease: Callable[..., StoreLease],
) -> None:
    lease("first", "worker7-11").acquire()
    with pytest.raises(LockedError) as caught:
        lease("second", "worker8-12").acquire()
    told = str(caught.value)
    assert "first, since 2025-10-01T12:00Z, worker7-11" in told
    assert "kedro runs close first" in told
    assert "after 2025-10-01T12:10Z" in told


def test_processes_of_a_run_share_it_and_the_last_one_is_told(
    lease: Callable[..., StoreLease], tmp_path: Path
) -> None:
    one, other = lease("r", "a-1", 60), lease("r", "b-1", 60)
    one.acquire()
    other.acquire()
    assert held_by(tmp_path) == ("r", {"a-1", "b-1"})
    assert one.leave()
    assert not other.leave()
    other.release(ended=True)
    assert held_by(tmp_path) is None


def test_who_comes_while_a_run_is_being_ended_waits_and_then_is_told(
    lease: Callable[..., StoreLease], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_lease, "_CLOSING_SECONDS", 0)
    one, other = lease("r", "a-1", 60), lease("r", "b-1", 60)
    one.acquire()
    assert not one.leave()
    assert one.close()
    with pytest.raises(LockedError, match="Run r is being ended by a-1"):
        other.acquire()
    one.release(ended=True)
    other.acquire()


def test_a_run_is_not_ended_while_another_process_has_joined_it(
    lease: Callable[..., StoreLease],
) -> None:
    one, other = lease("r", "a-1", 60), lease("r", "b-1", 60)
    one.acquire()
    assert not one.leave()
    other.acquire()
    assert not one.close()
    assert one.leave()


def test_a_process_that_died_while_it_ended_a_run_keeps_nobody_away(
    lease: Callable[..., StoreLease], clock: Clock
) -> None:
    one = lease("r", "a-1", 60)
    one.acquire()
    assert one.close()
    clock.time += timedelta(minutes=MINUTES + 1)
    lease("r", "b-1", 60).acquire()


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_the_next_run_is_told_which_one_did_not_end(
    how: str, lease: Callable[..., StoreLease], clock: Clock
) -> None:
    one = lease("r", between=60)
    assert one.acquire() is None
    if how == "interrupted":
        one.release(ended=False, hold=False)
    else:
        clock.time += timedelta(minutes=MINUTES + 1)
    assert lease("next", "b-1").acquire() == "r"


def test_a_shared_run_holds_the_lake_between_its_processes_for_a_time(
    lease: Callable[..., StoreLease], clock: Clock
) -> None:
    first = lease("shared", between=60)
    first.acquire()
    first.release(ended=False)
    clock.time += timedelta(minutes=59)
    with pytest.raises(LockedError, match="shared"):
        lease("other", "b-1").acquire()
    clock.time += timedelta(minutes=2)
    lease("other", "b-1").acquire()


def test_a_process_that_lives_moves_its_time_on(
    lease: Callable[..., StoreLease], clock: Clock
) -> None:
    one = lease("r")
    one.acquire()
    for _ in range(3):
        clock.time += timedelta(minutes=MINUTES - 1)
        one.renew()
    with pytest.raises(LockedError):
        lease("other", "b-1").acquire()
    clock.time += timedelta(minutes=MINUTES + 1)
    lease("other", "b-1").acquire()


def test_a_killed_process_of_this_machine_holds_nothing(
    lease: Callable[..., StoreLease],
) -> None:
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    lease("dead", this_process().replace(f"-{os.getpid()}-", f"-{pid}-")).acquire()
    lease("next", "b-1").acquire()


def test_a_process_that_lost_its_lease_does_not_take_the_other_away(
    lease: Callable[..., StoreLease], clock: Clock, tmp_path: Path
) -> None:
    late = lease("late")
    late.acquire()
    clock.time += timedelta(minutes=MINUTES + 1)
    lease("other", "b-1").acquire()
    late.renew()
    assert not late.leave()
    late.release(ended=True)
    assert held_by(tmp_path) == ("other", {"b-1"})


def test_a_run_that_slept_before_it_looked_at_the_lake_does_not_begin(
    lease: Callable[..., StoreLease], clock: Clock
) -> None:
    late = lease("late")
    late.acquire()
    late.expect_held()
    clock.time += timedelta(minutes=MINUTES + 1)
    lease("other", "b-1").acquire()
    with pytest.raises(LockedError, match="Run late has lost the lake"):
        late.expect_held()


def test_a_lease_that_says_nothing_is_named(
    lease: Callable[..., StoreLease], tmp_path: Path
) -> None:
    LocalStorage(tmp_path / "store").write(LEASE, b"{")
    with pytest.raises(LockedError, match=r"_LEASE\.json does not say who holds the lake"):
        lease("r").acquire()


# What a run does, in order; it can die before each, and time can pass.
STEPS = ("acquire", "fence", "begin", "publish", "release")


@dataclass(frozen=True)
class Writer:
    """A run, how far it is, and whether it took the lake from another, or another from it."""

    name: str
    life: int = 0
    step: int = 0
    base: str | None = None
    until: datetime = NOON
    took_over: bool = False
    is_fenced: bool = False

    @property
    def run_id(self) -> str:
        return f"{self.name}{self.life}"

    @property
    def holds(self) -> bool:
        return self.step > 0


@dataclass(frozen=True)
class World:
    """All that there is: the store, the time, two runs, and who published on what."""

    objects: tuple[tuple[str, tuple[bytes, int, int]], ...] = ()
    count: int = 0
    minutes: int = 0
    writers: tuple[Writer, ...] = (Writer("a"), Writer("b"))
    published: tuple[tuple[str, str], ...] = field(default=())


def after(world: World, number: int, action: str) -> World:  # noqa: C901, PLR0912 - a step each
    """The world when one of the runs has done something, or has died, or time has passed."""
    writer = world.writers[number]
    now = NOON + timedelta(minutes=world.minutes)
    store: Any = Memory(dict(world.objects), world.count)
    lease = StoreLease(store, Path(), writer.run_id, now=lambda: now, process=f"{writer.name}-x")
    published = world.published
    others = tuple(one for one in world.writers if one.name != writer.name)
    if action == "die":
        writer = Writer(writer.name, writer.life + 1)
    elif action == "acquire":
        try:
            before = lease.acquire()
        except LockedError:
            return world
        assert not any(one.holds and one.until > now for one in others), "two hold the lake"
        until = now + timedelta(minutes=MINUTES)
        writer = replace(writer, step=1, until=until, took_over=before is not None)
    elif action == "fence":
        writer = replace(writer, step=2)
        if writer.took_over:
            Published(store, Path()).fence()
        note, _ = read_note(store)
        if note and note.run_id == writer.run_id:
            # Whoever else believes that it holds the lake has lost it to this one.
            others = tuple(replace(one, is_fenced=one.base is not None) for one in others)
    elif action == "begin":
        _, version = Published(store, Path()).pointer()
        try:
            lease.expect_held()
        except LockedError:
            writer = Writer(writer.name, writer.life + 1)
        else:
            writer = replace(writer, step=3, base=version)
    elif action == "publish":
        pointer = Pointer(run_id=writer.run_id, manifest=f"{STAGING}/{writer.run_id}/{MANIFEST}")
        try:
            Published(store, Path()).point(pointer, writer.base)
        except PublishError:
            writer = Writer(writer.name, writer.life + 1)
        else:
            assert not writer.is_fenced, "it publishes after another took the lake from it"
            published = (*published, (writer.base or "nothing", writer.run_id))
            writer = replace(writer, step=4)
    else:
        lease._life = object()  # type: ignore[assignment]  # it was acquired
        lease.release(ended=True)
        writer = Writer(writer.name, writer.life + 1)
    writers = (*others, writer)[:: 1 if number else -1]
    return World(tuple(store.objects.items()), store.count, world.minutes, writers, published)


def what_can_happen(world: World) -> Iterator[World]:
    if world.minutes < 3 * (MINUTES + 1):
        yield replace(world, minutes=world.minutes + int(MINUTES) + 1)
    for number, writer in enumerate(world.writers):
        if writer.life < 2:
            yield after(world, number, STEPS[writer.step])
            if writer.step:
                yield after(world, number, "die")


def test_there_is_no_way_in_which_two_runs_publish_on_the_same_state(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store_lease, "show_life", lambda *_: object())
    monkeypatch.setattr(store_lease, "end_life", lambda _: None)
    monkeypatch.setattr(store_lease, "Thread", lambda **_: type("T", (), {"start": lambda _: 0})())
    seen = {World()}
    waiting = deque(seen)
    most = 0
    while waiting:
        world = waiting.popleft()
        bases = [base for base, _ in world.published]
        assert len(bases) == len({*bases}), world.published
        pointer = dict(world.objects).get(POINTER)
        if world.published and pointer:
            assert world.published[-1][1].encode() in pointer[0]
        most = max(most, len(bases))
        for one in what_can_happen(world):
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    assert len(seen) > 1_000
    assert most == 4
