"""The statements that BigQuery is asked, beside loads: tables, views, counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from medallion.sql import google_name, google_text
from medallion.warehouse.bigquery.ledger import LOADS, columns
from medallion.warehouse.bigquery.shapes import Field, Shape, Stored, TableShape

# No snapshot is of this day: a view of it has no rows, and reads nothing.
_NEVER = date(1, 1, 1)
# So many days are named one by one.
_MOST_NAMED = 500
_LABELS = '[("made_by", "medallion")]'
_LOADS_TELL = "What was loaded into the other datasets, from which published state, by which job."
_OF_LOADS = ("table_name", "day")


def create_table(table: str, shape: Stored) -> str:
    """The statement that makes a table; it has no expiration, as its dataset has none.

    Args:
        table: Project, dataset and table.
        shape: What it holds.
    """
    options = _options(shape.description, require_partition_filter=shape.require_partition_filter)
    return "\n".join(
        [
            f"create table if not exists {google_name(table)} (",
            _columns(shape.columns),
            ")",
            *(
                [f"partition by {google_name(shape.partitioned_by)}"]
                if shape.partitioned_by
                else []
            ),
            *_cluster(shape.cluster_by),
            options,
        ]
    )


def create_loads(table: str) -> str:
    """The statement that makes the table of loads."""
    return create_table(table, TableShape(LOADS, _LOADS_TELL, columns(), cluster_by=_OF_LOADS))


def create_view(view: str, table: str, shape: Shape, newest: date | None) -> str:
    """The statement that makes the view of the newest day.

    Args:
        view: Project, dataset and view.
        table: Project, dataset and table.
        shape: What the table holds.
        newest: That day; None if the table holds nothing.
    """
    return "\n".join(
        [
            f"create or replace view {google_name(view)}",
            _options(newest_tells(shape, newest)),
            f"as {newest_rows(table, shape, newest)}",
        ]
    )


def newest_rows(table: str, shape: Shape, newest: date | None) -> str:
    """The query of the view; its day is a constant, so that BigQuery reads no other."""
    named = ", ".join(google_name(field.name) for field in shape.columns)
    day = f"date {google_text(str(newest or _NEVER))}"
    return f"select {named} from {google_name(table)} where {google_name(shape.day.name)} = {day}"


def newest_tells(shape: Shape, newest: date | None) -> str:
    """What the view is, and of which day: so its text says whether it is right."""
    return f"{shape.description} The newest snapshot: {newest or 'there is none yet'}."


def count_rows(table: str, shape: Shape, days: Sequence[date]) -> str:
    """The query of the rows of some days; as constants, so that BigQuery reads no other.

    Args:
        table: Project, dataset and table.
        shape: What it holds.
        days: The days, ascending; of very many all between the first and the last are counted.
    """
    day = google_name(shape.day.name)
    named = [f"date {google_text(str(one))}" for one in days]
    span = f"in ({', '.join(named)})"
    if len(named) > _MOST_NAMED:
        span = f"between {named[0]} and {named[-1]}"
    return (
        f"select {day} as counted_day, count(*) as counted from {google_name(table)}"
        f" where {day} {span} group by counted_day"
    )


def _columns(fields: Iterable[Field]) -> str:
    return ",\n".join(
        f"  {google_name(field.name)} {field.kind}"
        f" options (description = {google_text(field.description)})"
        for field in fields
    )


def _cluster(columns_: Iterable[str]) -> list[str]:
    named = ", ".join(map(google_name, columns_))
    return [f"cluster by {named}"] if named else []


def _options(description: str, *, require_partition_filter: bool = False) -> str:
    said = [f"description = {google_text(description)}", f"labels = {_LABELS}"]
    said += ["require_partition_filter = true"] if require_partition_filter else []
    return f"options ({', '.join(said)})"
