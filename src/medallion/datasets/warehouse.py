"""The local warehouse: a DuckDB file that is replaced whole.

It is built beside the live file and takes its place when it is complete, so a notebook that
has it open never stops a run, and a crash never leaves half of Gold.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

from medallion.datasets.read_only import ReadOnlyDataset
from medallion.errors import LakeError
from medallion.lake.inventory import read_json, write_json
from medallion.lake.writes import BuiltTable

if TYPE_CHECKING:
    import ibis.expr.types as ir


class Warehouse:
    """A DuckDB file and what it was made from.

    Args:
        path: The file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stamps = self.path.with_name("_MANIFEST.json")

    def is_made_from(self, part: str, stamp: str) -> bool:
        """Whether a part of the warehouse is what its inputs say now."""
        return self.made_from(part) == stamp

    def made_from(self, part: str) -> str:
        """The stamp of a part of the warehouse; empty while it does not stand."""
        return self._read_stamps().get(part, "") if self.path.is_file() else ""

    def values(self, queries: Mapping[str, str]) -> dict[str, Any]:
        """The one value that each of some queries gives."""
        import duckdb

        with duckdb.connect(str(self.path), read_only=True) as connection:
            return {
                name: connection.execute(query).fetchall()[0][0] for name, query in queries.items()
            }

    @contextmanager
    def replacing(self, part: str, stamp: str) -> Iterator[Path]:
        """Gives a copy to work on, and puts it in place if the work succeeds.

        Raises:
            LakeError: DuckDB would take the path for one with a query string.
        """
        if "?" in str(self.path):
            raise LakeError(
                f"The warehouse cannot be written to {self.path}: DuckDB keeps no database below "
                "a folder whose name holds a question mark.",
                hint="point MEDALLION_DATA_ROOT at a folder of another name.",
            )
        draft = self.path.with_name(f"_draft.{self.path.name}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for stale in (draft, draft.with_name(draft.name + ".wal")):
            stale.unlink(missing_ok=True)
        if self.path.is_file():
            shutil.copyfile(self.path, draft)
        try:
            yield draft
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)
        write_json(self._stamps, {**self._read_stamps(), part: stamp})

    def _read_stamps(self) -> dict[str, str]:
        stamps: dict[str, str] = read_json(self._stamps, {})
        return stamps


class WarehouseDataset(ReadOnlyDataset[Warehouse]):
    """The local warehouse as a whole.

    Args:
        filepath: The DuckDB file.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = filepath
        self.metadata = metadata

    def load(self) -> Warehouse:
        """A handle on the file; it is not opened."""
        return Warehouse(self._path)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}


class GoldTableDataset(AbstractDataset[BuiltTable, Any]):
    """A mart of the warehouse: an ibis table; `.to_polars()` gives a frame.

    dbt writes it; saving only makes sure that it is there.

    Args:
        table: The model's name.
        connection: How ibis reaches the warehouse, `backend` and its arguments.
        schema: The schema that holds it.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        table: str,
        connection: Mapping[str, Any],
        schema: str = "gold",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._table = table
        self._connection = dict(connection)
        self._schema = schema
        self.metadata = metadata

    @property
    def place(self) -> str:
        """The warehouse's file, and the table in it."""
        return f"{self._connection.get('database', 'warehouse')}/{self._schema}.{self._table}"

    def load(self) -> ir.Table:
        """Opens the warehouse read-only and names the table."""
        return self._dataset().load()

    def save(self, data: BuiltTable) -> None:
        """Takes note of a table that dbt has written.

        Raises:
            DatasetError: It is another table.
        """
        if (data.schema, data.name) != (self._schema, self._table):
            raise DatasetError(f"{data.schema}.{data.name} is not {self._schema}.{self._table}.")

    def preview(self, nrows: int = 8) -> Any:
        """The first rows, for a look."""
        return self.load().head(nrows).to_polars()

    def _dataset(self) -> Any:
        from kedro_datasets.ibis import TableDataset

        database = {"database": self._schema}
        return TableDataset(
            table_name=self._table,
            connection=self._connection,
            load_args=database,
            save_args=database,
        )

    def _describe(self) -> dict[str, Any]:
        return {"table": f"{self._schema}.{self._table}"}
