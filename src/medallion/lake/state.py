"""What stands in the lake, as a value that is read once.

On disk the folders are the truth. Reading tens of thousands of manifests takes many seconds, so
an index beside the lake remembers what each said (see `storage.index`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pydantic import ValidationError

from medallion.lake.copies import Copies
from medallion.lake.manifest import (
    MANIFEST,
    FileEntry,
    PartitionManifest,
    fingerprint,
    parse_manifest,
)
from medallion.storage import Document, LocalStorage, Storage
from medallion.storage.index import Index, Stamp, is_at_rest, stamp_of
from medallion.storage.layout import LakeLayout
from medallion.storage.litter import is_hidden

if TYPE_CHECKING:
    from medallion.lake.published import Published

LAYERS = ("base", "quarantine", "dims", "keys", "enriched")
# Rises when the index is written in another way.
_FORMAT = 1
_LAKES_AT_A_TIME = 8
_COPIES = "copies"


@dataclass(frozen=True)
class TableState:
    """What stands of a table.

    Attributes:
        table: Layer and table, such as `base/orders`.
        partitions: The manifest of each partition by its folder's name, ascending.
        unreadable: Folders of partitions without a readable manifest, ascending.
    """

    table: str
    partitions: Mapping[str, PartitionManifest] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()

    @property
    def folders(self) -> list[str]:
        """All folders of partitions, readable or not, ascending."""
        return sorted((*self.partitions, *self.unreadable))

    @cached_property
    def by_value(self) -> dict[str, PartitionManifest]:
        """The manifests by partition value."""
        return {name.partition("=")[2]: found for name, found in self.partitions.items()}


@dataclass(frozen=True)
class LakeState:
    """What stands in a lake.

    Attributes:
        root: The lake's folder.
        tables: What stands of each table, by its name.
    """

    root: Path
    tables: Mapping[str, TableState]

    def files(self, table: str) -> list[Path]:
        """The files of a table, in a fixed order."""
        return [
            self.root / table / name / file.path
            for name, manifest in self.tables[table].partitions.items()
            for file in manifest.files
        ]


class _Entry(NamedTuple):
    """A manifest that was read, and from which file.

    Attributes:
        stamp: Of the manifest's file.
        manifest: What it says.
        sound: Of the folder and its files, when they were found to be what the manifest says.
    """

    stamp: Stamp
    manifest: PartitionManifest
    sound: Stamp = ()


@dataclass(frozen=True)
class _Read:
    """A table as it was read: its folder's stamp, and what came of it."""

    folder: Stamp
    is_at_rest: bool
    state: TableState


@dataclass(frozen=True)
class Publication:
    """What a publication has done.

    Attributes:
        run_id: The run whose state is current.
        is_new: Whether it was published just now; else nothing had changed.
        partitions: Partitions that were written or removed.
        objects: Files that were uploaded.
        bytes: Their bytes.
    """

    run_id: str
    is_new: bool
    partitions: int = 0
    objects: int = 0
    bytes: int = 0


class Placed(NamedTuple):
    """A partition, and where its files are.

    Attributes:
        manifest: What it holds.
        files: Paths of this machine, or URLs.
    """

    manifest: PartitionManifest
    files: list[str]


class Source(Protocol):
    """What a folder is a working copy of."""

    @property
    def storage(self) -> Storage:
        """Where the lake is."""

    @property
    def published(self) -> Published:
        """The lake as everybody reads it."""

    def begin(self, run_id: str, *, is_taken_over: bool = False) -> None:
        """Makes the folder say what is published, for a run that begins or goes on.

        Args:
            run_id: The run.
            is_taken_over: Whether another run had the lake and has let nobody hear of it since:
                should it wake up, it must not publish any more.
        """

    def end(self) -> None:
        """Ends this process's part of the run: from now on it only reads."""

    def standing(self, table: str) -> list[Placed] | None:
        """What is published of a table, for who only reads; None for a run: the folder counts."""

    def join(self, run_id: str) -> None:
        """Takes in what steps of the run have shared meanwhile."""

    def share(self, run_id: str, step: str, tables: Collection[str] | None) -> None:
        """Lets other machines see what a step of a run has changed: in some tables, or in all."""

    def refresh(self) -> None:
        """The same for somebody who only reads, unless a run is at work in the folder."""

    def fetch(self, manifests: Iterable[PartitionManifest]) -> None:
        """Sees to it that the files of some partitions are in the folder."""

    def objects(self, manifest: PartitionManifest) -> list[str]:
        """Where the files of a partition are, as URLs."""

    def publish(self, run_id: str, told: Mapping[str, str | int | None]) -> Publication:
        """Uploads what has changed since the run began, and makes it current."""

    def has_published(self, run_id: str) -> bool:
        """Whether the state of a run is what everybody reads, or what that was made on."""

    def described(self) -> dict[str, Any]:
        """Which run's state is current, and what its tables come to; empty if there is none."""


class Past(Protocol):
    """What stood in a lake before, for somebody who reads."""

    def table(self, standing: TableState) -> TableState:
        """What stood of a table.

        Args:
            standing: What stands of it.
        """

    def folder(self, manifest: PartitionManifest) -> Path | None:
        """Where a partition is that does not stand; None for one that does."""


class StateReader:
    """Reads the state of a lake, each manifest once.

    Args:
        root: The lake's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.copies: Copies | None = None
        #: Brings files here, if the folder is a working copy of a lake that is elsewhere.
        self.source: Source | None = None
        #: Shows an earlier state instead of the current one, to who only reads.
        self.past: Past | None = None
        #: How many earlier states of a lake on a disk are kept.
        self.kept_runs = 1
        self._cache: LocalStorage | None = None
        self._entries: dict[str, dict[str, _Entry]] = {}
        self._written: dict[str, set[Stamp]] = {}
        self._read: dict[str, _Read] = {}
        self._is_held = False
        self._lock = RLock()

    def remember_in(self, folder: Path) -> None:
        """Names the folder of the index and of copies; without one, nothing is remembered."""
        self._cache = LocalStorage(folder)
        if self.copies is None or self.copies.folder != folder / _COPIES:
            self.copies = Copies(folder / _COPIES)

    def hold(self) -> None:
        """Begins a run: each table is read once from now on, and again when it has changed.

        Partitions are put in place and taken away by changing the folder of their table, so
        that one look at this folder tells whether there is anything to read.
        """
        with self._lock:
            self._read.clear()
            self._is_held = True

    def release(self) -> None:
        """Ends a run: from now on each look at a table is a look at all its manifests."""
        with self._lock:
            self._is_held = False
            self._read.clear()

    def whole(self) -> LakeState:
        """All that stands."""
        return LakeState(
            self.root, MappingProxyType({table: self.table(table) for table in self.tables()})
        )

    def tables(self) -> Iterator[str]:
        """The tables that have a folder, by layer."""
        for layer in LAYERS:
            for folder in sorted((self.root / layer).glob("*/")):
                if not is_hidden(folder.name):
                    yield f"{layer}/{folder.name}"

    def table(self, table: str) -> TableState:
        """What stands of a table; what stood of it, if an earlier state is shown."""
        standing = self.standing(table)
        return self.past.table(standing) if self.past else standing

    def folder(self, manifest: PartitionManifest) -> Path:
        """The folder of a partition that `table` has given."""
        elsewhere = self.past.folder(manifest) if self.past else None
        return elsewhere or self.root / manifest.table / manifest.partition

    def standing(self, table: str) -> TableState:
        """What stands of a table."""
        with self._lock:
            folder = stamp_of(f"{self.root}/{table}")
            read = self._read.get(table)
            if read and self._is_held and read.is_at_rest and read.folder == folder:
                return read.state
            at_rest = is_at_rest(folder)
            state = self._scan(table) if folder else TableState(table)
            self._read[table] = _Read(folder, at_rest, state)
            return state

    def forget(self, table: str) -> None:
        """Looks at a table again, because this process has changed it."""
        with self._lock:
            self._read.pop(table, None)

    def is_sound(self, table: str, name: str) -> bool:
        """Whether a partition was found to be sound, and none of its files has changed since."""
        entry = self._entries.get(table, {}).get(name)
        return entry is not None and entry.sound == self.look_at(table, name)

    def look_at(self, table: str, name: str) -> Stamp:
        """What is to be compared to know whether anything in a partition has changed."""
        folder, manifest = f"{self.root}/{table}/{name}", self._entries[table][name].manifest
        paths = (folder, *(f"{folder}/{file.path}" for file in manifest.files))
        return tuple(number for path in paths for number in stamp_of(path))

    def note_sound(self, table: str, name: str, seen: Stamp) -> None:
        """Remembers that a partition is what its manifest describes.

        Args:
            table: The table.
            name: The partition's folder.
            seen: What `look_at` gave before the partition was looked into.
        """
        with self._lock:
            entry = self._entries[table].get(name)
            if entry and is_at_rest(entry.stamp) and all(map(is_at_rest, _parts(seen))):
                self._entries[table][name] = entry._replace(sound=seen)

    def save(self) -> None:
        """Writes the index of the tables of which it does not say what is known now.

        An index that cannot be written is no matter: the next run reads the manifests.
        """
        with self._lock:
            for table, entries in self._entries.items():
                kept = {name: e for name, e in entries.items() if is_at_rest(e.stamp)}
                known = {(*entry.stamp, *entry.sound) for entry in kept.values()}
                if self._cache and known != self._written.get(table, set()):
                    if not self._index(table).write(_encoded(kept)):
                        return
                    self._written[table] = known

    def _scan(self, table: str) -> TableState:
        """Looks at every manifest of a table, and reads those that have changed."""
        known = self._known(table)
        entries: dict[str, _Entry] = {}
        unreadable = []
        for name in _partition_folders(f"{self.root}/{table}"):
            path = f"{self.root}/{table}/{name}/{MANIFEST}"
            entry, stamp = known.get(name), stamp_of(path)
            if not (entry and entry.stamp == stamp and is_at_rest(stamp)):
                entry = _read_entry(path, stamp)
            if entry:
                entries[name] = entry
            else:
                unreadable.append(name)
        self._entries[table] = entries
        manifests = {name: entry.manifest for name, entry in entries.items()}
        return TableState(table, MappingProxyType(manifests), tuple(unreadable))

    def _known(self, table: str) -> dict[str, _Entry]:
        """What this process has read of a table, or what the index remembers of it."""
        if table not in self._entries:
            found = self._from_index(table)
            self._entries[table] = found
            self._written[table] = {(*entry.stamp, *entry.sound) for entry in found.values()}
        return self._entries[table]

    def _from_index(self, table: str) -> dict[str, _Entry]:
        columns, rows = self._index(table).read() or ([], {})
        return {name: _decoded_entry(columns, row) for name, row in rows.items()}

    def _index(self, table: str) -> Index:
        return Index(self._cache, f"{table}.json", (_version(), str(self.root), table))


@lru_cache(maxsize=_LAKES_AT_A_TIME)
def reader_of(root: Path) -> StateReader:
    """The reader of a lake, which all that read the same lake in this process share."""
    return StateReader(root)


def documents_of(root: Path) -> dict[str, bytes]:
    """The small objects that belong to the state of a lake, by key."""
    here = LocalStorage(root)
    found: dict[str, bytes] = {}
    for beginning in LakeLayout(root).documents:
        # Listing what begins like a key would go through all that lies beside it.
        is_key = not beginning.endswith("/")
        keys = [beginning] if is_key else [entry.key for entry in here.listed(beginning)]
        for key in keys:
            content = Document(here, key).content() if key.endswith(".json") else None
            if content is not None:
                found[key] = content
    return found


def _partition_folders(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if "=" in name and not is_hidden(name))


def _parts(seen: Stamp) -> Iterator[Stamp]:
    for start in range(0, len(seen), 4):
        yield seen[start : start + 4]


def _read_entry(path: str, stamp: Stamp) -> _Entry | None:
    """The manifest in a file; None if there is none that can be read."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - making paths of all takes as long as this
            return _Entry(stamp, parse_manifest(file.read()))
    except (OSError, ValidationError):
        return None


@lru_cache(maxsize=1)
def _version() -> str:
    """Changes with what a manifest holds, so that an index of other code is not believed."""
    described = [
        [model.__name__, one.name, str(one.type)]
        for model in (PartitionManifest, FileEntry)
        for one in fields(model)
    ]
    return fingerprint([_FORMAT, described])


def _encoded(entries: Mapping[str, _Entry]) -> object:
    """The entries of an index: each different set of columns once, then what refers to them."""
    columns: dict[str, int] = {}
    rows = {}
    for name, (stamp, manifest, sound) in entries.items():
        text = json.dumps(manifest.columns)
        held = columns.setdefault(text, len(columns))
        files = [[file.path, file.rows, file.bytes, file.sha256] for file in manifest.files]
        rest = [manifest.inputs, manifest.bounds, manifest.refers, manifest.counts]
        named = [manifest.table, manifest.partition, manifest.content_hash]
        rows[name] = [stamp, sound, *named, files, held, *rest]
    return [[json.loads(text) for text in columns], rows]


def _decoded_entry(columns: list[dict[str, str]], row: list[Any]) -> _Entry:
    stamp, sound, table, partition, content_hash, files, held, inputs, bounds, refers, counts = row
    manifest = PartitionManifest(
        table=table,
        partition=partition,
        files=tuple(FileEntry(*file) for file in files),
        columns=columns[held],
        content_hash=content_hash,
        inputs=inputs,
        bounds={name: (low, high) for name, (low, high) in bounds.items()} if bounds else {},
        refers={parent: tuple(days) for parent, days in refers.items()} if refers else {},
        counts=counts,
    )
    return _Entry(tuple(stamp), manifest, tuple(sound))
