"""One run at a time per lake: the lease that the processes of a run share.

The lease is a small document that names the run. A process shows that it lives by a lock that
the operating system takes from it when it ends, so a killed process leaves nothing to clear.
A run whose id was given may have no process for a while, between two steps of a scheduler: its
lease then holds for a time. A lease that holds no longer can be taken by another run, which is
told whose it was, so that it puts in order what that run has left. Where the document is gone or
says nothing, the locks of living processes still keep others away.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from medallion.errors import AbsentError, LockedError
from medallion.lake.names import as_run_id, is_run_id
from medallion.storage import Storage
from medallion.storage.process import this_process

LEASE = "_LEASE.json"
_DOOR = "_LOCK"
_DOOR_SECONDS = 30.0
# A living process: `<run_id>~<process>.lock`; no run id holds a tilde.
_OF, _LOCK = "~", ".lock"


@dataclass(frozen=True)
class LeaseNote:
    """What the lease says.

    Attributes:
        run_id: The run that holds the lake.
        since: When it took the lake, UTC.
        until: As long as it holds without any process of it, UTC.
        host: Where it was renewed last.
        pid: The process that renewed it.
    """

    run_id: str
    since: str
    until: str
    host: str
    pid: int


class Lease:
    """The lease on a lake.

    Args:
        storage: The lake's root.
        locks: A folder on this machine for the locks of living processes.
        run_id: The run that wants the lake.
        minutes: How long it holds between two processes of the run; 0 for a run that is
            this process alone.
        now: The clock.
    """

    def __init__(
        self,
        storage: Storage,
        locks: Path,
        run_id: str,
        *,
        minutes: float = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._storage = storage
        self._locks = locks
        self._run_id = as_run_id(run_id)
        self._minutes = minutes
        self._now = now
        self._mine: FileLock | None = None

    def acquire(self) -> str | None:
        """Takes the lake, or joins the processes of the same run.

        Returns:
            The run that has died and left the lake to this one; None if there is none.

        Raises:
            LockedError: Another run holds the lake.
        """
        with self._door():
            note = read_lease(self._storage)
            other = note if note and note.run_id != self._run_id else None
            if other and self._holds(other):
                raise _locked(other, self._storage.root)
            strangers = () if note else _living(self._locks, but=self._run_id)
            if strangers:
                raise _occupied(strangers, self._storage.root)
            self._mine = self._mine or show_life(self._locks, self._run_id)
            since = note.since if note and not other else self._now().isoformat(timespec="seconds")
            self._write(since)
        return other.run_id if other else None

    def renew(self) -> None:
        """Lets the lease hold for its whole time again, from now."""
        with self._door():
            note = read_lease(self._storage)
            if note and note.run_id == self._run_id:
                self._write(note.since)

    def release(self, *, ended: bool, hold: bool = True) -> None:
        """Lets this process go; safe to call again.

        Args:
            ended: Whether the run has ended, so that the lake is free.
            hold: Whether a run that has not ended goes on holding the lake.
        """
        if self._mine is not None:
            with self._door():
                self._let_go(ended=ended, hold=hold)

    def leave(self, *, hold: bool = True) -> bool:
        """Lets this process go unless it is the run's last one, which is left to end the run.

        Of processes that end at the same time, exactly one is told that it is the last.

        Args:
            hold: Whether a run that has not ended goes on holding the lake.

        Returns:
            Whether the run lives on in another process; this one has then let go.
        """
        with self._door():
            mine = self._mine and Path(self._mine.lock_file)
            others = [path for path in _held(self._locks, self._run_id) if path != mine]
            if others:
                self._let_go(ended=False, hold=hold)
        return bool(others)

    def close(self) -> bool:
        """Whether this process, which is the run's last one, may end it.

        Who wants to join waits for whoever ends the run: the caller holds the door to that.
        """
        return True

    def _let_go(self, *, ended: bool, hold: bool) -> None:
        if self._mine is None:
            return
        note = read_lease(self._storage)
        if note and note.run_id == self._run_id:
            if ended:
                self._storage.delete(LEASE)
            else:
                self._write(note.since, hold=hold)
        end_life(self._mine)
        self._mine = None

    def _write(self, since: str, *, hold: bool = True) -> None:
        until = self._now() + timedelta(minutes=self._minutes if hold else 0)
        note = LeaseNote(
            self._run_id,
            since,
            until.isoformat(timespec="seconds"),
            socket.gethostname(),
            os.getpid(),
        )
        self._storage.write(LEASE, (json.dumps(asdict(note), indent=2) + "\n").encode())

    def _holds(self, note: LeaseNote) -> bool:
        return is_alive(self._locks, note.run_id) or self._now() < datetime.fromisoformat(
            note.until
        )

    def _door(self) -> FileLock:
        """Whoever looks at the lease and changes it does so alone."""
        root = Path(self._storage.root)
        root.mkdir(parents=True, exist_ok=True)
        return FileLock(root / _DOOR, timeout=_DOOR_SECONDS)


def read_lease(storage: Storage) -> LeaseNote | None:
    """The lease of a lake; None if no run holds it."""
    try:
        stored = storage.read(LEASE).data
    except AbsentError:
        return None
    try:
        note = TypeAdapter(LeaseNote).validate_json(stored)
        is_whole = is_run_id(note.run_id) and datetime.fromisoformat(note.until).tzinfo
    # What a power cut has left of a lease says nothing; living processes still show by locks.
    except ValueError:
        return None
    return note if is_whole else None


def show_life(locks: Path, run_id: str) -> FileLock:
    """Shows that this process takes part in a run, for as long as it lives."""
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"{run_id}{_OF}{this_process()}{_LOCK}")
    lock.acquire(timeout=0)
    return lock


def end_life(lock: FileLock) -> None:
    """Shows it no longer."""
    path = Path(lock.lock_file)
    lock.release()
    path.unlink(missing_ok=True)


def is_alive(locks: Path, run_id: str) -> bool:
    """Whether a process of a run lives on this machine.

    The locks of processes that have died are cleared on the way.
    """
    return any(True for _ in _held(locks, as_run_id(run_id)))


def living_run(locks: Path) -> str:
    """A run of which a process lives on this machine; empty if there is none."""
    return next((path.name.partition(_OF)[0] for path in _held(locks, "*")), "")


def _living(locks: Path, but: str) -> Sequence[str]:
    """The living processes of other runs, by the names of their locks."""
    return [path.stem for path in _held(locks, "*") if path.name.partition(_OF)[0] != but]


def _held(locks: Path, run_id: str) -> Iterator[Path]:
    """The locks of living processes; those of processes that have died are cleared."""
    for path in sorted(locks.glob(f"{run_id}{_OF}*{_LOCK}")):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            yield path
            continue
        lock.release()
        path.unlink(missing_ok=True)


def _occupied(processes: Sequence[str], root: str) -> LockedError:
    return LockedError(
        f"Another run is at work on the lake at {root}, whose note of it ({LEASE}) is gone or"
        " cannot be read; these processes live:",
        details=[f"{run}, {host}" for run, _, host in (one.partition(_OF) for one in processes)],
        hint="wait for them to end, or stop them.",
    )


def _locked(note: LeaseNote, root: str) -> LockedError:
    return LockedError(
        f"Another run holds the lake at {root}: {note.run_id}, since {note.since},"
        f" last process {note.pid} on {note.host}.",
        hint=f"wait for it to end; a run that nothing will continue is ended by"
        f" `kedro runs close {note.run_id}`, or by itself after {note.until}.",
    )
