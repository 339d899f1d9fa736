"""The jobs of a plan, done several at a time; what came of each is kept until it is noted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from threading import Event as Flag
from threading import Lock
from typing import TypeVar

from medallion import events
from medallion.errors import MedallionError, WarehouseError
from medallion.storage.parallel import in_parallel
from medallion.warehouse.bigquery import statements
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.failures import CallError, for_people
from medallion.warehouse.bigquery.jobs import Done, Jobs
from medallion.warehouse.bigquery.ledger import Entry, Event
from medallion.warehouse.bigquery.pacing import Pace
from medallion.warehouse.bigquery.planning import Load, TablePlan
from medallion.warehouse.bigquery.shapes import Shape, kinds, side_by_side
from medallion.warehouse.bigquery.surveying import OTHER_ROWS, Survey
from medallion.warehouse.bigquery.tables import kinds_held

_T = TypeVar("_T")


@dataclass
class Execution:
    """What is to be done, and what came of it.

    Attributes:
        calls: How BigQuery is reached.
        jobs: How jobs are done.
        survey: What is known.
        plans: What is to be done.
        failed: Why a table does not stand as it is published, by its name.
        skipped: Tables of which something was not begun, because another one failed.
    """

    calls: BigQuery
    jobs: Jobs
    survey: Survey
    plans: Sequence[TablePlan]
    failed: dict[str, MedallionError] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    _outcomes: dict[tuple[str, date | None], Entry] = field(default_factory=dict)
    _stop: Flag = field(default_factory=Flag)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.failed |= self.survey.unreadable
        self._pace = Pace(self.calls.sleep)
        self._left = Counter(
            {plan.shape.name: len(plan.all_loads) for plan in self.plans if plan.all_loads}
        )
        self._began = time.perf_counter()

    @property
    def seconds(self) -> float:
        """How long it has taken until now."""
        return time.perf_counter() - self._began

    @property
    def planned(self) -> Iterator[Entry]:
        """A row for each partition that will be changed."""
        for plan in self.plans:
            for load in plan.all_loads:
                yield from self._of(load, "planned", load.attempt)
            for day in plan.emptied:
                yield self._entry(plan.shape, day, "planned")

    @property
    def outcomes(self) -> Iterator[Entry]:
        """A row for each partition that was changed or not, and for each table that stands."""
        yield from self._outcomes.values()
        for plan in self.plans:
            if self._stands(plan):
                stamp = self.survey.state.stamp(plan.shape)
                yield self._entry(plan.shape, None, "stands", content=stamp)

    def do(self) -> None:
        """Does it; after the first failure nothing more is begun, and what runs is awaited."""
        self._all(self._load, [plan.whole for plan in self.plans if plan.whole])
        self._all(self._load, [load for plan in self.plans for load in plan.loads])
        self._all(lambda one: self._empty(*one), [*self._to_empty()])
        loaded = [plan for plan in self.plans if plan.all_loads and self._stands(plan)]
        in_parallel(self._count, loaded)

    def then(self, what: str, call: Callable[[TablePlan], None]) -> None:
        """Does something more for each table that stands now; a failure is the table's.

        Args:
            what: What it does, for people.
            call: Does it.
        """

        def tried(plan: TablePlan) -> None:
            try:
                call(plan)
            except CallError as error:
                self._fail(plan.shape.name, for_people(f"{plan.shape.name}: {what}", error))
            except MedallionError as error:
                self._fail(plan.shape.name, error)

        in_parallel(tried, [plan for plan in self.plans if self._stands(plan)])

    def expect_all_done(self) -> None:
        """Makes sure that every table stands as it is published.

        Raises:
            WarehouseError: One does not; the first failure is told, the others are named.
        """
        if not self.failed:
            return
        first, *others = self.failed.values()
        more = [one.message for one in others]
        if self.skipped:
            more.append(f"Because of it, not all was begun of: {', '.join(sorted(self.skipped))}.")
        error = WarehouseError(first.message, details=[*first.details, *more], hint=first.hint)
        error.shown_details = len(error.details)
        raise error

    def _stands(self, plan: TablePlan) -> bool:
        return plan.shape.name not in {*self.failed, *self.skipped}

    def _to_empty(self) -> Iterator[tuple[Shape, date]]:
        """What is to be emptied by a call of its own; a job that replaces all rows has done it."""
        for plan in self.plans:
            for day in plan.emptied:
                if plan.whole is None:
                    yield plan.shape, day
                elif self._stands(plan):
                    self._keep([self._entry(plan.shape, day, "emptied")])

    def _all(self, do: Callable[[_T], None], work: Sequence[_T]) -> None:
        with ThreadPoolExecutor(self.calls.settings.workers) as pool:
            try:
                list(pool.map(do, work))
            except BaseException:
                self._stop.set()
                raise

    def _load(self, load: Load) -> None:
        if self._stop.is_set():
            # It is as if it had not been planned.
            self._keep(self._of(load, "failed", load.attempt - 1, reason="it was not begun"))
            self.skipped.add(load.shape.name)
            return
        events.announce(events.Progress(layer="warehouse", item=load.what, done=False))
        self._pace.wait(load.shape.name)
        try:
            done = self.jobs.do(load, load.attempt)
        except CallError as error:
            # Of a submission without an answer the next run asks what became of it.
            if error.attempt or not error.passes:
                number = error.attempt or load.attempt - 1
                self._keep(self._of(load, "failed", number, reason=error.reason))
            self._fail(load.shape.name, self._explained(load, error))
        except MedallionError as error:
            # The job may still run: the next run asks what became of it.
            self._fail(load.shape.name, error)
        else:
            self._took(load, done)

    def _explained(self, load: Load, error: CallError) -> WarehouseError:
        """Why a load failed; if it was for a schema, with the table's beside the files'."""
        told = for_people(f"{load.what} is not loaded", error)
        if "schema" not in error.message.lower():
            return told
        with suppress(CallError):
            table = self.calls.table(self.calls.settings.table(load.shape.name))
            held = kinds_held(table) if table else {}
            loaded = kinds((*load.schema, load.shape.day))
            told.details = side_by_side(held, loaded, ("table", "load"))
            told.shown_details = len(told.details)
        return told

    def _took(self, load: Load, done: Done) -> None:
        """Keeps that a job was done; if its rows are not the manifest's, nobody knows what is."""
        if done.job.rows == load.rows:
            self._keep(self._of(load, "loaded", done.attempt, done=done))
            self._tell(load)
            return
        self._keep(self._of(load, "unknown", done.attempt, done=done, reason=OTHER_ROWS))
        self._fail(
            load.shape.name,
            WarehouseError(
                f"{load.what}: BigQuery has loaded {done.job.rows or 0:,} rows, and the manifest"
                f" says {load.rows:,} (job {done.job.job_id}).",
                hint="run again, which loads it anew; if it stays so, look at the job in BigQuery"
                " and at the files with `kedro lake verify`.",
            ),
        )

    def _tell(self, load: Load) -> None:
        """Says that a table is loaded, when its last job is done."""
        name = load.shape.name
        with self._lock:
            self._left[name] -= 1
            if self._left[name]:
                return
        (plan,) = (plan for plan in self.plans if plan.shape.name == name)
        events.announce(
            events.Progress(
                layer="warehouse", item=name, done=True, rows=plan.rows, seconds=self.seconds
            )
        )

    def _empty(self, shape: Shape, day: date) -> None:
        if self._stop.is_set():
            self.skipped.add(shape.name)
            return
        try:
            self.calls.empty(f"{self.calls.settings.table(shape.name)}${day:%Y%m%d}")
        except CallError as error:
            self._fail(shape.name, for_people(f"{shape.name} of {day} is not emptied", error))
        else:
            self._keep([self._entry(shape, day, "emptied")])

    def _count(self, plan: TablePlan) -> None:
        """Counts what was loaded as queries see it: rows may have expired without an error."""
        name = plan.shape.name
        wanted = {one.day: one.rows for load in plan.all_loads for one in load.partitions}
        table = self.calls.settings.table(name)
        try:
            rows = self.calls.query(statements.count_rows(table, plan.shape, sorted(wanted)))
        except CallError as error:
            self._fail(name, for_people(f"{name}: the rows are not counted", error))
            return
        found = {row["counted_day"]: row["counted"] for row in rows}
        lacking = [day for day, count in sorted(wanted.items()) if found.get(day, 0) != count]
        if not lacking:
            return
        self._keep(
            replace(self._outcomes[name, day], event="unknown", reason=OTHER_ROWS)
            for day in lacking
        )
        day = lacking[0]
        self._fail(
            name,
            WarehouseError(
                f"{name} of {day}: a query finds {found.get(day, 0):,} rows, and"
                f" {wanted[day]:,} were loaded; so it is for {len(lacking):,} of its days.",
                hint="look whether the table or its dataset has an expiration, or a row access"
                " policy that hides rows from this account; then run again.",
            ),
        )

    def _fail(self, name: str, error: MedallionError) -> None:
        self._stop.set()
        with self._lock:
            self.failed.setdefault(name, error)

    def _keep(self, entries: Iterable[Entry]) -> None:
        with self._lock:
            self._outcomes |= {(one.table_name, one.day): one for one in entries}

    def _of(
        self, load: Load, event: Event, number: int, *, done: Done | None = None, reason: str = ""
    ) -> list[Entry]:
        """A row for each partition of a load."""
        job = done.job if done else None
        return [
            replace(
                self._entry(load.shape, one.day, event, content=one.content, rows=one.rows),
                job_id=f"{load.stem}-{number}",
                attempt=number,
                destination=load.destination,
                location=job.location if job else self.calls.settings.location,
                ended=job.ended if job else None,
                reason=reason,
            )
            for one in load.partitions
        ]

    def _entry(
        self, shape: Shape, day: date | None, event: Event, *, content: str = "", rows: int = 0
    ) -> Entry:
        return Entry(
            number=0,
            event=event,
            table_name=shape.name,
            day=day,
            run_id=self.survey.state.run_id,
            content=content,
            row_count=rows,
            made_in=self.survey.made[shape.name],
        )
