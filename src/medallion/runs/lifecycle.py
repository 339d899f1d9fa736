"""A process's part of a run: it takes the lake, does steps, and ends the run if it is the last.

What a run leaves when it ends, is left by whoever listens to its end: that happens once, in the
process whose step was the last one, before the lake is free again.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from filelock import FileLock, Timeout

from medallion import events
from medallion.errors import MedallionError, StorageError, UnrecordedError
from medallion.lake.store import Lake
from medallion.runs.folder import RunFolder, step_locked, unfinished
from medallion.runs.journal import Journal
from medallion.runs.lease import Lease, is_alive, living_run, read_lease
from medallion.runs.store_lease import StoreLease, living, read_note, working
from medallion.storage import open_storage
from medallion.storage.layout import Layout

logger = logging.getLogger(__name__)

_CLOSING = "closing"
#: Said when a recovery has completed what a dead process had begun.
CUT_SHORT = "An earlier run was cut short; %d partitions of its commit were put in place."
Status = Literal["succeeded", "failed", "interrupted", "killed", "closed"]
# Of a dead run: says how it ended if it was not killed.
DeadListener = Callable[[RunFolder], Status | None]
# Of a run: how it ended, and why if it failed.
EndListener = Callable[[RunFolder, Status, BaseException | None], None]


@dataclass
class Run:
    """What this process does for a run.

    Attributes:
        folder: The run's documents.
        lake: The lake that it writes.
        locks: A folder on this machine for the locks of living processes and steps.
        is_shared: Whether other processes may join it: its id was given.
        minutes: How long a shared run holds the lake without any process of it.
        bronze: Where what it reads was delivered.
        on_begin: Called when this process has the lake.
        on_end: Called once when the run ends, before the lake is free.
        on_dead: Called for each dead run that this one has put in order.
        on_step: Called when a step is done, before others may rely on it.
        on_leave: Called when this process ends its part, before the lake is free.
    """

    folder: RunFolder
    lake: Lake
    locks: Path
    is_shared: bool
    minutes: float = 60.0
    bronze: str = ""
    on_begin: list[Callable[[], None]] = field(default_factory=list)
    on_end: list[EndListener] = field(default_factory=list)
    on_dead: list[DeadListener] = field(default_factory=list)
    on_step: list[Callable[[], None]] = field(default_factory=list)
    on_leave: list[Callable[[], None]] = field(default_factory=list)
    _lease: Lease | StoreLease | None = None
    _steps: dict[str, FileLock] = field(default_factory=dict)
    _mutex: Lock = field(default_factory=Lock)

    def begin(self, asked: Mapping[str, Any]) -> int:
        """Takes the lake or joins the run, then puts in order what dead runs have left.

        Args:
            asked: The parameters that were given.

        Returns:
            How many partitions of a dead run's commit were put in place.

        Raises:
            LockedError: Another run holds the lake.
            RequestError: The run has ended, or was asked for something else when it began, or works
                on other data.
        """
        self.folder.expect(self._places)
        minutes = self.minutes if self.is_shared else 0
        lease = _lease(self.lake, self.locks, self.folder.run_id, minutes)
        before = lease.acquire()
        self._lease = lease
        try:
            # Whoever ends the run just now, having seen no other process, ends it first.
            with self._closing():
                self.folder.open(json.loads(json.dumps(asked, default=str)), self._places)
            for listener in self.on_begin:
                listener()
            completed = self.lake.recover(living=self.folder.run_id)
            if self.lake.state.source and isinstance(lease, StoreLease):
                begin = self.lake.state.source.begin
                begin(self.folder.run_id, is_taken_over=before is not None)
                lease.expect_held()
            self.bury(before)
        except BaseException:
            # Whoever is refused by a run that has ended must not hold the lake in its name.
            if not lease.leave():
                lease.release(ended=not self.is_shared or self.folder.ended() is not None)
            self._lease = None
            self._only_read()
            raise
        return len(completed)

    @property
    def _places(self) -> dict[str, str]:
        source = self.lake.state.source
        lake = source.storage.root if source else str(self.lake.root.resolve())
        return {"lake": lake, "bronze": self.bronze} if self.bronze else {"lake": lake}

    def _only_read(self) -> None:
        """From now on this process sees what is published, if the lake is in an object store."""
        if self.lake.state.source:
            self.lake.state.source.end()

    def bury(self, before: str | None = None) -> None:
        """Ends the runs that nobody goes on with: what they were made on is about to change.

        Args:
            before: The run that held a lake in an object store last.
        """
        for dead in self._dead(before):
            with told_later(dead.run_id):
                said = [listener(dead) for listener in self.on_dead]
                dead.end({"status": next(filter(None, said), "killed")})
            self._clear_locks(dead.run_id)

    def _dead(self, before: str | None) -> Iterator[RunFolder]:
        """The runs that have not ended and that nobody goes on with."""
        if self.lake.state.source:
            # Its lease tells of the one that there can be: nobody has to look through all runs.
            found = [RunFolder(self.folder.storage, before)] if before else []
            yield from (one for one in found if one.has_begun() and one.ended() is None)
            return
        lake = self._places["lake"]
        for one in unfinished(self.folder.storage):
            # What was made for another lake waits for those who work on that.
            is_here = one.places().get("lake", lake) == lake
            is_other = one.run_id != self.folder.run_id
            if is_here and is_other and not is_alive(self.locks, one.run_id):
                yield one

    def begin_step(self, step: str) -> None:
        """Takes a step, which one process at a time does; it counts as not done from now on.

        Raises:
            LockedError: Another process is at it.
        """
        self.locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._lock_of(step))
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise step_locked(step, self.folder.run_id, "on this machine") from error
        try:
            self._begin_elsewhere(step)
        except BaseException:
            lock.release()
            raise
        with self._mutex:
            self._steps[step] = lock
        self.folder.begin_step(step)

    def _begin_elsewhere(self, step: str) -> None:
        """Takes a step on all machines, and takes in what steps on others have made."""
        if self.is_shared and isinstance(self._lease, StoreLease):
            self.folder.take_step(step, self._lease.process, self._lease.lives)
            if self.lake.state.source:
                self.lake.state.source.join(self.folder.run_id)

    def end_step(
        self, step: str, content: Mapping[str, Any], written: Collection[str] = ()
    ) -> None:
        """Notes that a step is done, and lets it go.

        Args:
            step: The step.
            content: What is noted of it.
            written: The tables that it has written, such as `base/orders`.
        """
        if self.is_shared:
            self.share(step, written)
        self.folder.finish_step(step, content)
        with self._mutex:
            lock = self._steps.pop(step, None)
        self._let_go(step, lock)

    def _let_go(self, step: str, lock: FileLock | None) -> None:
        if self.is_shared and isinstance(self._lease, StoreLease):
            self.folder.let_go(step)
        if lock:
            lock.release()

    def share(self, step: str, written: Collection[str] | None) -> None:
        """Lets processes on other machines see what a step has made: in some tables, or in all."""
        if self.lake.state.source:
            self.lake.state.source.share(self.folder.run_id, step, written)
        for listener in self.on_step:
            listener()

    def end(
        self, status: Status, scope: AbstractSet[str], error: BaseException | None = None
    ) -> bool:
        """Ends this process's part; ends the run if nothing of it is left to do.

        A shared run ends with the last of its living processes when all of its steps are done,
        whoever did them: one that lives may be about to do a step again.

        Args:
            status: How this process ended.
            scope: The steps of a whole run.
            error: Why it failed.

        Returns:
            Whether the run has ended.
        """
        if self._lease is None:
            return False
        for step, lock in self._steps.items():
            self._let_go(step, lock)
        self._steps.clear()
        hold = status != "interrupted"
        lives_on = False
        if self.is_shared and status != "closed":
            for listener in self.on_step:
                listener()
            with self._closing():
                lives_on, ended = self._ends(scope, hold=hold)
                if ended:
                    ended = hold = self._close("succeeded")
        else:
            ended = self.close(status, error)
            hold = hold and ended
        for listener in self.on_leave:
            listener()
        if not lives_on:
            self._lease.release(ended=ended, hold=hold)
        self._lease = None
        self._only_read()
        return ended

    def _ends(self, scope: AbstractSet[str], *, hold: bool) -> tuple[bool, bool]:
        """Whether the run lives on in another process, and whether this one is to end it."""
        if self._lease is None:
            raise RuntimeError("no run has begun")
        while True:
            lives_on = self._lease.leave(hold=hold)
            if lives_on or not scope <= self.folder.steps().keys():
                return lives_on, False
            if self._lease.close():
                return False, True

    def close(self, status: Status, error: BaseException | None = None) -> bool:
        """Leaves what a run leaves when it ends; of several callers one does it.

        Returns:
            Whether it has ended: one whose record could not be written is ended by the next run.
        """
        with self._closing():
            return self._close(status, error)

    def _close(self, status: Status, error: BaseException | None = None) -> bool:
        if self.folder.ended() is None:
            self.lake.recover(only=self.folder.run_id)
            with told_later(self.folder.run_id):
                for listener in self.on_end:
                    listener(self.folder, status, error)
                self.folder.end({"status": status})
        self._clear_locks(self.folder.run_id)
        return self.folder.ended() is not None

    def _clear_locks(self, run_id: str) -> None:
        for path in self.locks.glob(f"{run_id}~~*"):
            path.unlink(missing_ok=True)

    def _closing(self) -> FileLock:
        """Held by whoever ends the run, or asks whether it has ended."""
        self.locks.mkdir(parents=True, exist_ok=True)
        return FileLock(self._lock_of(_CLOSING))

    def _lock_of(self, step: str) -> Path:
        return self.locks / f"{self.folder.run_id}~~{step}.step"


def _lease(lake: Lake, locks: Path, run_id: str, minutes: float = 0) -> Lease | StoreLease:
    """The lease on a lake, where the lake is."""
    if lake.state.source:
        return StoreLease(lake.state.source.storage, locks, run_id, minutes)
    return Lease(lake.storage, locks, run_id, minutes=minutes)


@contextmanager
def told_later(run_id: str) -> Iterator[None]:
    """Leaves the end of a run to the next one if it cannot be written down, as on a full disk.

    Args:
        run_id: The run.
    """
    try:
        yield
    except (UnrecordedError, StorageError, OSError) as error:
        why = error.message if isinstance(error, MedallionError) else error.strerror
        logger.warning("The end of run %s is recorded by the next run: %s", run_id, why)


@contextmanager
def alone(lake: Lake, locks: Path, name: str, layout: Layout | None = None) -> Iterator[str]:
    """Keeps runs away for as long as a command looks at the lake, or changes it.

    What a dead run has left is put in place first, and noted for the run that will record it.

    Args:
        lake: The lake.
        locks: A folder on this machine for the locks of living processes.
        name: What the lease says to others.
        layout: Where runs are, if what is put in place is to be noted.

    Raises:
        LockedError: A run holds the lake.

    Yields:
        What the lease says.
    """
    own = f"{name}-{os.getpid()}"
    lease = _lease(lake, locks, own)
    lease.acquire()
    try:
        with events.listening(partial(_note, layout)):
            completed = lake.recover()
        if completed:
            logger.warning(CUT_SHORT, len(completed))
        yield own
    finally:
        lease.release(ended=True)


def at_work(lake: Lake, locks: Path, run_id: str) -> bool:
    """Whether a process of a run lives, on this machine or on one that shares the lake.

    Args:
        lake: The lake.
        locks: A folder on this machine for the locks of living processes.
        run_id: The run.
    """
    if is_alive(locks, run_id):
        return True
    if not lake.state.source:
        return False
    held, _ = read_note(lake.state.source.storage)
    return bool(held and held.run_id == run_id and working(held, datetime.now(UTC)))


def _note(layout: Layout | None, event: events.Event) -> None:
    """Adds what a recovery has put in place to the journal of the run that made it."""
    if layout is None or not isinstance(event, events.TableWritten):
        return
    if RunFolder(open_storage(layout.run_documents), event.run_id).has_begun():
        Journal.of(layout, event.run_id).write(event)


def holder(lake: Lake, locks: Path) -> str:
    """The run that holds a lake; empty if none does.

    Args:
        lake: The lake.
        locks: A folder on this machine for the locks of living processes.
    """
    if lake.state.source:
        held, _ = read_note(lake.state.source.storage)
        return held.run_id if held and living(held, datetime.now(UTC)) else ""
    note = read_lease(lake.storage)
    if note is None:
        return living_run(locks)
    is_held = datetime.now(UTC) < datetime.fromisoformat(note.until)
    return note.run_id if is_held or is_alive(locks, note.run_id) else ""
