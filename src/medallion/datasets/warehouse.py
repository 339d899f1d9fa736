"""The warehouse in the catalog: as a whole, what it shows of the lake, and its marts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from medallion.datasets.previewing import hides_personal_names, table_preview
from medallion.datasets.read_only import ReadOnlyDataset
from medallion.datasets.state import ReceiptDataset
from medallion.errors import UsageError
from medallion.lake.writes import BuiltTable
from medallion.spec import load_spec
from medallion.warehouse import MartsBuild, Publication, Warehouse, open_warehouse

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import polars as pl

_CURRENT = "none"


class _OfTheWhole:
    """What datasets of the whole warehouse share.

    Args:
        connection: How ibis reaches it: `backend` and its arguments.
        metadata: For kedro-viz.
    """

    def __init__(
        self, *, connection: Mapping[str, Any], metadata: dict[str, Any] | None = None
    ) -> None:
        self._connection = dict(connection)
        self.metadata = metadata

    def _describe(self) -> dict[str, Any]:
        return {"filepath": _place(self._connection)}


class WarehouseDataset(_OfTheWhole, ReadOnlyDataset[Warehouse]):
    """The warehouse as a whole."""

    def load(self) -> Warehouse:
        """A handle; nothing is opened."""
        return open_warehouse(self._connection)


class PublicationDataset(ReceiptDataset):
    """What the warehouse shows of the lake: saved as a publication, loaded as names.

    Args:
        filepath: A JSON file of the names.
        connection: How ibis reaches the warehouse: `backend` and its arguments.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        connection: Mapping[str, Any],
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._connection = dict(connection)

    def save(self, data: Publication) -> None:
        """Lets the warehouse show the lake, and lists what it shows."""
        super().save(list(open_warehouse(self._connection).publish(data)))


class MartsDataset(_OfTheWhole, AbstractDataset[MartsBuild, str]):
    """All marts together: saved as dbt has built them, loaded as what they are made from."""

    def load(self) -> str:
        """The stamp of the marts; empty while they do not stand."""
        return open_warehouse(self._connection).made_from("gold")

    def save(self, data: MartsBuild) -> None:
        """Puts the marts in place, all of them in one step."""
        open_warehouse(self._connection).accept(data)

    def _exists(self) -> bool:
        return bool(self.load())


class GoldTableDataset(AbstractDataset[BuiltTable, Any]):
    """A mart of the warehouse: an ibis table; `.to_pyarrow()` and `.to_pandas()` give its rows.

    It is put in place with all others (see `MartsDataset`); saving makes sure that it is there.

    Args:
        table: The model's name.
        connection: How ibis reaches the warehouse, `backend` and its arguments.
        spec: Path of `spec.yml`.
        schema: The schema that holds it.
        as_of: The run whose state of the lake is asked for; `none` for what is current.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        table: str,
        connection: Mapping[str, Any],
        spec: str,
        schema: str = "gold",
        as_of: str = _CURRENT,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._table = table
        self._as_of = as_of
        self._connection = dict(connection)
        self._spec_path = spec
        self._schema = schema
        self.metadata = metadata

    @property
    def place(self) -> str:
        """The warehouse's file, and the table in it; of BigQuery an address."""
        scheme = "bigquery://" if self._connection["backend"] == "bigquery" else ""
        return f"{scheme}{self._warehouse.relation(self._name)}"

    def load(self) -> ir.Table:
        """Names the table; its rows are read when somebody asks for them.

        Raises:
            UsageError: It is asked for as of a run: a warehouse holds the newest marts alone.
        """
        if self._as_of != _CURRENT:
            raise UsageError(
                f"{self._name} cannot be loaded as of {self._as_of}: marts are those of the newest"
                " build.",
                hint="load the tables of Silver as of it; or make that state current, `kedro lake"
                f" rollback --to {self._as_of}`, and run.",
            )
        return self._warehouse.table(self._name)

    def save(self, data: BuiltTable) -> None:
        """Takes note of a table that stands in the warehouse.

        Raises:
            DatasetError: It is another table, or is not there.
        """
        if f"{data.schema}.{data.name}" != self._name:
            raise DatasetError(f"{data.schema}.{data.name} is not {self._name}.")
        if not self._exists():
            raise DatasetError(f"{self.place} is not there, although dbt has built it.")

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows for kedro-viz, without personal data."""
        hidden = hides_personal_names(load_spec(self._spec_path))
        return table_preview(lambda: _frame(self.load().head(nrows)), hidden)

    @property
    def _name(self) -> str:
        return f"{self._schema}.{self._table}"

    @property
    def _warehouse(self) -> Warehouse:
        return open_warehouse(self._connection)

    def _exists(self) -> bool:
        return self._warehouse.has(self._name)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.place}


def _frame(table: ir.Table) -> pl.DataFrame:
    """The rows of a table; ibis 12 fails in `to_polars` with Polars 2.1 if there is a time."""
    import polars as pl

    frame = pl.from_arrow(table.to_pyarrow())
    assert isinstance(frame, pl.DataFrame)  # noqa: S101  (for mypy)
    return frame


def _place(connection: Mapping[str, Any]) -> str:
    return str(connection.get("database", connection.get("backend")))
