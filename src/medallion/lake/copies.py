"""Copies of many small partitions in few files, for queries over the whole history.

A lake of years holds thousands of small files, and to open one takes longer than to read it. So
the partitions of a month stand a second time in one file of the cache. The lake itself stays as
it is: a copy is named by the content of the partitions that it is made of and by its own bytes,
so one that is out of date or damaged is not read, and all may be deleted at any time.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from medallion.lake.manifest import PartitionManifest, file_hash, fingerprint
from medallion.lake.names import is_day
from medallion.lake.scans import connect_to_settled, path_literal, read_days

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

# Rises when copies are written in another way.
_FORMAT = 1
# From how many partitions of a table on, and of a month; up to how many rows in one of them.
_MANY, _FEW, _SMALL_ROWS = 100, 5, 20_000
_MONTH = len("2025-10")
Partitions = Mapping[str, PartitionManifest]
FilesOf = Callable[[Collection[PartitionManifest]], Sequence[Path]]


@dataclass(frozen=True)
class Sources:
    """The files that hold some partitions of a table, each row once.

    Attributes:
        copies: Files of whole months, which hold the day as their last column.
        files: Files of the lake itself, in their partitions' folders.
    """

    copies: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()


@dataclass
class Copies:
    """The copies of a lake's tables.

    Attributes:
        folder: Where they are.
    """

    folder: Path
    _sound: set[Path] = field(default_factory=set)
    # By table and month, what the copy is called that was asked for last.
    _current: dict[str, dict[str, str]] = field(default_factory=dict)
    _known: dict[tuple[str, frozenset[str]], tuple[Partitions, Sources]] = field(
        default_factory=dict
    )
    _lock: RLock = field(default_factory=RLock)

    def sources(
        self, table: str, standing: Partitions, wanted: Partitions, files: FilesOf
    ) -> Sources:
        """Where to read some partitions; months that are not copied yet are copied now.

        Args:
            table: Layer and table, such as `base/orders`.
            standing: All partitions of the table, by value; the same object as before if they
                are the same as before.
            wanted: Those that are read.
            files: Gives the files of some partitions.
        """
        key = (table, frozenset(wanted))
        with self._lock:
            known = self._known.get(key)
            if not (known and known[0] is standing and all(p.exists() for p in known[1].copies)):
                known = self._known[key] = standing, self._found(table, standing, wanted, files)
            return known[1]

    def prune(self) -> None:
        """Removes copies that are out of date, of tables that this process has read."""
        with self._lock:
            self._known.clear()
            for table, current in self._current.items():
                for path in (self.folder / table).glob("*"):
                    if path.name.rpartition("~")[0] not in current.values():
                        path.unlink(missing_ok=True)

    def _found(
        self, table: str, standing: Partitions, wanted: Partitions, files: FilesOf
    ) -> Sources:
        copied: list[Path] = []
        others: list[PartitionManifest] = []
        sizes = Counter(value[:_MONTH] for value in standing)
        there = {path.name.rpartition("~")[0]: path for path in (self.folder / table).glob("*~*")}
        with connect_to_settled() as connection:
            for month, members in _months(wanted).items():
                copy = None
                if sizes[month] == len(members) and _is_worth_it(members):
                    name = _name(month, members)
                    self._current.setdefault(table, {})[month] = name
                    copy = self._sound_copy(there.get(name)) or _written(
                        self.folder / table, name, members, files, connection
                    )
                if copy:
                    self._sound.add(copy)
                    copied.append(copy)
                else:
                    others += members.values()
        return Sources(tuple(copied), tuple(files(others)))

    def _sound_copy(self, path: Path | None) -> Path | None:
        """A copy that has the bytes that its name says; it is read once to know."""
        if path is None or path in self._sound or _is_sound(path):
            return path
        with suppress(OSError):
            path.unlink()
        return None


def sources(
    copies: Copies | None, table: str, standing: Partitions, wanted: Partitions, files: FilesOf
) -> Sources:
    """Where to read some partitions of a table, whether there may be copies or not.

    Args:
        copies: The copies; None if nothing is copied.
        table: Layer and table, such as `base/orders`.
        standing: All partitions of the table, by value.
        wanted: Those that are read.
        files: Gives the files of some partitions.
    """
    if copies and len(standing) >= _MANY:
        return copies.sources(table, standing, wanted, files)
    return Sources(files=tuple(files(wanted.values())))


def _months(partitions: Partitions) -> dict[str, dict[str, PartitionManifest]]:
    """Partitions by month; such as are no day are by themselves."""
    found: dict[str, dict[str, PartitionManifest]] = defaultdict(dict)
    for value, manifest in partitions.items():
        found[value[:_MONTH] if is_day(value) else value][value] = manifest
    return found


def _is_worth_it(members: Partitions) -> bool:
    """Whether partitions are many and small, and all of the same columns."""
    columns = next(iter(members.values())).columns
    return len(members) >= _FEW and all(
        one.rows <= _SMALL_ROWS and one.columns == columns for one in members.values()
    )


def _name(month: str, members: Partitions) -> str:
    """What the copy of a month is called, before its own checksum."""
    content = [(value, manifest.content_hash) for value, manifest in members.items()]
    columns = next(iter(members.values())).columns
    return f"{month}-{fingerprint([_FORMAT, content, columns])[:32]}"


def _written(
    folder: Path,
    name: str,
    members: Partitions,
    files: FilesOf,
    connection: duckdb.DuckDBPyConnection,
) -> Path | None:
    """A new copy; None if it cannot be made, which is no matter."""
    import duckdb

    day = next(iter(members.values())).key
    rows = read_days(files(members.values()), day)
    draft = folder / f"_{name}-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        connection.execute(
            f"copy ({rows}) to {path_literal(draft)}"
            " (format parquet, compression zstd, compression_level 1)"
        )
        return draft.replace(folder / f"{name}~{file_hash(draft)}.parquet")
    # Whether the disk is full or the lake damaged, who reads the files themselves is told.
    except (OSError, duckdb.Error) as error:
        logger.debug("No copy %s was made.", name, exc_info=error)
        with suppress(OSError):
            draft.unlink()
        return None


def _is_sound(path: Path) -> bool:
    """Whether a copy has the bytes that its name says."""
    try:
        return file_hash(path) == path.stem.rpartition("~")[2]
    except OSError:
        return False
