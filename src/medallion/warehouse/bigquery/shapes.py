"""The tables that BigQuery holds, as the spec declares them, and how two schemas differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from medallion.errors import WarehouseError
from medallion.lake.views import folder_of
from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec, Table, Transform
from medallion.spec.types import DATE, SILVER

_PERSONAL = "Personal data."
_ABSENT = "-"
_HISTORY = "_history"


@dataclass(frozen=True)
class Field:
    """A column.

    Attributes:
        name: Its name.
        kind: Its type in GoogleSQL, such as `INT64`.
        description: What it means.
    """

    name: str
    kind: str
    description: str = ""


class Stored(Protocol):
    """A table as it shall be stored, whoever fills it."""

    @property
    def name(self) -> str:
        """Schema and table, such as `gold.fct_orders`."""

    @property
    def description(self) -> str:
        """What one row is."""

    @property
    def columns(self) -> tuple[Field, ...]:
        """All columns."""

    @property
    def partitioned_by(self) -> str:
        """The column of days by which it is partitioned; empty if it is not."""

    @property
    def cluster_by(self) -> tuple[str, ...]:
        """Columns by which rows are stored together."""

    @property
    def require_partition_filter(self) -> bool:
        """Whether a query must name its days."""


@dataclass(frozen=True)
class TableShape:
    """A table that statements fill, as it shall be; see `Stored`."""

    name: str
    description: str
    columns: tuple[Field, ...]
    partitioned_by: str = ""
    cluster_by: tuple[str, ...] = ()
    require_partition_filter: bool = False


@dataclass(frozen=True)
class Shape:
    """A table that is loaded from the lake, as it shall be.

    Attributes:
        name: Schema and table, such as `base_silver.orders`.
        folder: Layer and table in the lake, such as `base/orders`.
        description: What one row is.
        fields: The columns that files hold, in their order there.
        day: The column that the folder of a file names; the table is partitioned by it.
        cluster_by: Columns by which rows of a day are stored together.
        require_partition_filter: Whether a query must name its days.
        newest: The view of the newest day, if there is one, such as `dims.customers`.
    """

    name: str
    folder: str
    description: str
    fields: tuple[Field, ...]
    day: Field
    cluster_by: tuple[str, ...] = ()
    require_partition_filter: bool = False
    newest: str = ""

    @property
    def columns(self) -> tuple[Field, ...]:
        """All columns, the day last."""
        return (*self.fields, self.day)

    @property
    def partitioned_by(self) -> str:
        """The day."""
        return self.day.name


def shapes(spec: Spec) -> dict[str, Shape]:
    """The tables by name: Base Silver, Enriched, and the snapshots of the dimensions."""
    found = [
        *(_event(spec, name, table) for name, table in spec.events.items()),
        *(_transform(spec, name, one) for name, one in spec.transforms.items()),
        *(_dimension(spec, name, table) for name, table in spec.dimensions.items()),
    ]
    return {shape.name: shape for shape in found}


def _event(spec: Spec, name: str, table: Table) -> Shape:
    fields = _silver(spec, name, table)
    return _shape(f"base_silver.{name}", table, fields, _day(spec, name, INGESTION_DAY))


def _dimension(spec: Spec, name: str, table: Table) -> Shape:
    newest, fields = f"dims.{name}", _silver(spec, name, table)
    snapshots = _shape(newest, table, fields, _day(spec, name, SNAPSHOT_DAY))
    return replace(snapshots, name=f"{newest}{_HISTORY}", newest=newest)


def _transform(spec: Spec, name: str, transform: Transform) -> Shape:
    fields = tuple(
        Field(column, SILVER[kind].bigquery, spec.meaning(name, column))
        for column, kind in transform.columns.items()
        if column != INGESTION_DAY
    )
    return _shape(f"enriched.{name}", transform, fields, _day(spec, name, INGESTION_DAY))


def _shape(name: str, declared: Table | Transform, fields: tuple[Field, ...], day: Field) -> Shape:
    """The table that holds what a table of the lake holds, as the spec wants it stored."""
    return Shape(
        name=name,
        folder=folder_of(name),
        description=declared.description,
        fields=fields,
        day=day,
        cluster_by=declared.cluster_by,
        require_partition_filter=declared.require_partition_filter,
    )


def _silver(spec: Spec, name: str, table: Table) -> tuple[Field, ...]:
    """The columns of a table of Base Silver; a personal one says so."""
    fields = []
    for column, declared in spec.contract(name).items():
        said = (spec.meaning(name, column), _PERSONAL if declared.personal else "")
        kind = SILVER[declared.silver].bigquery
        fields.append(Field(column, kind, " ".join(filter(None, said))))
    if table.business_date:
        day = table.business_date.column
        fields.append(Field(day, DATE.bigquery, spec.meaning(name, day)))
    return tuple(fields)


def _day(spec: Spec, name: str, column: str) -> Field:
    return Field(column, DATE.bigquery, spec.meaning(name, column))


@lru_cache(maxsize=1)
def _written() -> dict[str, str]:
    """What the writers of the lake call a type in their manifests, and what BigQuery calls it."""
    return {
        _plain(written): one.bigquery
        for one in SILVER.values()
        for written in (one.duckdb, one.arrow, str(one.as_polars()))
    }


def kind_written(written: str) -> str:
    """The type in GoogleSQL of a column whose type a manifest tells; as told if nobody knows it.

    >>> kind_written("DECIMAL(18,2)"), kind_written("Datetime(time_unit='us', time_zone=None)")
    ('NUMERIC', 'DATETIME')
    """
    return _written().get(_plain(written), written)


def _plain(written: str) -> str:
    return written.lower().replace(" ", "")


def expect_same(
    what: str, held: Mapping[str, str], wanted: Mapping[str, str], sides: tuple[str, str], hint: str
) -> None:
    """Makes sure that what is held has the types that are wanted.

    Args:
        what: What holds it, for people.
        held: Type by column.
        wanted: Type by column, as the spec says.
        sides: What the two columns of types are called.
        hint: What to do.

    Raises:
        WarehouseError: They differ; it shows both side by side.
    """
    if dict(held) == dict(wanted):
        return
    error = WarehouseError(
        f"{what} has another schema than the spec says:",
        details=side_by_side(held, wanted, sides),
        hint=hint,
    )
    error.shown_details = len(error.details)
    raise error


def side_by_side(
    held: Mapping[str, str], wanted: Mapping[str, str], sides: tuple[str, str]
) -> list[str]:
    """Two schemas in columns, a line for each name; `!` marks those that differ."""
    names = [*wanted, *(name for name in held if name not in wanted)]
    rows = [("column", *sides)]
    rows += [(name, held.get(name, _ABSENT), wanted.get(name, _ABSENT)) for name in names]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths, differs=row[1] != row[2] and row is not rows[0]) for row in rows]


def _line(row: Iterable[str], widths: Iterable[int], *, differs: bool) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return f"{'!' if differs else ' '} {'  '.join(cells)}".rstrip()


def kinds(fields: Iterable[Field]) -> dict[str, str]:
    """Type by column."""
    return {field.name: field.kind for field in fields}
