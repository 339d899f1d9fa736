"""The audit trail as Kedro datasets."""

from __future__ import annotations

from typing import Any

import polars as pl
from kedro_datasets._typing import TablePreview

from medallion import foreign
from medallion.datasets.previewing import hides, table_preview
from medallion.datasets.read_only import ReadOnlyDataset
from medallion.errors import LakeError
from medallion.runs.audit.trail import AuditTrail


class AuditTrailDataset(ReadOnlyDataset[AuditTrail]):
    """The trail of all runs.

    Args:
        filepath: The folder of the trail.
        metadata: For kedro-viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._trail = AuditTrail(filepath)
        self.metadata = metadata

    def load(self) -> AuditTrail:
        """A handle on the trail; nothing is read yet."""
        return self._trail

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._trail.folder)}


class AuditRunsDataset(AuditTrailDataset):
    """One row per run, table and partition, over all runs that ended.

    What a run has made that published nothing is there, too, with the status `unpublished`.
    """

    def load(self) -> pl.LazyFrame:  # type: ignore[override]
        """Reads all records; times are in UTC."""
        import duckdb

        try:
            with duckdb.connect() as connection:
                records: pl.DataFrame = connection.sql(self._trail.view()).pl()
        # DuckDB quotes bytes that are no text, and fails to say so.
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise LakeError(
                f"The audit trail at {self._trail.folder} cannot be read: "
                f"{foreign.disclosed(error)}",
                hint="put the file back from a copy, or remove it; the others are not concerned.",
            ) from error
        return records.lazy().with_columns(pl.col(pl.Datetime).dt.replace_time_zone("UTC"))

    def preview(self, nrows: int = 8) -> TablePreview:
        """The newest records for kedro-viz."""
        return table_preview(lambda: self._newest(nrows), hides("error"))

    def _newest(self, rows: int) -> pl.DataFrame:
        records = self.load().sort("timestamp", descending=True, nulls_last=True)
        return records.head(rows).collect()
