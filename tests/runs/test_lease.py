"""One run at a time holds a lake; its processes share it; what died gives way."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from medallion.errors import LockedError
from medallion.runs.lease import LEASE, Lease, is_alive, living_run, read_lease
from medallion.storage import LocalStorage

NOON = datetime(2025, 10, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


def now() -> datetime:
    return datetime.now(UTC)


def lease(
    tmp_path: Path, run_id: str, clock: Callable[[], datetime] = now, minutes: float = 0
) -> Lease:
    storage = LocalStorage(tmp_path / "silver")
    return Lease(storage, tmp_path / "locks", run_id, minutes=minutes, now=clock)


# A process that takes the lease in the background and is killed holds nothing any more.
CHILD = """
import sys
from pathlib import Path
from medallion.runs.lease import Lease
from medallion.storage import LocalStorage
top = Path(sys.argv[1])
storage, minutes = LocalStorage(top / "silver"), float(sys.argv[3])
lease = Lease(storage, top / "locks", sys.argv[2], minutes=minutes)
lease.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def child(tmp_path: Path, run_id: str, minutes: float = 0) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), run_id, str(minutes)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_a_second_run_is_told_who_holds_the_lake_since_when_and_where(tmp_path: Path) -> None:
    process = child(tmp_path, "first")
    try:
        with pytest.raises(LockedError) as caught:
            lease(tmp_path, "second").acquire()
    finally:
        kill(process)
    told = str(caught.value)
    assert f"first, since {datetime.now(UTC):%Y-%m-%d}" in told
    assert f"process {process.pid} on " in told
    assert "kedro runs close first" in told


def test_a_killed_run_of_one_process_holds_nothing(tmp_path: Path) -> None:
    kill(child(tmp_path, "first"))
    second = lease(tmp_path, "second")
    dead = second.acquire()
    assert dead == "first"
    assert not is_alive(tmp_path / "locks", "first")
    assert is_alive(tmp_path / "locks", "second")


def test_processes_of_one_run_share_the_lake(tmp_path: Path) -> None:
    process = child(tmp_path, "shared", minutes=1)
    try:
        assert lease(tmp_path, "shared", minutes=1).acquire() is None
    finally:
        kill(process)


def test_a_shared_run_holds_the_lake_between_its_processes_for_a_time(tmp_path: Path) -> None:
    clock = Clock()
    first = lease(tmp_path, "shared", clock, minutes=60)
    first.acquire()
    first.release(ended=False)
    clock.time = NOON + timedelta(minutes=59)
    with pytest.raises(LockedError, match="shared"):
        lease(tmp_path, "other", clock).acquire()
    clock.time = NOON + timedelta(minutes=61)
    dead = lease(tmp_path, "other", clock).acquire()
    assert dead == "shared"


def test_each_process_lets_the_lease_hold_for_its_whole_time_again(tmp_path: Path) -> None:
    clock = Clock()
    for minute in (0, 40, 80):
        clock.time = NOON + timedelta(minutes=minute)
        one = lease(tmp_path, "shared", clock, minutes=60)
        one.acquire()
        one.release(ended=False)
    note = read_lease(LocalStorage(tmp_path / "silver"))
    assert note is not None
    assert note.since == NOON.isoformat(timespec="seconds")
    assert datetime.fromisoformat(note.until) == NOON + timedelta(minutes=140)


def test_a_run_that_ended_leaves_the_lake_free(tmp_path: Path) -> None:
    first = lease(tmp_path, "first", minutes=60)
    first.acquire()
    first.release(ended=True)
    first.release(ended=True)
    assert lease(tmp_path, "second").acquire() is None


@pytest.mark.parametrize("left", [None, b"", b'{"run_id": "../x"}'])
def test_without_a_readable_note_living_processes_still_keep_others_away(
    left: bytes | None, tmp_path: Path
) -> None:
    process = child(tmp_path, "first", minutes=60)
    note = tmp_path / "silver" / LEASE
    try:
        note.unlink() if left is None else note.write_bytes(left)
        with pytest.raises(LockedError) as caught:
            lease(tmp_path, "second").acquire()
        assert living_run(tmp_path / "locks") == "first"
        assert lease(tmp_path, "first", minutes=60).acquire() is None
    finally:
        kill(process)
    assert f"first, {socket.gethostname()}-{process.pid}" in str(caught.value)


def test_without_a_readable_note_dead_processes_keep_nobody_away(tmp_path: Path) -> None:
    kill(child(tmp_path, "first", minutes=60))
    (tmp_path / "silver" / LEASE).unlink()
    assert lease(tmp_path, "second").acquire() is None


def test_a_note_of_a_run_that_cannot_be_called_so_says_nothing(tmp_path: Path) -> None:
    first = lease(tmp_path, "first", minutes=60)
    first.acquire()
    first.release(ended=False)
    note = tmp_path / "silver" / LEASE
    note.write_text(note.read_text().replace('"first"', '"../first"'))
    assert read_lease(LocalStorage(tmp_path / "silver")) is None
    assert lease(tmp_path, "second").acquire() is None


def test_a_process_that_lost_its_lease_does_not_take_the_other_away(tmp_path: Path) -> None:
    clock = Clock()
    late = lease(tmp_path, "late", clock, minutes=1)
    late.acquire()
    late._mine.release()  # type: ignore[union-attr]  # as if its machine had gone to sleep
    clock.time = NOON + timedelta(minutes=2)
    lease(tmp_path, "other", clock).acquire()
    late.renew()
    late.release(ended=True)
    note = read_lease(LocalStorage(tmp_path / "silver"))
    assert note is not None
    assert note.run_id == "other"
