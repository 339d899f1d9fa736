"""Rows that tell of loads and marts, and are added to tables of BigQuery by load jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, get_type_hints

from medallion.lake.manifest import fingerprint
from medallion.spec.types import DATE, INSTANT, INT, TEXT
from medallion.warehouse.bigquery.shapes import Field

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_KINDS = {int: INT, date: DATE, datetime: INSTANT}


def table_columns(row: type[DataclassInstance], meanings: Mapping[str, str]) -> tuple[Field, ...]:
    """The columns of a table whose rows are such dataclasses.

    Args:
        row: The dataclass.
        meanings: What its fields mean.
    """
    hints = get_type_hints(row)
    return tuple(Field(one.name, _kind(hints[one.name]), meanings[one.name]) for one in fields(row))


def _kind(hint: Any) -> str:
    named = next((kind for kind in _KINDS if kind in (hint, *getattr(hint, "__args__", ()))), None)
    return _KINDS[named].bigquery if named else TEXT.bigquery


@dataclass(frozen=True)
class Addition:
    """Rows that are added to a table by one job.

    Attributes:
        tells_of: What the table tells of, such as `loads`.
        destination: The table.
        columns: Its columns.
        entries: The rows.
    """

    tells_of: str
    destination: str
    columns: tuple[Field, ...]
    entries: tuple[DataclassInstance, ...]

    @property
    def stem(self) -> str:
        """See `Work.stem`; another try of another moment is another job."""
        return f"medallion-{self.tells_of}-{fingerprint(list(self.rows()))[:16]}"

    @property
    def what(self) -> str:
        """See `Work.what`."""
        return f"Adding to the table of {self.tells_of}"

    @property
    def uris(self) -> tuple[str, ...]:
        """See `Work.uris`."""
        return ()

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows as JSON."""
        for entry in self.entries:
            values = {one.name: getattr(entry, one.name) for one in fields(entry)}
            yield {
                name: value.isoformat() if isinstance(value, date) else value
                for name, value in values.items()
            }
