"""The manifest of a partition that this project wrote."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

MANIFEST = "_MANIFEST.json"


@dataclass(frozen=True)
class FileEntry:
    """One file of a partition: its name, its rows, its bytes, their SHA-256."""

    path: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class PartitionManifest:
    """What a partition holds, and what it was made from. It holds no clock and no run.

    Attributes:
        table: Layer and table, such as `base/orders`.
        partition: The folder's name, such as `ingestion_dt=2025-10-15`.
        files: The Parquet files.
        columns: Name to type, in file order.
        content_hash: One hash over all files; equal content has an equal hash.
        inputs: Fingerprints of what it was made from, by the name of the input.
        bounds: Least and greatest event time of the partition, ISO text, by column.
        refers: Days of the parent rows that its rows refer to, by parent table.
        counts: Rows it was made from: `bronze_rows`, and `superseded` of a dimension.
    """

    table: str
    partition: str
    files: tuple[FileEntry, ...]
    columns: Mapping[str, str] = field(default_factory=dict)
    content_hash: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    refers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The partition column."""
        return self.partition.partition("=")[0]

    @property
    def value(self) -> str:
        """The partition value."""
        return self.partition.partition("=")[2]

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files)


_MANIFESTS = TypeAdapter(PartitionManifest)


def parse_manifest(content: bytes | str) -> PartitionManifest:
    """What a manifest says.

    Raises:
        ValidationError: It is no JSON, or says something else.
    """
    return _MANIFESTS.validate_json(content)


class Origin(BaseModel):
    """One input of a partition.

    Attributes:
        fingerprint: Of the parts of the input that the partition was made from.
        rows: How many rows these parts have; None where that is not counted.
    """

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    rows: int | None = None


# Making an encoder takes longer than most of what it encodes.
_AS_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str)


def fingerprint(content: object) -> str:
    """A hash of JSON-like content that does not depend on the order of keys."""
    return hashlib.sha256(_AS_JSON.encode(content).encode()).hexdigest()


def describe_files(folder: Path, rows: Mapping[str, int]) -> tuple[FileEntry, ...]:
    """Hashes the files of a folder; `rows` gives their names and row counts."""
    return tuple(
        FileEntry(
            path=name,
            rows=count,
            bytes=(folder / name).stat().st_size,
            sha256=file_hash(folder / name),
        )
        for name, count in sorted(rows.items())
    )


def content_hash(files: Sequence[FileEntry]) -> str:
    """One hash for the content of several files."""
    return fingerprint([(file.path, file.sha256) for file in files])


def write_manifest(folder: Path, manifest: PartitionManifest) -> None:
    """Writes the manifest into its partition; it is the last file written there."""
    text = json.dumps(asdict(manifest), indent=2, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def file_hash(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
