"""What is published beside what is known of BigQuery: whoever plans, or tells, begins here."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from medallion.errors import MedallionError
from medallion.storage.parallel import in_parallel
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.jobs import Jobs
from medallion.warehouse.bigquery.ledger import LOADS, Entry, Known, Ledger, Newest
from medallion.warehouse.bigquery.planning import TablePlan, plan_table
from medallion.warehouse.bigquery.shapes import Shape
from medallion.warehouse.bigquery.wanted import PublishedState, Wanted

logger = logging.getLogger(__name__)

# BigQuery forgets jobs after six months; one that is not found later may have been done.
_FORGOTTEN_AFTER = timedelta(days=150)
#: Why nobody knows what stands in a partition although a job has loaded it.
OTHER_ROWS = "other rows than the manifest's"


@dataclass(frozen=True)
class Survey:
    """What is published, and what is known of BigQuery.

    Attributes:
        state: What is published.
        made: When each table was made; one that is absent is not there.
        newest: The newest rows of the table of loads.
        wanted: What is published of the tables that may differ.
        known: What is known of their partitions.
        unreadable: Tables of which nobody can read what is published, and why.
        settled: What became of jobs whose end nobody had seen; it is not noted yet.
    """

    state: PublishedState
    made: Mapping[str, int]
    newest: Newest
    wanted: Mapping[str, Mapping[date, Wanted]]
    known: Mapping[str, Mapping[date, Known]]
    unreadable: Mapping[str, MedallionError] = field(default_factory=dict)
    settled: tuple[Entry, ...] = ()


@dataclass(frozen=True)
class Surveyor:
    """Compares what is published with what is known of BigQuery.

    Attributes:
        calls: How BigQuery is reached.
        shapes: The tables.
    """

    calls: BigQuery
    shapes: Mapping[str, Shape]

    @property
    def jobs(self) -> Jobs:
        """How jobs are done."""
        return Jobs(self.calls, self.calls.settings.job_seconds, self.calls.sleep)

    @property
    def ledger(self) -> Ledger:
        """The table of loads."""
        return Ledger(self.calls.settings.table(LOADS), self.calls, self.jobs)

    def survey(self, state: PublishedState, made: Mapping[str, int]) -> Survey:
        """What is published, and what is known of BigQuery; nothing is changed.

        A table whose newest row says that it stands as it is published is left out.

        Args:
            state: What is published.
            made: When each table was made, the table of loads among them.
        """
        newest = self.ledger.newest() if LOADS in made else Newest(0, {})
        wanted, unreadable = self._wanted(state, self._open(state, made, newest))
        asked = {name: made[name] for name in wanted if name in made and LOADS in made}
        return Survey(state, made, newest, wanted, self.ledger.known(asked), unreadable)

    def settle(self, survey: Survey) -> Survey:
        """The same, when BigQuery was asked about the jobs whose end nobody has seen."""
        open_ = [one.open for days in survey.known.values() for one in days.values() if one.open]
        if not open_:
            return survey
        of_job: dict[str, list[Entry]] = defaultdict(list)
        for one in open_:
            of_job[one.job_id].append(one)
        came = in_parallel(self._came_of, of_job.values())
        number = survey.newest.number + 1
        settled = [replace(one, number=number) for entries in came for one in entries]
        logger.warning(
            "A run was cut short while it loaded: what became of %d partitions was asked of"
            " BigQuery.",
            len(settled),
        )
        return replace(
            survey,
            known=_with(survey.known, settled),
            newest=replace(survey.newest, number=number),
            settled=tuple(settled),
        )

    def plans(self, survey: Survey) -> list[TablePlan]:
        """What is to be done, table by table."""
        birth = survey.made.get(LOADS, 0)
        table = self.calls.settings.table
        return [
            plan_table(self.shapes[name], table(name), wanted, survey.known.get(name, {}), birth)
            for name, wanted in survey.wanted.items()
        ]

    def _open(
        self, state: PublishedState, made: Mapping[str, int], newest: Newest
    ) -> Iterator[str]:
        """The tables of which it is not known that they stand as they are published."""
        for name, shape in self.shapes.items():
            row = newest.rows.get(name)
            stands = row is not None and row.event == "stands" and row.made_in == made.get(name)
            if not (row and stands and row.content == state.stamp(shape)):
                yield name

    def _wanted(
        self, state: PublishedState, names: Iterable[str]
    ) -> tuple[dict[str, Mapping[date, Wanted]], dict[str, MedallionError]]:
        """What is published of some tables; one that cannot be read is left as it is."""
        unreadable: dict[str, MedallionError] = {}

        def read(name: str) -> tuple[str, Mapping[date, Wanted] | None]:
            try:
                return name, state.partitions(self.shapes[name])
            except MedallionError as error:
                unreadable[name] = error
                return name, None

        found = in_parallel(read, names)
        return {name: wanted for name, wanted in found if wanted is not None}, unreadable

    def _came_of(self, planned: Sequence[Entry]) -> list[Entry]:
        """The rows that say what came of the partitions of a job."""
        first, rows = planned[0], sum(one.row_count for one in planned)
        if not first.job_id:
            return _unknown(planned, "nobody has seen whether it was emptied")
        stem = first.job_id.rpartition("-")[0]
        fate = self.jobs.fate(stem, first.attempt, first.destination)
        job, attempt = fate.job, fate.attempt
        if job is None and attempt < first.attempt and _is_forgotten(first):
            return _unknown(planned, "BigQuery no longer knows the job")
        if job is None:
            why = fate.error.reason if fate.error else "it never arrived"
            return [replace(one, event="failed", attempt=attempt, reason=why) for one in planned]
        told = [
            replace(
                one,
                event="loaded",
                job_id=job.job_id,
                attempt=attempt,
                location=job.location,
                ended=job.ended,
            )
            for one in planned
        ]
        return told if job.rows == rows else _unknown(told, OTHER_ROWS)


def _unknown(entries: Iterable[Entry], why: str) -> list[Entry]:
    return [replace(one, event="unknown", reason=why) for one in entries]


def _is_forgotten(entry: Entry) -> bool:
    """Whether BigQuery may no longer know a job that it has done."""
    return entry.noted is not None and datetime.now(UTC) - entry.noted > _FORGOTTEN_AFTER


def _with(
    known: Mapping[str, Mapping[date, Known]], entries: Iterable[Entry]
) -> dict[str, dict[date, Known]]:
    found = {name: dict(days) for name, days in known.items()}
    for entry in entries:
        if entry.day:
            days = found[entry.table_name]
            days[entry.day] = days[entry.day].after(entry).settled()
    return found
