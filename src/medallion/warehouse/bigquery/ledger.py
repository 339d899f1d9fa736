"""The table of loads: what stands in BigQuery, where it is known also without this machine.

Before jobs are submitted, a row for each partition says which one; afterwards another row says
what came of it. A run that is killed in between leaves the first without the second, and the next
run asks BigQuery what became of the job. Rows are only ever added, by load jobs; their order is
that of `number`, which no clock decides. A row counts in the table it was written for: a table
that was removed and made anew is empty, whatever stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from typing import Any, Literal, Protocol

from medallion.sql import google_name, google_text
from medallion.warehouse.bigquery.jobs import Jobs
from medallion.warehouse.bigquery.noting import Addition, table_columns
from medallion.warehouse.bigquery.settings import AUDIT
from medallion.warehouse.bigquery.shapes import Field

#: The table's name.
LOADS = f"{AUDIT}.loads"
# So many rows are one job; more bytes than those of them would be sent in another way.
_ROWS_AT_A_TIME = 10_000
Event = Literal["planned", "failed", "loaded", "emptied", "unknown", "stands"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A row of the table of loads.

    Attributes:
        number: Its place in the order: rows that are added together share it.
        event: `planned`; `failed`: nothing changed; `loaded`; `emptied`; `unknown`: nobody knows
            what stands there; `stands`: all of the table stands as it is published.
        table_name: Schema and table, such as `base_silver.orders`.
        day: The partition; None for the table as a whole.
        run_id: The run whose state it is of.
        content: A hash of what stands there, or shall; empty for nothing.
        row_count: Rows of it.
        job_id: The job that loads it.
        attempt: The number of that job.
        destination: What it writes: project, dataset, table, and the day if it is one partition.
        location: Where it ran; it is found only there.
        made_in: When the table was made, in milliseconds.
        ended: When the job was done.
        reason: Why it failed.
        noted: When the row was written, for people.
    """

    number: int
    event: Event
    table_name: str
    day: date | None
    run_id: str
    content: str = ""
    row_count: int = 0
    job_id: str = ""
    attempt: int = 0
    destination: str = ""
    location: str = ""
    made_in: int = 0
    ended: datetime | None = None
    reason: str = ""
    noted: datetime | None = None


_MEANINGS = {
    "number": "The order of rows; rows that were added together share it.",
    "event": "One of: planned, failed, loaded, emptied, unknown, stands.",
    "table_name": "Schema and table.",
    "day": "The partition; null for the table as a whole.",
    "run_id": "The run whose published state it is of.",
    "content": "A hash of what stands in the partition, or shall; empty for nothing.",
    "row_count": "Rows of it.",
    "job_id": "The job that loads it.",
    "attempt": "The number of that job.",
    "destination": "The table, or the partition, that it writes.",
    "location": "Where the job ran.",
    "made_in": "When the table was made, in milliseconds since 1970.",
    "ended": "When the job was done.",
    "reason": "Why it failed.",
    "noted": "When the row was written.",
}


def columns() -> tuple[Field, ...]:
    """The columns of the table."""
    return table_columns(Entry, _MEANINGS)


@dataclass(frozen=True)
class Known:
    """What is known of a partition in BigQuery.

    Attributes:
        stands: The row that says what stands there; None if none does.
        open: A job whose end nobody has seen.
        failed: The last attempt, if it changed nothing.
        attempts: The highest number of a job whose end is known.
    """

    stands: Entry | None = None
    open: Entry | None = None
    failed: Entry | None = None
    attempts: int = 0

    @property
    def content(self) -> str | None:
        """The hash of what stands there, empty for nothing; None if nobody knows it."""
        if self.stands is None:
            return ""
        return None if self.stands.event == "unknown" else self.stands.content

    def after(self, entry: Entry) -> Known:
        """What is known with one more row, newer or older than those that are."""
        attempts = max(self.attempts, entry.attempt if entry.event != "planned" else 0)
        match entry.event:
            case "planned":
                return replace(self, open=_newer(entry, self.open))
            case "failed":
                return replace(self, failed=_newer(entry, self.failed), attempts=attempts)
            case _:
                return replace(self, stands=_newer(entry, self.stands), attempts=attempts)

    def settled(self) -> Known:
        """The same without what a newer row has overtaken."""
        return replace(
            self,
            open=_unless_overtaken(self.open, self.failed, self.stands),
            failed=_unless_overtaken(self.failed, self.stands, self.open),
        )


@dataclass(frozen=True)
class Newest:
    """The newest row of each table, and the number of the newest of all.

    Attributes:
        number: That number; 0 if there is no row.
        rows: The newest row, by table.
    """

    number: int
    rows: Mapping[str, Entry]


class Queries(Protocol):
    """How the table is asked."""

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows that a query gives, by column."""


@dataclass(frozen=True)
class Ledger:
    """The table of loads.

    Attributes:
        table: Project, dataset and table.
        queries: How it is asked.
        jobs: How rows are added.
    """

    table: str
    queries: Queries
    jobs: Jobs

    def newest(self) -> Newest:
        """The newest row of each table: whether all of it stands."""
        rows = [_entry(row) for row in self.queries.query(newest_query(self.table))]
        number = max((row.number for row in rows), default=0)
        return Newest(number, {row.table_name: row for row in rows})

    def known(self, made_in: Mapping[str, int]) -> dict[str, dict[date, Known]]:
        """What is known of the partitions of some tables.

        Args:
            made_in: When each table was made.
        """
        found: dict[str, dict[date, Known]] = {table: {} for table in made_in}
        for row in self.queries.query(known_query(self.table, made_in)) if made_in else ():
            attempts = int(row.pop("attempts") or 0)
            entry = _entry(row)
            if entry.day:
                days = found[entry.table_name]
                before = days.get(entry.day, Known(attempts=attempts))
                is_of_this_table = entry.made_in == made_in[entry.table_name]
                days[entry.day] = before.after(entry) if is_of_this_table else before
        return {
            table: {day: one.settled() for day, one in days.items()}
            for table, days in found.items()
        }

    def add(self, entries: Sequence[Entry]) -> None:
        """Adds rows.

        Raises:
            CallError: BigQuery takes none of them.
        """
        noted = datetime.now(UTC)
        for start in range(0, len(entries), _ROWS_AT_A_TIME):
            some = entries[start : start + _ROWS_AT_A_TIME]
            rows = tuple(replace(one, noted=noted) for one in some)
            self.jobs.do(Addition("loads", self.table, columns(), rows), 1)


def newest_query(table: str) -> str:
    """The newest row of each table; of rows that were added together, that which says it stands."""
    return _first_of(
        table, "table_name", "number desc, if(event = 'stands', 1, 0) desc", ("number",)
    )


def known_query(table: str, tables: Iterable[str]) -> str:
    """The newest row of each kind for each partition, and its highest number of a job."""
    wanted = ", ".join(map(google_text, sorted(tables)))
    kind = "case event when 'planned' then 0 when 'failed' then 1 else 2 end"
    counted = "max(if(event = 'planned', 0, attempt)) over (partition by table_name, day)"
    return _first_of(
        table,
        f"table_name, day, {kind}",
        "number desc, attempt desc",
        ("table_name", "day"),
        more=f", {counted} as attempts",
        where=f"where table_name in ({wanted}) ",
    )


def _first_of(
    table: str, of: str, order: str, sort: Iterable[str], *, more: str = "", where: str = ""
) -> str:
    named = ", ".join([*(one.name for one in fields(Entry)), *(["attempts"] if more else [])])
    return (
        f"select {named} from (select *, row_number() over (partition by {of} order by {order})"
        f" as place{more} from {google_name(table)} {where}) as placed"
        f" where place = 1 order by {', '.join(sort)}"
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    """A row as BigQuery gives it; a column that is null has its default."""
    held = {name: value for name, value in row.items() if value is not None}
    return Entry(**{"day": None, **held})


def _newer(one: Entry, other: Entry | None) -> Entry:
    return other if other and other.number > one.number else one


def _unless_overtaken(one: Entry | None, *others: Entry | None) -> Entry | None:
    overtaken = any(other and one and other.number >= one.number for other in others)
    return None if overtaken else one
