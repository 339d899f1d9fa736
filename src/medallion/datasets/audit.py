"""The audit trail as Kedro datasets."""

from __future__ import annotations

from typing import Any

import polars as pl

from medallion.audit.record import columns
from medallion.audit.trail import AuditTrail
from medallion.datasets.read_only import ReadOnlyDataset

_POLARS = {
    "varchar": pl.String(),
    "bigint": pl.Int64(),
    "double": pl.Float64(),
    "map(varchar, varchar)": pl.List(pl.Struct({"input": pl.String(), "fingerprint": pl.String()})),
}


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
    """One row per run, table and partition, over all runs that ended."""

    def load(self) -> pl.LazyFrame:  # type: ignore[override]
        """Reads all records."""
        schema = {name: _POLARS[kind] for name, kind in columns().items()}
        rows = [_row(record) for record in self._trail.every_record()]
        return pl.LazyFrame(rows, schema=schema, orient="row")


def _row(record: dict[str, Any]) -> list[Any]:
    inputs = [
        {"input": name, "fingerprint": value}
        for name, value in sorted(record["input_manifests"].items())
    ]
    return [inputs if name == "input_manifests" else record[name] for name in columns()]
