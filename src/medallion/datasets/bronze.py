"""Bronze as Kedro datasets. They can only be loaded: Bronze is never written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import polars as pl
from kedro_datasets._typing import TablePreview

from medallion.datasets.bronze_rows import bronze_rows
from medallion.datasets.previewing import hides_in_table, table_preview
from medallion.datasets.read_only import ReadOnlyDataset
from medallion.datasets.schema import bronze_schema
from medallion.dbt_project.sources import BronzeView
from medallion.errors import LakeError
from medallion.lake.bronze import BronzeInventory, Finding, list_bronze
from medallion.spec import BRONZE_DAY, load_spec
from medallion.storage import open_storage

_LOG = logging.getLogger(__name__)


class _BronzeDataset(ReadOnlyDataset[Any]):
    """What all Bronze datasets share.

    Args:
        filepath: The Bronze root.
        spec: Path of `spec.yml`.
        cache: Where manifests are remembered; without one, each look reads all of them.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        spec: str,
        cache: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._root = filepath
        self._spec_path = spec
        self._cache = open_storage(cache) if cache else None
        self.metadata = metadata

    def _inventory(self) -> BronzeInventory:
        return list_bronze(self._root, load_spec(self._spec_path), self._cache)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._root}


class BronzeInventoryDataset(_BronzeDataset):
    """The partitions of all Bronze tables, from their manifests.

    All nodes of a process see one inventory: that of the first look.
    """

    _held: BronzeInventory | None = None

    def load(self) -> BronzeInventory:
        """Lists Bronze; opens no data file."""
        self._held = self._held or self._inventory()
        return self._held

    def _release(self) -> None:
        self._held = None


class BronzeTableDataset(_BronzeDataset):
    """A Bronze table as it was delivered, all complete partitions.

    Args:
        filepath: The Bronze root.
        spec: Path of `spec.yml`.
        table: The table.
        cache: Where manifests are remembered; without one, each look reads all of them.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        spec: str,
        table: str,
        cache: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, spec=spec, cache=cache, metadata=metadata)
        self._table = table

    @property
    def place(self) -> str:
        """The folder of the table."""
        return f"{self._root}/{self._table}"

    def load(self) -> pl.LazyFrame:
        """The rows as they were delivered, with the partition column.

        What a run would only warn of is logged.

        Raises:
            LakeError: Rows are missing, because a file or a manifest cannot be read.
        """
        spec = load_spec(self._spec_path)
        inventory = self._inventory()
        opened, findings = inventory.open(inventory.tables[self._table])
        self._tell([*(f for f in inventory.findings if f.table == self._table), *findings])
        partitions = opened.get(self._table, [])
        if not any(partition.scanned for partition in partitions):
            contract = bronze_schema(spec, self._table)
            return pl.LazyFrame(schema={**contract, BRONZE_DAY: pl.Date()})
        return bronze_rows(BronzeView(self._table, partitions, spec))

    def _tell(self, findings: Sequence[Finding]) -> None:
        critical = [str(finding) for finding in findings if finding.critical]
        if critical:
            raise LakeError(
                f"bronze.{self._table} cannot be read whole:",
                details=critical,
                hint="have these partitions delivered again.",
            )
        for finding in findings:
            _LOG.warning("%s", finding)

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows for kedro-viz, without personal data."""
        hidden = hides_in_table(load_spec(self._spec_path), self._table)
        return table_preview(lambda: self.load().head(nrows).collect(), hidden)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.place, "table": self._table}
