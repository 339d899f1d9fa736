"""One run at a time per lake: the lease that the processes of a run share.

The lease is a small document that names the run. A process shows that it lives by a lock that
the operating system takes from it when it ends, so a killed process leaves nothing to clear.
A run whose id was given may have no process for a while, between two steps of a scheduler: its
lease then holds for a time. A lease that holds no longer can be taken by another run, which is
told whose it was, so that it puts in order what that run has left.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from medallion.errors import AbsentError, LockedError
from medallion.lake.names import as_run_id
from medallion.storage import Storage

LEASE = "_LEASE.json"
_DOOR = "_LOCK"
_DOOR_SECONDS = 30.0


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

    def acquire(self) -> LeaseNote | None:
        """Takes the lake, or joins the processes of the same run.

        Returns:
            The lease of another run that has died, if its place was taken.

        Raises:
            LockedError: Another run holds the lake.
        """
        with self._door():
            note = read_lease(self._storage)
            other = note if note and note.run_id != self._run_id else None
            if other and self._holds(other):
                raise _locked(other, self._storage.root)
            self._show_life()
            since = note.since if note and not other else self._now().isoformat(timespec="seconds")
            self._write(since)
        return other

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
        if self._mine is None:
            return
        with self._door():
            note = read_lease(self._storage)
            if note and note.run_id == self._run_id:
                if ended:
                    self._storage.delete(LEASE)
                else:
                    self._write(note.since, hold=hold)
            path = Path(self._mine.lock_file)
            self._mine.release()
            path.unlink(missing_ok=True)
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

    def _show_life(self) -> None:
        if self._mine is None:
            self._locks.mkdir(parents=True, exist_ok=True)
            name = f"{self._run_id}~{socket.gethostname()}-{os.getpid()}.lock"
            self._mine = FileLock(self._locks / name)
            self._mine.acquire(timeout=0)

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
        return note if datetime.fromisoformat(note.until).tzinfo else None
    # What a power cut has left of a lease says nothing; living processes still show by locks.
    except ValueError:
        return None


def is_alive(locks: Path, run_id: str) -> bool:
    """Whether a process of a run lives on this machine.

    The locks of processes that have died are cleared on the way.
    """
    for path in sorted(locks.glob(f"{as_run_id(run_id)}~*.lock")):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        path.unlink(missing_ok=True)
    return False


def _locked(note: LeaseNote, root: str) -> LockedError:
    return LockedError(
        f"Another run holds the lake at {root}: {note.run_id}, since {note.since},"
        f" last process {note.pid} on {note.host}.",
        hint=f"wait for it to end; a run that nothing will continue is ended by"
        f" `kedro runs close {note.run_id}`, or by itself after {note.until}.",
    )
