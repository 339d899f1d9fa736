"""The rows that were put aside: which of them are asked for, where they are, how many."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING

from medallion.errors import LakeError, UsageError
from medallion.foreign import disclosed
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import PartitionManifest
from medallion.lake.names import as_reason
from medallion.lake.scans import read_days
from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec
from medallion.spec.reasons import SEPARATOR, is_kind_of, reason_codes

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Selection:
    """Which quarantined rows a person asks for.

    Attributes:
        tables: Tables of the spec; none means all.
        reasons: Codes, or classes of codes such as `fk`; none means all.
        window: First and last partition day, or None for all days.
    """

    tables: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    window: tuple[date, date] | None = None

    def includes(self, day: date) -> bool:
        """Whether a partition day lies in the window."""
        return self.window is None or self.window[0] <= day <= self.window[1]

    def __str__(self) -> str:
        """The selection in words, such as `of orders, with fk, from 2025-10-01 to 2025-10-07`."""
        said = [
            f"of {', '.join(self.tables)}" if self.tables else "",
            f"with {' or '.join(self.reasons)}" if self.reasons else "",
            f"from {self.window[0]} to {self.window[1]}" if self.window else "",
        ]
        return ", ".join(part for part in said if part)


@dataclass(frozen=True)
class ReasonCount:
    """How many rows of a partition carry a reason.

    Attributes:
        table: The table.
        day: The partition's day.
        reason: One code.
        rows: Rows that carry it, with others or alone.
    """

    table: str
    day: date
    reason: str
    rows: int


def check_selection(selection: Selection, lake: LakeInventory) -> Selection:
    """Names the selected tables in the spec's order, once every name is known to exist.

    Raises:
        UsageError: A table is not in the spec, or no row can carry a reason.
    """
    for table in selection.tables:
        if table not in lake.spec.tables:
            raise _unknown_table(table, lake.spec)
    tables = tuple(t for t in lake.spec.tables if t in selection.tables or not selection.tables)
    named = replace(selection, tables=tables)
    for reason in named.reasons:
        _check_reason(as_reason(reason), named, lake)
    return named


def selected_partitions(
    lake: LakeInventory, table: str, selection: Selection
) -> dict[date, PartitionManifest]:
    """The quarantined partitions of a table inside the window, by day.

    Of a dimension that is the newest snapshot of the window: every snapshot describes all of
    Bronze, so an older one shows the same rows again.
    """
    days = set(table_days(lake, table, selection))
    return {day: manifest for day, manifest in lake.quarantine(table).items() if day in days}


def table_days(lake: LakeInventory, table: str, selection: Selection) -> list[date]:
    """The days of a table inside the window, accepted or not; of a dimension its newest one."""
    is_event = table in lake.spec.events
    days = {*lake.quarantine(table), *accepted(lake, table)}
    inside = sorted(day for day in days if selection.includes(day))
    return inside if is_event else inside[-1:]


def accepted(lake: LakeInventory, table: str) -> dict[date, PartitionManifest]:
    """The accepted partitions of an event table, or the snapshots of a dimension, by day."""
    if table in lake.spec.events:
        return lake.base(table)
    snapshots = lake.lake.partitions(f"dims/{table}")
    return {date.fromisoformat(value): manifest for value, manifest in snapshots.items()}


def selected_rows(lake: LakeInventory, table: str, selection: Selection) -> dict[date, int]:
    """How many rows of a table are asked for, by day; days without any are left out."""
    partitions = selected_partitions(lake, table, selection)
    if not selection.reasons:
        return {day: manifest.rows for day, manifest in partitions.items() if manifest.rows}
    statement = select_rows(lake, table, selection)
    if not statement:
        return {}
    day = day_column(lake.spec, table)
    with reading() as connection:
        found = connection.execute(
            f"select {day}, count(*) from ({statement}) group by all order by all"
        ).fetchall()
    return dict(found)


def reason_counts(lake: LakeInventory, selection: Selection) -> list[ReasonCount]:
    """Rows by table, day and reason code, in that order; a row counts for each of its codes."""
    counts: list[ReasonCount] = []
    with reading() as connection:
        for table in selection.tables:
            statement = select_rows(lake, table, selection)
            if statement:
                day = day_column(lake.spec, table)
                codes = f"unnest(string_split(invalid_reason, '{SEPARATOR}'))"
                found = connection.execute(
                    "select day, reason, count(*)"
                    f" from (select {day} as day, {codes} as reason from ({statement}))"
                    " group by all order by all"
                ).fetchall()
                counts.extend(ReasonCount(table, *row) for row in found)
    return counts


@contextmanager
def reading() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to read quarantined rows with.

    Raises:
        LakeError: A file is damaged, or went while it was read.
    """
    import duckdb

    try:
        with duckdb.connect() as connection:
            yield connection
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise LakeError(
            f"The quarantine cannot be read: {disclosed(error)}",
            hint="if a run is at work, ask again when it has ended; else have the day made anew "
            "with `kedro run --params ingest_dt=...`.",
        ) from error


def select_rows(lake: LakeInventory, table: str, selection: Selection) -> str:
    """The SQL of the rows asked for, with their partition day; nothing if no file holds any."""
    selected = selected_partitions(lake, table, selection).values()
    files = lake.lake.files(f"quarantine/{table}", {one.value for one in selected if one.rows})
    if not files:
        return ""
    rows = read_days(files, day_column(lake.spec, table), union_by_name=True)
    return f"{rows}{_condition(selection.reasons)}"


def day_column(spec: Spec, table: str) -> str:
    """The partition column of a table's quarantine."""
    return INGESTION_DAY if table in spec.events else SNAPSHOT_DAY


def _condition(reasons: Iterable[str]) -> str:
    wanted = "|".join(re.escape(as_reason(reason)) for reason in reasons)
    if not wanted:
        return ""
    return rf" where regexp_matches(invalid_reason, '(^|[|])({wanted})(:[^|]*)?($|[|])')"


def _unknown_table(table: str, spec: Spec) -> UsageError:
    return UsageError(f"There is no table {table!r}.", hint=f"tables are {', '.join(spec.tables)}.")


def _check_reason(reason: str, selection: Selection, lake: LakeInventory) -> None:
    possible = {code for table in selection.tables for code in reason_codes(lake.spec, table)}
    if any(is_kind_of(code, reason) for code in possible):
        return
    # A rule that the spec no longer has may still stand in quarantine.
    everywhere = replace(selection, reasons=(), window=None)
    standing_codes = {count.reason for count in reason_counts(lake, everywhere)}
    if any(is_kind_of(code, reason) for code in standing_codes):
        return
    near = get_close_matches(reason, sorted(possible | standing_codes), n=3)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"No row of {', '.join(selection.tables)} can have the reason {reason!r}.",
        hint=f"{meant}`kedro quarantine summary` lists the reasons there are.",
    )
