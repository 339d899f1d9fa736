"""Partitions that are no longer what their manifest describes: deleted, cut short, replaced.

The cheap look compares names and sizes. A manifest is the last file written into a partition,
so a data file that changed after it is read and its checksum compared; the thorough look
reads every file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from medallion.lake.manifest import MANIFEST, PartitionManifest, content_hash, describe_files
from medallion.lake.names import is_day
from medallion.lake.store import Lake
from medallion.storage.litter import is_hidden

_DAY_KEYS = ("ingestion_dt", "snapshot_dt")


@dataclass(frozen=True)
class Damage:
    """A partition that is not what its manifest describes.

    Attributes:
        table: Layer and table, such as `base/orders`.
        partition: The folder's name.
        what: What is wrong with it.
        is_foreign: No partition of this project has such a name.
    """

    table: str
    partition: str
    what: str
    is_foreign: bool = False

    @property
    def path(self) -> str:
        """The folder below the lake's root."""
        return f"{self.table}/{self.partition}"

    @property
    def is_copy(self) -> bool:
        """Whether it holds what another partition does."""
        return self.what.startswith(_COPY)

    def __str__(self) -> str:
        """One line: where, then what."""
        return f"{self.path}: {self.what}"


_COPY = f"its {MANIFEST} is that of "


def find_damage(lake: Lake, *, thorough: bool = False) -> list[Damage]:
    """The damaged partitions of a lake, in the order of their paths.

    Args:
        lake: The lake.
        thorough: Read every file and compare its checksum.
    """
    if lake.state.source and not thorough:
        # Absent files are brought when they are read; what is here was compared when a run began.
        return []
    tables = lake.state.tables()
    return [damage for table in tables for damage in _damaged(lake, table, thorough)]


def _damaged(lake: Lake, table: str, thorough: bool) -> Iterator[Damage]:
    state = lake.state.table(table)
    for name in state.folders:
        manifest = state.partitions.get(name)
        if not _is_ours(table, name):
            yield Damage(table, name, "is no partition of this lake", is_foreign=True)
        elif manifest is None:
            yield Damage(table, name, f"has no readable {MANIFEST}")
        elif what := _looked_at(lake, table, name, manifest, thorough=thorough):
            yield Damage(table, name, what)


def _looked_at(
    lake: Lake, table: str, name: str, manifest: PartitionManifest, *, thorough: bool
) -> str:
    """What is wrong with a partition; nothing if it is what it was, or nothing has touched it."""
    if not thorough and lake.state.is_sound(table, name):
        return ""
    seen = lake.state.look_at(table, name)
    what = what_is_wrong(lake.root / table / name, table, manifest, thorough=thorough)
    if not what:
        lake.state.note_sound(table, name, seen)
    return what


def _is_ours(table: str, name: str) -> bool:
    """Whether a run could have given a partition of such a table its name."""
    key, _, value = name.partition("=")
    if table.startswith("keys/"):
        return key == "version"
    return key in _DAY_KEYS and is_day(value)


def what_is_wrong(folder: Path, table: str, manifest: PartitionManifest, *, thorough: bool) -> str:
    """What is wrong with a partition; nothing if it is what it was.

    Args:
        folder: Where it is.
        table: Layer and table, such as `base/orders`.
        manifest: What it should hold.
        thorough: Read every file and compare its checksum.
    """
    if (manifest.table, manifest.partition) != (table, folder.name):
        return f"{_COPY}{manifest.table}/{manifest.partition}"
    if thorough and manifest.content_hash != content_hash(manifest.files):
        return f"its {MANIFEST} was changed"
    with os.scandir(folder) as entries:
        found = {entry.name: entry.stat() for entry in entries}
    return _wrong_names(manifest, found) or _wrong_content(folder, manifest, found, thorough)


def _wrong_names(manifest: PartitionManifest, found: Iterable[str]) -> str:
    listed = {file.path for file in manifest.files}
    data = {name for name in found if name.endswith(".parquet") and not is_hidden(name)}
    if absent := sorted(listed - data):
        return f"{absent[0]} is not there"
    if strange := sorted(data - listed):
        return f"{strange[0]} does not belong to it"
    return ""


def _wrong_content(
    folder: Path,
    manifest: PartitionManifest,
    found: dict[str, os.stat_result],
    thorough: bool,
) -> str:
    for file in manifest.files:
        if found[file.path].st_size != file.bytes:
            return f"{file.path} has {found[file.path].st_size:,} bytes, not {file.bytes:,}"
    sealed = _changed(found[MANIFEST])
    is_newer = any(_changed(found[file.path]) > sealed for file in manifest.files)
    if not (thorough or is_newer):
        return ""
    now = describe_files(folder, {file.path: file.rows for file in manifest.files})
    for was, file in zip(sorted(manifest.files, key=lambda f: f.path), now, strict=True):
        if was.sha256 != file.sha256:
            return f"{file.path} was replaced: its checksum is another one"
    if is_newer:
        # Copied, not changed: the next look need not read it again. Whoever may only read
        # the lake reads it again.
        with suppress(OSError):
            os.utime(folder / MANIFEST)
    return ""


def _changed(stat: os.stat_result) -> int:
    return max(stat.st_mtime_ns, stat.st_ctime_ns)
