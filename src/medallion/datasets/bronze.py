"""Bronze as Kedro datasets. They can only be loaded: Bronze is never written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl
from kedro_datasets._typing import TablePreview

from medallion.datasets.previewing import hides_in_table, table_preview
from medallion.datasets.read_only import ReadOnlyDataset
from medallion.datasets.schema import bronze_schema
from medallion.lake.bronze import BronzeFile, BronzeInventory, BronzePartition, list_bronze
from medallion.spec import BRONZE_DAY, load_spec


class _BronzeDataset(ReadOnlyDataset[Any]):
    """What all Bronze datasets share.

    Args:
        filepath: The Bronze root.
        spec: Path of `spec.yml`.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, spec: str, metadata: dict[str, Any] | None = None) -> None:
        self._root = filepath
        self._spec_path = spec
        self.metadata = metadata

    def _inventory(self) -> BronzeInventory:
        return list_bronze(self._root, load_spec(self._spec_path))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._root}


class BronzeInventoryDataset(_BronzeDataset):
    """The partitions of all Bronze tables, from their manifests."""

    def load(self) -> BronzeInventory:
        """Lists Bronze; opens no data file."""
        return self._inventory()


class BronzeTableDataset(_BronzeDataset):
    """A Bronze table as it was delivered, all complete partitions.

    Args:
        filepath: The Bronze root.
        spec: Path of `spec.yml`.
        table: The table.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        spec: str,
        table: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, spec=spec, metadata=metadata)
        self._table = table

    @property
    def place(self) -> str:
        """The folder of the table."""
        return f"{self._root}/{self._table}"

    def load(self) -> pl.LazyFrame:
        """Scans the table, with its partition column; where files differ, types are widened."""
        opened, _ = self._inventory().open(self._inventory().tables[self._table])
        contract = bronze_schema(load_spec(self._spec_path), self._table)
        scans = _scans(opened.get(self._table, []), contract)
        if not scans:
            return pl.LazyFrame(schema={**contract, BRONZE_DAY: pl.Date()})
        return pl.concat(scans, how="diagonal_relaxed")

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows for kedro-viz, without personal data."""
        hidden = hides_in_table(load_spec(self._spec_path), self._table)
        return table_preview(lambda: self.load().head(nrows).collect(), hidden)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.place, "table": self._table}


def _scans(partitions: list[BronzePartition], contract: Iterable[str]) -> list[pl.LazyFrame]:
    """One scan for all files of one physical schema."""
    groups: dict[tuple[Any, ...], list[BronzeFile]] = defaultdict(list)
    for partition in partitions:
        for file in partition.files:
            filled = tuple(file.filled(dict.fromkeys([partition.key, *contract])))
            groups[filled, *file.columns.items()].append(file)
    return [_scan(files, filled) for (filled, *_), files in groups.items()]


def _scan(files: Sequence[BronzeFile], filled: Iterable[str]) -> pl.LazyFrame:
    """Scans files, with the columns that only their folders hold."""
    path = "path" + "_" * max((len(name) for name in files[0].columns), default=0)
    scan = pl.scan_parquet(
        [file.path for file in files],
        glob=False,
        hive_partitioning=False,
        include_file_paths=path,
    )
    return scan.with_columns(_of_folders(name, path, files) for name in filled).drop(path)


def _of_folders(name: str, path: str, files: Sequence[BronzeFile]) -> pl.Expr:
    """A column whose values the folders of the files name."""
    values = {file.path: file.named[name] for file in files}
    column = pl.col(path).replace_strict(
        list(values), list(values.values()), return_dtype=pl.String()
    )
    return (column.str.to_date("%Y-%m-%d") if name == BRONZE_DAY else column).alias(name)
