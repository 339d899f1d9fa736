"""Gold in BigQuery: dbt builds marts beside those that stand; then one transaction takes them over.

settle ── a take-over whose end nobody has seen: its job is looked at, and awaited
build  ── tables are made or described; a dry run; dbt; rows are counted
accept ── what is about to be done is noted; the transaction, which notes it as done; rows are
          counted again
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from medallion.dbt_project.results import BuildResult, Counts
from medallion.errors import WarehouseError
from medallion.lake.manifest import fingerprint
from medallion.terminal import counted
from medallion.warehouse.bigquery import taking
from medallion.warehouse.bigquery.budget import estimate, expect_affordable, shown_bytes
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.dbt import Dbt
from medallion.warehouse.bigquery.jobs import Jobs, Statement
from medallion.warehouse.bigquery.marts import mart_shapes
from medallion.warehouse.bigquery.notes import ALL, MARTS, SHAPE, Note, Notes, Standing, confirm
from medallion.warehouse.bigquery.notes import made_from as together
from medallion.warehouse.bigquery.planning import CHANGES_OF_A_DAY
from medallion.warehouse.bigquery.settings import GOLD
from medallion.warehouse.bigquery.tables import Tables
from medallion.warehouse.bigquery.taking import Taken
from medallion.warehouse.marts import WHOLE, MartsPlan, MartsState
from medallion.warehouse.protocol import MartsBuild

if TYPE_CHECKING:
    from medallion.dbt_project import EngineSettings
    from medallion.lake.inventory import LakeInventory

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Draft:
    """Marts that dbt has built, and what is to be noted of them.

    Attributes:
        marts: What is taken over of each mart.
        made: When the table of each was made, by mart.
        gone: Days that a mart which is built whole had, by mart.
        run_id: The run whose published state they are made from.
    """

    marts: Mapping[str, Taken]
    made: Mapping[str, int]
    gone: Mapping[str, frozenset[str]] = field(default_factory=dict)
    run_id: str = ""


@dataclass(frozen=True)
class Gold:
    """The marts in BigQuery.

    Attributes:
        calls: How BigQuery is reached.
    """

    calls: BigQuery

    def made_from(self) -> str:
        """The stamp of the marts; empty while one of them is not what was built."""
        standing = self._settled()
        if standing.together is None:
            return ""
        made = self._made(standing)
        stands = all(
            note.event == "built" and note.made_in == made.get(name)
            for name, note in standing.current.items()
        )
        return standing.together.made_from if stands else ""

    def state(self) -> MartsState:
        """What each mart was made from; nothing where none was built."""
        standing = self._settled()
        return self._notes.state(standing, self._made(standing))

    def build(
        self, lake: LakeInventory, plan: MartsPlan, limits: EngineSettings, run_id: str
    ) -> MartsBuild:
        """Lets dbt build marts, and days of them, where nobody reads them yet.

        Args:
            lake: What is loaded.
            plan: Which marts, and which of their days.
            limits: Where dbt keeps its own files.
            run_id: The run whose published state it is.

        Raises:
            CallError: BigQuery does not do it.
            DbtError: A model failed.
            WarehouseError: It would read more than it may, or a table cannot be changed.
        """
        dbt = Dbt(self.calls, lake.spec, limits)
        shapes = mart_shapes(dbt.declared())
        made = self._tables.prepare_marts([SHAPE, *shapes.values()])
        taken = {
            name: Taken(name, shapes[name], planned.days) for name, planned in plan.marts.items()
        }
        planned = {name: one.as_var() for name, one in plan.marts.items()}
        self._expect_affordable(dbt, planned, plan, taken)
        seconds = dbt.build(planned) if planned else {}
        draft = Draft(
            taken,
            {name: made[shape.name] for name, shape in shapes.items()},
            self._gone(plan) if plan.is_whole else {},
            run_id,
        )
        return MartsBuild(plan.stamp, self._counted(taken, seconds), draft, plan.state)

    def accept(self, build: MartsBuild) -> None:
        """Puts built marts in place, all of them in one transaction.

        Raises:
            CallError: BigQuery does not do it; nothing has changed then, unless nobody knows.
            WarehouseError: The marts have other rows than were built.
        """
        draft = build.draft
        if not isinstance(draft, Draft):
            return
        number = self._settled().number + 1
        stem = self._stem(build, draft, number)
        self._notes.add([*self._noted(build, draft, number, stem)])
        settings = self.calls.settings
        done = confirm(self._notes.table, number)
        sql = taking.take_over(settings, draft.marts.values(), done)
        self._jobs.do(Statement(stem, "Taking Gold over", sql), 1)
        self._expect_rows(build, draft)
        logger.info(
            "Gold in BigQuery is that of run %s: %s taken over in one transaction.",
            draft.run_id,
            counted(len(draft.marts), "mart"),
        )

    def again(self, mart: str, days: tuple[date, ...]) -> None:
        """Notes that nobody knows what a mart is made from, so that the next run builds it.

        Args:
            mart: The mart.
            days: Its days; none for all of it.

        Raises:
            WarehouseError: It was never built, or not for such a day.
        """
        standing = self._settled()
        note = standing.current.get(mart)
        if note is None:
            raise WarehouseError(
                f"BigQuery holds no mart {mart} that a run has built.",
                hint=f"there are {', '.join(sorted(standing.current)) or 'none yet'}.",
            )
        known = self.state().made_from.get(mart, {})
        by_day = sorted(date.fromisoformat(day) for day in known if day != WHOLE)
        absent = [day for day in days if day not in by_day]
        if absent:
            raise WarehouseError(
                f"{mart} has no day {absent[0]}.",
                hint=f"it has {by_day[0]} to {by_day[-1]}."
                if by_day
                else "it is built whole: name no day.",
            )
        number = standing.number + 1
        rows = [Note(**{**vars(note), "number": number, "event": "unknown"})]
        rows += [
            Note(number=number, event="unknown", mart=mart, day=day, made_in=note.made_in)
            for day in days or by_day
        ]
        self._notes.add(rows)

    def standing(self) -> tuple[Standing, Mapping[str, int]]:
        """What is noted of the marts as wholes, and when their tables were made."""
        standing = self._settled()
        return standing, self._made(standing)

    def _settled(self) -> Standing:
        """What is noted, once no take-over of another run is at work."""
        if not self._tables.made([MARTS]):
            return Standing()
        standing = self._notes.standing()
        open_ = standing.open
        if open_ is None:
            return standing
        fate = self._jobs.fate(open_.job_id, 1, "")
        if fate.job:
            logger.warning("A run was cut short while it took Gold over; BigQuery has done it.")
            return self._notes.standing()
        return standing

    def _made(self, standing: Standing) -> dict[str, int]:
        found = self._tables.made(f"{GOLD}.{name}" for name in standing.current)
        return {name.partition(".")[2]: made for name, made in found.items()}

    def _gone(self, plan: MartsPlan) -> dict[str, frozenset[str]]:
        """The days that marts had before all are built anew."""
        before = self.state().made_from
        now = plan.state.made_from
        return {
            name: frozenset(days) - {WHOLE} - now.get(name, {}).keys()
            for name, days in before.items()
        }

    def _expect_affordable(
        self,
        dbt: Dbt,
        planned: Mapping[str, Mapping[str, object]],
        plan: MartsPlan,
        taken: Mapping[str, Taken],
    ) -> None:
        estimated = estimate(
            self.calls, dbt.compiled(planned) if planned else {}, holds_rows=bool(plan.reads)
        )
        most = max((one.changes for one in taken.values() if one.shape.partitioned_by), default=0)
        logger.info(
            "Gold in BigQuery, %s; %s are allowed. At most %s of a table's partitions (BigQuery"
            " takes %s a day).",
            estimated,
            shown_bytes(self.calls.settings.gold_bytes),
            counted(most, "change"),
            f"{CHANGES_OF_A_DAY:,}",
        )
        expect_affordable(estimated, self.calls.settings.gold_bytes)

    def _counted(self, taken: Mapping[str, Taken], seconds: Mapping[str, float]) -> BuildResult:
        """The rows that each mart will have."""
        result = BuildResult()
        if taken:
            sql = taking.count_marts(self.calls.settings, taken.values())
            for row in sorted(self.calls.query(sql), key=lambda one: str(one["mart"])):
                rows = int(row["built"]) + int(row["kept"])
                name = str(row["mart"])
                result.counts[name] = Counts(accepted=rows, seconds=seconds.get(name, 0.0))
        return result

    def _expect_rows(self, build: MartsBuild, draft: Draft) -> None:
        """Counts what stands as queries see it."""
        if not draft.marts:
            return
        sql = taking.count_taken(self.calls.settings, draft.marts.values())
        found = {str(row["mart"]): int(row["standing"]) for row in self.calls.query(sql)}
        wrong = [
            f"{name}: {found.get(name, 0):,} rows, not {counts.accepted:,}"
            for name, counts in build.result.counts.items()
            if found.get(name, 0) != counts.accepted
        ]
        if wrong:
            raise WarehouseError(
                "Marts in BigQuery have other rows than were built:",
                details=wrong,
                hint="look whether a table of them has an expiration, or a row access policy that"
                " hides rows from this account; then build them again: `kedro warehouse rebuild`.",
            )

    def _noted(self, build: MartsBuild, draft: Draft, number: int, stem: str) -> Iterator[Note]:
        """What is about to be done, a row for each mart and each day of it."""
        state = build.state

        def note(mart: str, **more: object) -> Note:
            said = {"code": state.code, "run_id": draft.run_id, "job_id": stem, **more}
            return Note(number=number, event="planned", mart=mart, **said)  # type: ignore[arg-type]

        for name, taken in draft.marts.items():
            now = state.made_from[name]
            made_in, rows = draft.made[name], build.result.counts[name].accepted
            yield note(name, made_from=together(now), made_in=made_in, row_count=rows)
            if not taken.shape.partitioned_by:
                continue
            for day in taken.days or sorted({*now, *draft.gone.get(name, ())}):
                one = date.fromisoformat(day)
                yield note(name, day=one, made_from=now.get(day, ""), made_in=made_in)
        yield note(ALL, made_from=build.stamp)

    def _stem(self, build: MartsBuild, draft: Draft, number: int) -> str:
        """The id of the job without the attempt; another table of marts has other ids."""
        born = self._tables.made([MARTS])[MARTS]
        what = [born, number, build.stamp, {n: list(t.days or ()) for n, t in draft.marts.items()}]
        return f"medallion-gold-{number}-{fingerprint(what)[:16]}"

    @property
    def _notes(self) -> Notes:
        return Notes(self.calls, self._jobs)

    @property
    def _jobs(self) -> Jobs:
        return Jobs(self.calls, self.calls.settings.job_seconds, self.calls.sleep)

    @property
    def _tables(self) -> Tables:
        return Tables(self.calls)
