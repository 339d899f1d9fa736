"""The lease on a lake that is in an object store: processes of a run may be on many machines.

The lease names the run and its living processes, each with a time until which it counts; a process
moves its time on while it lives. It changes by compare-and-swap alone, so of two that want it one
gets it. Nothing here stops a process that was asleep while its time ran out: what it made is
refused when it is published, because the pointer is no longer the one that it began with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from filelock import FileLock
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from medallion.errors import AbsentError, ChangedError, ExistsError, LockedError, StorageError
from medallion.lake.names import as_run_id
from medallion.runs.lease import LEASE, end_life, show_life
from medallion.storage import Storage
from medallion.storage.process import is_dead, this_process

logger = logging.getLogger(__name__)

#: How long a process counts that nobody hears of any more, in minutes.
MINUTES = 10.0
# A process moves its time on so often in that time.
_RENEWALS = 4
# Between two steps no process lives; somebody will come.
_NOBODY = "nobody yet"
_TRIES = 50
# So long a process waits to be told by another that ends the run.
_CLOSING_SECONDS = 60.0


class StoreNote(BaseModel):
    """What the lease says.

    Attributes:
        run_id: The run that holds the lake.
        since: When it took the lake.
        processes: Until when each of its processes counts, by what it is called; none of a run
            that was interrupted.
        closing: The process that ends the run: others wait for it.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    since: AwareDatetime
    processes: Mapping[str, AwareDatetime]
    closing: str | None = None


class _ClosingError(LockedError):
    """Another process ends the run just now."""


@dataclass
class StoreLease:
    """The lease on a lake in an object store; see `runs.lease.Lease`.

    Attributes:
        storage: The lake's root.
        locks: A folder on this machine for the locks of living processes.
        run_id: The run that wants the lake.
        between: How long it holds between two processes of the run, in minutes; 0 for a run that
            is this process alone.
        now: The clock.
        process: This process, as the lease names it.
    """

    storage: Storage
    locks: Path
    run_id: str
    between: float = 0
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    process: str = field(default_factory=this_process)
    _stopped: Event = field(default_factory=Event)
    _life: FileLock | None = None

    def acquire(self) -> str | None:
        """Takes the lake, or joins the processes of the same run.

        Returns:
            The run that has died and left the lake to this one; None if there is none.

        Raises:
            LockedError: Another run holds the lake, or this one is ended by another process.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

        as_run_id(self.run_id)
        waiting = Retrying(
            retry=retry_if_exception_type(_ClosingError),
            wait=wait_fixed(1),
            stop=stop_after_delay(_CLOSING_SECONDS),
            reraise=True,
        )
        dead = waiting(self._take)
        self._life = self._life or show_life(self.locks, self.run_id)
        self._stopped.clear()
        Thread(target=self._go_on_renewing, daemon=True).start()
        return dead

    def _take(self) -> str | None:
        """See `acquire`."""
        dead: str | None = None

        def taken(note: StoreNote | None) -> StoreNote:
            nonlocal dead
            dead = None
            if note and note.run_id != self.run_id:
                if living(note, self.now()):
                    raise _locked(note, self.storage.root, self.now())
                dead, note = note.run_id, None
            if note and note.closing in living(note, self.now()):
                raise _closing(note)
            since = note.since if note else self.now()
            others = living(note, self.now()) if note else {}
            return self._note(since, {**others, self.process: self._until(MINUTES)})

        self._change(taken)
        return dead

    def renew(self) -> None:
        """Lets this process count for its whole time again, if the run holds the lake still."""

        def renewed(note: StoreNote | None) -> StoreNote | None:
            if note is None or note.run_id != self.run_id:
                return note
            until = {**note.processes, self.process: self._until(MINUTES)}
            return note.model_copy(update={"processes": until})

        self._change(renewed)

    def expect_held(self) -> None:
        """Makes sure that nobody took the lake since this process looked at what is published.

        Whoever takes it from now on changes the pointer's version first.

        Raises:
            LockedError: Somebody has.
        """
        note, _ = read_note(self.storage)
        if note is None or note.run_id != self.run_id:
            raise LockedError(
                f"Run {self.run_id} has lost the lake at {self.storage.root} before it began:"
                " nobody had heard of it for too long.",
                hint="run again.",
            )

    def leave(self, *, hold: bool = True) -> bool:
        """Lets this process go unless it is the run's last one; see `Lease.leave`."""
        lives_on = False

        def left(note: StoreNote | None) -> StoreNote | None:
            nonlocal lives_on
            others = self._others(note)
            lives_on = bool(others.keys() - {_NOBODY})
            if not note or not lives_on:
                return note
            return self._note(note.since, {**others, **self._waiting(hold=hold)})

        self._change(left)
        if lives_on:
            self._let_go()
        return lives_on

    def close(self) -> bool:
        """Keeps others from joining while this process ends the run; see `Lease.close`."""
        is_last = True

        def closed(note: StoreNote | None) -> StoreNote | None:
            nonlocal is_last
            is_last = not self._others(note).keys() - {_NOBODY}
            if note is None or note.run_id != self.run_id or not is_last:
                return note
            return note.model_copy(update={"closing": self.process})

        self._change(closed)
        return is_last

    def lives(self, process: str) -> bool:
        """Whether a process of the run counts."""
        note, _ = read_note(self.storage)
        return bool(note and note.run_id == self.run_id and process in living(note, self.now()))

    def release(self, *, ended: bool, hold: bool = True) -> None:
        """Lets this process go; safe to call again. See `Lease.release`.

        Of a run that was interrupted the lease still tells, so that the next run puts it in order.
        """
        if self._life is None:
            return

        def released(note: StoreNote | None) -> StoreNote | None:
            if note is None or note.run_id != self.run_id:
                return note
            left = {**self._others(note), **self._waiting(hold=hold)}
            return None if ended else self._note(note.since, left)

        self._change(released)
        self._let_go()

    def _others(self, note: StoreNote | None) -> dict[str, datetime]:
        if note is None or note.run_id != self.run_id:
            return {}
        return {p: t for p, t in living(note, self.now()).items() if p != self.process}

    def _waiting(self, *, hold: bool) -> dict[str, datetime]:
        return {_NOBODY: self._until(self.between)} if hold and self.between else {}

    def _note(self, since: datetime, processes: Mapping[str, datetime]) -> StoreNote:
        return StoreNote(run_id=self.run_id, since=since, processes=processes)

    def _until(self, minutes: float) -> datetime:
        return self.now() + timedelta(minutes=minutes)

    def _let_go(self) -> None:
        self._stopped.set()
        if self._life:
            end_life(self._life)
            self._life = None

    def _go_on_renewing(self) -> None:
        while not self._stopped.wait(MINUTES * 60 / _RENEWALS):
            try:
                self.renew()
            # The next time may work; until then the lease holds.
            except StorageError as error:
                logger.warning("The lease could not be renewed: %s", error.message)

    def _change(self, change: Callable[[StoreNote | None], StoreNote | None]) -> None:
        """Changes the lease by what it says at that moment."""
        for _ in range(_TRIES):
            note, version = read_note(self.storage)
            after = change(note)
            if after == note:
                return
            try:
                if after is None:
                    self.storage.delete(LEASE, version)
                    return
                data = after.model_dump_json(indent=2).encode()
                if version is None:
                    self.storage.create(LEASE, data)
                else:
                    self.storage.swap(LEASE, data, version)
            except (ChangedError, ExistsError):
                continue
            return
        raise LockedError(
            f"The lease at {self.storage.root}/{LEASE} changes all the time.",
            hint="look at who else works on this lake, and run again.",
        )


def read_note(storage: Storage) -> tuple[StoreNote | None, str | None]:
    """What the lease says, and its version; nothing if nobody holds the lake."""
    try:
        stored = storage.read(LEASE)
    except AbsentError:
        return None, None
    try:
        return StoreNote.model_validate_json(stored.data), stored.version
    except ValidationError as error:
        raise LockedError(
            f"{storage.root}/{LEASE} does not say who holds the lake.",
            hint="if no run is at work, remove it.",
        ) from error


def living(note: StoreNote, now: datetime) -> dict[str, datetime]:
    """The processes of a run that count, and until when.

    One of this machine that is no longer there does not count, whatever its time.
    """
    return {p: until for p, until in note.processes.items() if until > now and not is_dead(p)}


def working(note: StoreNote, now: datetime) -> set[str]:
    """The processes of a run that are at work."""
    return living(note, now).keys() - {_NOBODY}


def _closing(note: StoreNote) -> _ClosingError:
    return _ClosingError(
        f"Run {note.run_id} is being ended by {note.closing}: no process can join it any more.",
        hint="give another run id, or none.",
    )


def _locked(note: StoreNote, root: str, now: datetime) -> LockedError:
    processes = living(note, now)
    until = max(processes.values())
    return LockedError(
        f"Another run holds the lake at {root}: {note.run_id}, since {note.since:%Y-%m-%dT%H:%MZ},"
        f" {', '.join(sorted(processes))}.",
        hint=f"wait for it to end; a run that nothing will continue is ended by `kedro runs close"
        f" {note.run_id}`, or by itself after {until:%Y-%m-%dT%H:%MZ}.",
    )
