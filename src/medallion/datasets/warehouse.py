"""The local warehouse: a DuckDB file that is replaced whole.

It is built beside the live file and takes its place when it is complete, so a notebook that
has it open never stops a run, and a crash never leaves half of Gold.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview
from typing_extensions import TypedDict

from medallion.datasets.previewing import hides_personal_names, table_preview
from medallion.datasets.read_only import ReadOnlyDataset
from medallion.errors import LakeError
from medallion.lake.manifest import file_hash
from medallion.lake.writes import BuiltTable
from medallion.spec import load_spec
from medallion.storage import Document

if TYPE_CHECKING:
    import ibis.expr.types as ir


logger = logging.getLogger(__name__)

# What this project makes in the file. Whatever else somebody keeps in it stays.
_SCHEMAS = ("audit", "base_silver", "dims", "enriched", "gold", "quarantine")
_FILE = "file"


class _Described(TypedDict):
    """The file as it was put in place."""

    bytes: int
    changed_ns: int
    sha256: str


class Warehouse:
    """A DuckDB file and what it was made from.

    Its manifest says what each part was made from, and what the file is: bytes, time of the
    last change, checksum. What it says counts as long as the file is that one.

    Args:
        path: The file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._stamps = Document.at(self.path.with_name("_MANIFEST.json"))

    def is_made_from(self, part: str, stamp: str) -> bool:
        """Whether a part of the warehouse is what its inputs say now."""
        return self.made_from(part) == stamp

    def made_from(self, part: str) -> str:
        """The stamp of a part of the warehouse; empty while it does not stand."""
        return str(self._standing().get(part, ""))

    def damage(self, *, thorough: bool = False) -> str:
        """What is wrong with the file; nothing if it is what it was.

        Args:
            thorough: Compare the checksum even if size and time are the same.
        """
        was = self._read_stamps().get(_FILE)
        if not self.path.is_file():
            return "is not there" if was else ""
        if not was:
            return "has no record of what it was made from"
        if self._log.exists():
            return f"was changed by another program ({self._log.name} stands beside it)"
        stat = self.path.stat()
        if stat.st_size != was["bytes"]:
            return f"has {stat.st_size:,} bytes, not {was['bytes']:,}"
        if (thorough or stat.st_mtime_ns != was["changed_ns"]) and (
            file_hash(self.path) != was["sha256"]
        ):
            return "was changed by another program: its checksum is another one"
        return ""

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
        standing = self._standing()
        if self.path.is_file():
            shutil.copyfile(self.path, draft)
            if not standing:
                self._clear(draft)
        try:
            yield draft
            draft.replace(self.path)
            # It belongs to the file that was there before.
            self._log.unlink(missing_ok=True)
        finally:
            draft.unlink(missing_ok=True)
        self._stamps.write({**standing, part: stamp, _FILE: self._describe_file()})

    @property
    def _log(self) -> Path:
        """What DuckDB has not yet written into the file."""
        return self.path.with_name(self.path.name + ".wal")

    def _standing(self) -> dict[str, Any]:
        """What the manifest says of a file that is still the one it describes."""
        return {} if self.damage() else self._read_stamps()

    def _clear(self, draft: Path) -> None:
        """Takes out of a file that others have changed whatever this project makes."""
        import duckdb

        try:
            with duckdb.connect(str(draft)) as connection:
                for schema in _SCHEMAS:
                    connection.execute(f"drop schema if exists {schema} cascade")
        except duckdb.Error:
            logger.warning("%s is no DuckDB file that can be opened; it is made anew.", self.path)
            draft.unlink()

    def _describe_file(self) -> dict[str, Any]:
        stat = self.path.stat()
        return {
            "bytes": stat.st_size,
            "changed_ns": stat.st_mtime_ns,
            "sha256": file_hash(self.path),
        }

    def _read_stamps(self) -> dict[str, Any]:
        """The manifest; one that cannot be read says nothing, so all is made again."""
        return self._stamps.read_or(dict[str, str | _Described], {})


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
        spec: Path of `spec.yml`.
        schema: The schema that holds it.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        table: str,
        connection: Mapping[str, Any],
        spec: str,
        schema: str = "gold",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._table = table
        self._connection = dict(connection)
        self._spec_path = spec
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

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows for kedro-viz, without personal data."""
        hidden = hides_personal_names(load_spec(self._spec_path))
        return table_preview(lambda: self.load().head(nrows).to_polars(), hidden)

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
        return {"filepath": self.place}
