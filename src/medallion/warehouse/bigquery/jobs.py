"""Load jobs that are done once, whatever is lost on the way.

A job has an id that follows from what it does, and a number: the id of a job that failed is used
up for ever, so the next attempt has the next number. An answer that is lost, or that says that
there is such a job, is no reason to load again: the job is looked at.

    submitted ─ answered ───────────────────────────> wait
              ─ 409, a job of this id is there ─────> look at it
              ─ timeout, 5xx: it may have arrived ──> look at it; 404: submit it again
    looked at ─ 404 after a 409 ────────────────────> look again
              ─ not a load of these files there ────> next attempt
              ─ failed ─────────────────────────────> next attempt
              ─ runs ───────────────────────────────> wait
    done      ─ without an error ───────────────────> its rows must be those of the manifest
              ─ failed for a reason that passes ────> next attempt, after a pause
              ─ failed for another ─────────────────> stop
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from medallion.errors import WarehouseError
from medallion.storage.patience import trying
from medallion.warehouse.bigquery.failures import CallError, Kind, passes

logger = logging.getLogger(__name__)

_DONE = "DONE"
# Seconds between two looks at a job that runs: at first, growing by, at most.
_FIRST_LOOK, _GROWTH, _LAST_LOOK = 0.25, 1.5, 5.0


@dataclass(frozen=True)
class Job:
    """A job as BigQuery tells of it.

    Attributes:
        job_id: Its id.
        location: Where it ran; it is found only there.
        state: `PENDING`, `RUNNING` or `DONE`.
        error: Why it failed; None if it did not, whatever errors it tells of beside that.
        destination: The table, or the partition, that it writes; empty for other jobs than loads.
        uris: The files that it loads.
        rows: Rows that it has written.
        ended: When it was done.
    """

    job_id: str
    location: str
    state: str
    error: CallError | None = None
    destination: str = ""
    uris: tuple[str, ...] = ()
    rows: int | None = None
    ended: datetime | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.state == _DONE


class Work(Protocol):
    """What a job does."""

    @property
    def stem(self) -> str:
        """The id of the job, without the number of the attempt."""

    @property
    def what(self) -> str:
        """What it is, for people."""

    @property
    def destination(self) -> str:
        """The table, or the partition, that it writes."""

    @property
    def uris(self) -> tuple[str, ...]:
        """The files that it loads; none if the rows come with the job."""


@dataclass(frozen=True)
class Statement:
    """Statements that are run as one job, and must be safe to run again.

    Attributes:
        stem: See `Work.stem`.
        what: See `Work.what`.
        sql: The statements.
    """

    stem: str
    what: str
    sql: str

    @property
    def destination(self) -> str:
        """See `Work.destination`; a script names none."""
        return ""

    @property
    def uris(self) -> tuple[str, ...]:
        """See `Work.uris`."""
        return ()


class Calls(Protocol):
    """The calls that this needs; what they raise is a `CallError`."""

    def begin(self, work: Work, job_id: str) -> Job:
        """Submits a job."""

    def look(self, job_id: str) -> Job | None:
        """Looks at a job; None if there is none of this id."""


@dataclass(frozen=True)
class Done:
    """A job that was done.

    Attributes:
        job: The job.
        attempt: Its number.
    """

    job: Job
    attempt: int


@dataclass(frozen=True)
class Fate:
    """What became of work whose end nobody has seen.

    Attributes:
        attempt: The number of the last job that there was; one below the first if none arrived.
        job: The job that succeeded; None if nothing was changed.
        error: Why the last one failed, if it did.
    """

    attempt: int
    job: Job | None
    error: CallError | None = None


@dataclass(frozen=True)
class Jobs:
    """Does jobs once.

    Attributes:
        calls: How BigQuery is called.
        seconds: How long a job is waited for.
        sleep: How to wait, in seconds.
    """

    calls: Calls
    seconds: float
    sleep: Callable[[float], None] = time.sleep

    def do(self, work: Work, attempt: int) -> Done:
        """Does a job, unless it was done already.

        Args:
            work: What it does.
            attempt: The number of the first attempt; jobs of lower numbers are known.

        Raises:
            CallError: BigQuery does not do it; `attempt` in it is the last one's number.
            WarehouseError: It takes too long, or BigQuery contradicts itself.
        """
        number = attempt
        for trial in trying(work.what, passes, self.sleep):
            with trial:
                number, job = self._begun(work, number)
                job = self._awaited(job)
                if job.error is None:
                    return Done(job, number)
                error, error.attempt = job.error, number
                number += 1
                raise error
        raise AssertionError  # the last trial raises

    def fate(self, stem: str, attempt: int, destination: str) -> Fate:
        """What became of work that an earlier run has, or has not, submitted.

        A job that still runs is waited for.

        Args:
            stem: The id of the job, without the number.
            attempt: The number of the first attempt.
            destination: What it writes.
        """
        error = None
        while job := self._look(f"{stem}-{attempt}"):
            job = self._awaited(job)
            if job.error is None and job.destination == destination:
                return Fate(attempt, job)
            error = job.error
            attempt += 1
        return Fate(attempt - 1, None, error)

    def _begun(self, work: Work, attempt: int) -> tuple[int, Job]:
        """The first attempt that has not failed already, and its job."""
        while True:
            job, is_new = self._submitted(work, f"{work.stem}-{attempt}")
            if is_new or not _is_used_up(job, work):
                return attempt, job
            attempt += 1

    def _submitted(self, work: Work, job_id: str) -> tuple[Job, bool]:
        """The job of an id, and whether this call has begun it."""
        for trial in trying(work.what, passes, self.sleep):
            with trial:
                try:
                    return self.calls.begin(work, job_id), True
                except CallError as error:
                    if error.kind is Kind.TAKEN:
                        return self._found(job_id), False
                    # It may have arrived all the same.
                    if error.passes and (job := self._look(job_id)):
                        return job, False
                    raise
        raise AssertionError  # the last trial raises

    def _found(self, job_id: str) -> Job:
        """The job of an id that is taken; for a moment, BigQuery may say that there is none."""

        def seen() -> Job:
            if job := self._look(job_id):
                return job
            raise CallError(Kind.ABSENT, "notFound")

        try:
            return trying(job_id, _is_absent, self.sleep)(seen)
        except CallError as error:
            if error.kind is not Kind.ABSENT:
                raise
            raise WarehouseError(
                f"BigQuery says that there is a job {job_id}, and does not find it.",
                hint="look at the location in globals.yml: a job is found only in its own; then"
                " run again.",
            ) from error

    def _look(self, job_id: str) -> Job | None:
        look = trying(f"The look at {job_id}", passes, self.sleep)
        return look(self.calls.look, job_id)

    def _awaited(self, job: Job) -> Job:
        """The job, once it is done.

        Raises:
            WarehouseError: It takes too long.
        """
        from tenacity import (
            RetryError,
            Retrying,
            retry_if_result,
            stop_after_delay,
            wait_exponential,
        )

        if job.is_done:
            return job
        waiting = Retrying(
            retry=retry_if_result(lambda one: not one.is_done),
            wait=wait_exponential(multiplier=_FIRST_LOOK, exp_base=_GROWTH, max=_LAST_LOOK),
            stop=stop_after_delay(self.seconds),
            sleep=self.sleep,
        )
        try:
            return waiting(self._found, job.job_id)
        except RetryError as error:
            raise WarehouseError(
                f"The job {job.job_id} is not done after {self.seconds:,.0f} s.",
                hint="it goes on: the next run waits for it. More time: warehouse.job_seconds in"
                " globals.yml.",
            ) from error


def _is_used_up(job: Job, work: Work) -> bool:
    """Whether a job that was there before leaves its work undone for ever."""
    if (job.destination, sorted(job.uris)) != (work.destination, sorted(work.uris)):
        logger.warning(
            "The job %s is not the one that should have this id; the next number is taken.",
            job.job_id,
        )
        return True
    return job.is_done and job.error is not None


def _is_absent(error: BaseException) -> bool:
    return isinstance(error, CallError) and error.kind is Kind.ABSENT
