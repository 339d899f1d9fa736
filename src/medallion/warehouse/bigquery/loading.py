"""Lets BigQuery hold what is published: survey, plan, note, load, count, note.

What is about to be done is noted before the first job, and what came of it behind the last. So at
any instant the table of loads tells what stands, or which job to ask about it, and a run that
goes on where another was killed loads nothing twice and leaves nothing out.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

from medallion.terminal import counted
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.failures import CallError, for_people
from medallion.warehouse.bigquery.ledger import LOADS, Entry
from medallion.warehouse.bigquery.planning import CHANGES_OF_A_DAY, TablePlan
from medallion.warehouse.bigquery.shapes import Shape
from medallion.warehouse.bigquery.surveying import Survey, Surveyor
from medallion.warehouse.bigquery.tables import Tables
from medallion.warehouse.bigquery.wanted import PublishedState
from medallion.warehouse.bigquery.working import Execution

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loader:
    """Loads what is published into BigQuery.

    Attributes:
        calls: How BigQuery is reached.
        shapes: The tables.
    """

    calls: BigQuery
    shapes: Mapping[str, Shape]

    def load(
        self, state: PublishedState, again: Iterable[tuple[str, date]] = ()
    ) -> tuple[str, ...]:
        """Lets BigQuery hold a state, and returns the names of what it shows.

        Args:
            state: What is published.
            again: Partitions that are loaded although they are known to stand, by table and day.

        Raises:
            WarehouseError: Something is not loaded; what is, stays, and the next run goes on.
        """
        with told(f"Run {state.run_id} is not loaded into BigQuery"):
            made = self._tables.prepare(self.shapes.values())
            self._doubt(state, made, list(again))
            survey = self._surveyor.settle(self._surveyor.survey(state, made))
            plans = self._surveyor.plans(survey)
            _tell(plans, survey)
            work = self._work(survey, plans)
        work.expect_all_done()
        views = (shape.newest for shape in self.shapes.values() if shape.newest)
        return tuple(sorted({*self.shapes, *views}))

    def _doubt(
        self, state: PublishedState, made: Mapping[str, int], again: list[tuple[str, date]]
    ) -> None:
        """Notes that nobody knows what stands in some partitions."""
        ledger = self._surveyor.ledger
        number = ledger.newest().number + 1 if again else 0
        ledger.add(
            [
                Entry(
                    number=number,
                    event="unknown",
                    table_name=table,
                    day=day,
                    run_id=state.run_id,
                    made_in=made[table],
                    reason="somebody has asked to load it again",
                )
                for table, day in again
            ]
        )

    def newest_run(self) -> str:
        """The run whose state was loaded last; empty if none was."""
        if not self._tables.made([LOADS]):
            return ""
        rows = self._surveyor.ledger.newest().rows.values()
        newest = max(rows, key=lambda one: one.number, default=None)
        return newest.run_id if newest else ""

    def _work(self, survey: Survey, plans: list[TablePlan]) -> Execution:
        ledger, number = self._surveyor.ledger, survey.newest.number
        work = Execution(self.calls, self._surveyor.jobs, survey, plans)
        ledger.add([*survey.settled, *_numbered(work.planned, number + 1)])
        work.do()
        work.then("its description is not as it should be", self._describe)
        work.then("the view of its newest day is not right", lambda one: self._show(one, survey))
        ledger.add(_numbered(work.outcomes, number + 2))
        if said := _done_line(work):
            logger.info(said)
        return work

    def _describe(self, plan: TablePlan) -> None:
        """Says again what tables and columns mean, where a load has dropped it."""
        self._tables.prepare_table(plan.shape)

    def _show(self, plan: TablePlan, survey: Survey) -> None:
        if plan.shape.newest:
            newest = max(survey.wanted[plan.shape.name], default=None)
            self._tables.show_newest(plan.shape, newest)

    @property
    def _surveyor(self) -> Surveyor:
        return Surveyor(self.calls, self.shapes)

    @property
    def _tables(self) -> Tables:
        return Tables(self.calls)


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turns what BigQuery refuses into an error for people.

    Args:
        what: What is not done then.

    Raises:
        WarehouseError: BigQuery has refused something.
    """
    try:
        yield
    except CallError as error:
        raise for_people(what, error) from error


def _tell(plans: Iterable[TablePlan], survey: Survey) -> None:
    """Says what will be done; of each table only in the log file."""
    changing = [plan for plan in plans if plan.why]
    run_id = survey.state.run_id
    if changing:
        logger.info(_plan_line(changing, run_id))
    elif not survey.unreadable:
        logger.info("Nothing to load: BigQuery holds what run %s has published.", run_id)
    for plan in changing:
        logger.debug("%s", plan)


def _plan_line(changing: Sequence[TablePlan], run_id: str) -> str:
    """What will be done: partitions, jobs, and what they take of the quota."""
    loads = [load for plan in changing for load in plan.all_loads]
    most = max(changing, key=lambda plan: len(plan.why))
    return (
        f"To load into BigQuery, of run {run_id}:"
        f" {counted(sum(len(one.partitions) for one in loads), 'partition')}"
        f" ({counted(sum(one.rows for one in loads), 'row')}) by {counted(len(loads), 'job')}; to"
        f" empty: {sum(len(plan.emptied) for plan in changing):,}. Tables that change:"
        f" {len(changing):,}. BigQuery takes {CHANGES_OF_A_DAY:,} changes of a table's partitions"
        f" a day: {most.shape.name} has most, {len(most.why):,}."
    )


def _done_line(work: Execution) -> str:
    """What was done, for people; empty if nothing was."""
    outcomes = Counter(one.event for one in work.outcomes if one.day)
    rows = sum(one.row_count for one in work.outcomes if one.event == "loaded")
    if not (outcomes["loaded"] or outcomes["emptied"]):
        return ""
    return (
        f"Loaded into BigQuery: {counted(outcomes['loaded'], 'partition')}"
        f" ({counted(rows, 'row')}) in {work.seconds:.1f} s; emptied: {outcomes['emptied']:,}."
    )


def _numbered(entries: Iterable[Entry], number: int) -> list[Entry]:
    return [replace(one, number=number) for one in entries]
