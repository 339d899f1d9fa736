"""Bronze as Kedro datasets. They can only be loaded: Bronze is never written."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl

from medallion.datasets.read_only import ReadOnlyDataset
from medallion.datasets.schema import bronze_schema
from medallion.lake.bronze import BronzeInventory, BronzePartition, list_bronze
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
        return {"root": self._root}


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
        scans = _scans(opened.get(self._table, []))
        if not scans:
            contract = bronze_schema(load_spec(self._spec_path), self._table)
            return pl.LazyFrame(schema={**contract, BRONZE_DAY: pl.Date()})
        return pl.concat(scans, how="diagonal_relaxed")

    def preview(self, nrows: int = 8) -> pl.DataFrame:
        """The first rows, for a look."""
        return self.load().head(nrows).collect()

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "table": self._table}


def _scans(partitions: list[BronzePartition]) -> list[pl.LazyFrame]:
    """One scan for all files of one physical schema."""
    groups: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for partition in partitions:
        in_file = {key for file in partition.files for key in file.columns}
        for file in partition.files:
            hive = "" if partition.key in in_file else partition.key
            groups[hive, *file.fields].append(file.path)
    return [
        pl.scan_parquet(
            files,
            hive_partitioning=bool(hive),
            hive_schema={hive: pl.Date() if hive == BRONZE_DAY else pl.String()} if hive else None,
        )
        for (hive, *_), files in groups.items()
    ]
