"""What stands in Bronze: partitions, their manifests and their files. Never written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True, slots=True)
class BronzeFile:
    """One Parquet file that a manifest lists.

    Attributes:
        path: Where it is.
        rows: Rows as its footer says.
        columns: Physical columns in file order, name to DuckDB type (`VARCHAR`, `BIGINT`, ...).
    """

    path: str
    rows: int
    columns: Mapping[str, str] = field(hash=False)


@dataclass(frozen=True, slots=True)
class BronzePartition:
    """One completed partition of a Bronze table.

    Attributes:
        table: The table.
        key: The partition key found on disk, such as `ingest_dt` or `signup_date`.
        value: The partition value as on disk.
        fingerprint: SHA-256 of the manifest; it changes whenever the partition is delivered again.
        files: The files the manifest lists.
    """

    table: str
    key: str
    value: str
    fingerprint: str
    files: tuple[BronzeFile, ...]

    @property
    def day(self) -> date | None:
        """The ingest day, or None in the layouts that have none."""
        return date.fromisoformat(self.value) if self.key == "ingest_dt" else None

    @property
    def rows(self) -> int:
        """Rows of all files, from their footers."""
        return sum(file.rows for file in self.files)
