"""Completing partitions that were written aside: their manifest is the last file written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from medallion.lake.manifest import (
    PartitionManifest,
    content_hash,
    describe_files,
    write_manifest,
)


def seal(
    folder: Path,
    table: str,
    rows: Mapping[str, int],
    columns: Mapping[str, str],
    *,
    inputs: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[str, str]] | None = None,
    refers: Mapping[str, Sequence[str]] | None = None,
    counts: Mapping[str, int] | None = None,
) -> PartitionManifest:
    """Writes the manifest of a partition whose files are complete.

    Args:
        folder: The partition in staging.
        table: Layer and table, such as `base/orders`.
        rows: Rows per file name.
        columns: Name to type, in file order.
        inputs: Fingerprints of what it was made from.
        bounds: Least and greatest event time, by column.
        refers: Days of the parent rows it refers to, by parent table.
        counts: Rows it was made from.
    """
    files = describe_files(folder, rows)
    manifest = PartitionManifest(
        table=table,
        partition=folder.name,
        files=files,
        columns=dict(columns),
        content_hash=content_hash(files),
        inputs=dict(inputs or {}),
        bounds=dict(bounds or {}),
        refers={parent: tuple(days) for parent, days in (refers or {}).items() if days},
        counts=dict(counts or {}),
    )
    write_manifest(folder, manifest)
    return manifest
