"""The table of marts: what the marts in BigQuery are made from, and which run has made them.

Before a take-over, rows say what it is about to do; inside its transaction the same rows are
added once more, as built. So the marts and what they are said to be made from change together,
and rows that are planned without being built tell the next run which job to ask about. Rows are
only ever added; their order is that of `number`. A row counts in the table it was written for: a
mart that was removed and made anew is empty, whatever stands here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime
from typing import Any, Literal

from medallion.lake.manifest import fingerprint
from medallion.sql import google_name, google_text
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.jobs import Jobs
from medallion.warehouse.bigquery.noting import Addition, table_columns
from medallion.warehouse.bigquery.settings import AUDIT
from medallion.warehouse.bigquery.shapes import TableShape
from medallion.warehouse.marts import WHOLE, MartsState

#: The table's name.
MARTS = f"{AUDIT}.marts"
#: Under which name all marts together are noted.
ALL = "*"
# How what a mart by day is made from begins: of each day it stands in a row of its own.
_BY_DAY = "by day: "
Event = Literal["planned", "built", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Note:
    """A row of the table of marts.

    Attributes:
        number: Its place in the order: rows of one take-over share it.
        event: `planned`; `built`; `unknown`: somebody wants it to be built again.
        mart: The mart, such as `fct_orders`; `*` for all of them together.
        day: The day of a mart that is built by day; None for the mart as a whole.
        made_from: A fingerprint of what it is made from; empty if there is nothing.
        code: A fingerprint of the models and macros.
        run_id: The run whose published state it is made from.
        row_count: Rows of the mart as a whole.
        job_id: The job that takes it over, without the number of the attempt.
        made_in: When the mart's table was made, in milliseconds.
        noted: When the row was written, for people.
    """

    number: int
    event: Event
    mart: str
    day: date | None = None
    made_from: str = ""
    code: str = ""
    run_id: str = ""
    row_count: int = 0
    job_id: str = ""
    made_in: int = 0
    noted: datetime | None = None


_MEANINGS = {
    "number": "The order of rows; rows of one take-over share it.",
    "event": "One of: planned, built, unknown.",
    "mart": "The mart; * for all of them together.",
    "day": "The day of a mart that is built by day; null for the mart as a whole.",
    "made_from": "A fingerprint of what it is made from; empty if there is nothing.",
    "code": "A fingerprint of the models and macros.",
    "run_id": "The run whose published state it is made from.",
    "row_count": "Rows of the mart as a whole; 0 in rows of its days.",
    "job_id": "The job that takes it over, without the number of the attempt.",
    "made_in": "When the mart's table was made, in milliseconds since 1970.",
    "noted": "When the row was written.",
}
_NAMES = tuple(one.name for one in fields(Note))
#: The table as it shall be.
SHAPE = TableShape(
    name=MARTS,
    description="What the marts of Gold are made from, and which run has made them.",
    columns=table_columns(Note, _MEANINGS),
    cluster_by=("mart", "day"),
)


@dataclass(frozen=True)
class Standing:
    """What is noted of the marts as wholes.

    Attributes:
        number: The highest number of a row; 0 if there is none.
        marts: The newest row of each mart, and of all together, that is not a plan.
        planned: The newest plan; None if there is none.
    """

    number: int = 0
    marts: Mapping[str, Note] = field(default_factory=dict)
    planned: Note | None = None

    @property
    def open(self) -> Note | None:
        """A take-over whose end nobody has seen."""
        built = self.marts.get(ALL)
        is_done = not self.planned or (built and built.number >= self.planned.number)
        return None if is_done else self.planned

    @property
    def together(self) -> Note | None:
        """The row of all marts that were built with the newest code."""
        return self.marts.get(ALL)

    @property
    def current(self) -> dict[str, Note]:
        """The marts that were built with the newest code."""
        code = self.together.code if self.together else ""
        return {
            name: note
            for name, note in self.marts.items()
            if name != ALL and (note.code == code or note.event == "unknown")
        }


@dataclass(frozen=True)
class Notes:
    """The table of marts.

    Attributes:
        calls: How BigQuery is reached.
        jobs: How rows are added.
    """

    calls: BigQuery
    jobs: Jobs

    @property
    def table(self) -> str:
        """Project, dataset and table."""
        return self.calls.settings.table(MARTS)

    def standing(self) -> Standing:
        """What is noted of the marts as wholes."""
        rows = [_note(row) for row in self.calls.query(newest_query(self.table))]
        plans = [row for row in rows if row.event == "planned" and row.mart == ALL]
        return Standing(
            max((row.number for row in rows), default=0),
            {row.mart: row for row in rows if row.event != "planned"},
            plans[0] if plans else None,
        )

    def state(self, standing: Standing, made: Mapping[str, int]) -> MartsState:
        """What each mart was made from.

        Args:
            standing: What is noted of the marts as wholes.
            made: When each mart's table was made.
        """
        if standing.together is None:
            return MartsState()
        current = {
            name: note for name, note in standing.current.items() if note.made_in == made.get(name)
        }
        days: dict[str, dict[str, str]] = {}
        for row in map(_note, self.calls.query(days_query(self.table))):
            is_there = row.made_from or row.event == "unknown"
            if row.mart in current and row.made_in == made[row.mart] and row.day and is_there:
                # What nobody knows is built again, or taken away: it equals nothing.
                known = row.made_from if row.event == "built" else ""
                days.setdefault(row.mart, {})[str(row.day)] = known
        whole = {
            name: {WHOLE: note.made_from if note.event == "built" else ""}
            for name, note in current.items()
            if not note.made_from.startswith(_BY_DAY)
        }
        return MartsState(standing.together.code, {**whole, **days})

    def add(self, notes: Sequence[Note]) -> None:
        """Adds rows.

        Raises:
            CallError: BigQuery takes none of them.
        """
        noted = datetime.now(UTC)
        rows = tuple(replace(one, noted=noted) for one in notes)
        self.jobs.do(Addition("marts", self.table, SHAPE.columns, rows), 1)


def made_from(days: Mapping[str, str]) -> str:
    """What a mart as a whole is made from.

    Args:
        days: What its days are made from, by ISO day, or all of it by `WHOLE`.
    """
    return days[WHOLE] if WHOLE in days else f"{_BY_DAY}{fingerprint(dict(days))[:32]}"


def newest_query(table: str) -> str:
    """The newest row of each mart as a whole, and the newest that is planned."""
    return _first_of(table, "mart, event = 'planned'", "day is null", "mart")


def days_query(table: str) -> str:
    """The newest row of each day of a mart that is not a plan."""
    return _first_of(table, "mart, day", "day is not null and event <> 'planned'", "mart, day")


def confirm(table: str, number: int) -> str:
    """The statement that says that what is planned is built."""
    named = ", ".join(map(google_name, _NAMES))
    chosen = ", ".join(google_text("built") if n == "event" else google_name(n) for n in _NAMES)
    return (
        f"insert into {google_name(table)} ({named})\nselect {chosen} from {google_name(table)}"
        f" where number = {number} and event = 'planned'"
    )


def _first_of(table: str, of: str, where: str, order: str) -> str:
    named = ", ".join(map(google_name, _NAMES))
    return (
        f"select {named} from (select *, row_number() over (partition by {of} order by number desc)"
        f" as place from {google_name(table)} where {where}) as placed"
        f" where place = 1 order by {order}"
    )


def _note(row: Mapping[str, Any]) -> Note:
    """A row as BigQuery gives it; a column that is null has its default."""
    return Note(**{name: value for name, value in row.items() if value is not None})
