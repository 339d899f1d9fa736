"""Marts that dbt has built take the place of those that stand: one transaction for all of them.

Readers see the marts of one run at any moment, and a table stays the table it was: with its
grants, its row filters, its policy tags. What is cut short before the commit has changed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from medallion.sql import google_name, google_text
from medallion.warehouse.bigquery.settings import DRAFTS, GOLD, BigQuerySettings
from medallion.warehouse.bigquery.shapes import TableShape

# A statement changes at most so many partitions.
_MOST_DAYS = 4_000


@dataclass(frozen=True)
class Taken:
    """A mart that is taken over.

    Attributes:
        name: The mart.
        shape: Its table.
        days: The ISO days that are replaced; None for all rows.
    """

    name: str
    shape: TableShape = field(repr=False)
    days: tuple[str, ...] | None = None

    def live(self, settings: BigQuerySettings) -> str:
        """The table that people read, as SQL names it."""
        return google_name(settings.table(f"{GOLD}.{self.name}"))

    def draft(self, settings: BigQuerySettings) -> str:
        """The table that dbt has built, as SQL names it."""
        return google_name(settings.table(f"{DRAFTS}.{self.name}"))

    @property
    def changes(self) -> int:
        """Partitions that change, as BigQuery counts them: each is deleted from and filled."""
        return 2 * (1 if self.days is None else len(self.days))


def take_over(settings: BigQuerySettings, marts: Iterable[Taken], confirmed: str) -> str:
    """The transaction.

    Args:
        settings: Where the tables are.
        marts: The marts.
        confirmed: The statement that notes that it was done.
    """
    moved = (one for mart in marts for one in _moved(settings, mart))
    done = ["begin transaction", *moved, confirmed, "commit transaction"]
    return "".join(f"{statement};\n" for statement in done)


def count_marts(settings: BigQuerySettings, marts: Iterable[Taken]) -> str:
    """The query of rows that were built, and of those that stay beside them, by mart."""
    return "\nunion all\n".join(
        f"select {google_text(mart.name)} as mart,"
        f" (select count(*) from {mart.draft(settings)}) as built,"
        f" {_kept(settings, mart)} as kept"
        for mart in marts
    )


def count_taken(settings: BigQuerySettings, marts: Iterable[Taken]) -> str:
    """The query of the rows that marts have now."""
    return "\nunion all\n".join(
        f"select {google_text(mart.name)} as mart, count(*) as standing from {mart.live(settings)}"
        for mart in marts
    )


def among(days: Sequence[str]) -> str:
    """That a row is of some days; as constants, so that BigQuery reads no other."""
    return f"`ingestion_dt` in ({', '.join(f'date {google_text(day)}' for day in days)})"


def _moved(settings: BigQuerySettings, mart: Taken) -> Iterator[str]:
    live, draft = mart.live(settings), mart.draft(settings)
    named = ", ".join(google_name(column.name) for column in mart.shape.columns)
    for where in _pieces(mart):
        yield f"delete from {live} where {where}"
        yield f"insert into {live} ({named})\nselect {named} from {draft} where {where}"


def _pieces(mart: Taken) -> Iterator[str]:
    """The rows that statements replace, so that none of them changes too many partitions."""
    if mart.days is None:
        yield "true"
        return
    for start in range(0, len(mart.days), _MOST_DAYS):
        yield among(mart.days[start : start + _MOST_DAYS])


def _kept(settings: BigQuerySettings, mart: Taken) -> str:
    if mart.days is None:
        return "0"
    return f"(select count(*) from {mart.live(settings)} where not {among(mart.days)})"
