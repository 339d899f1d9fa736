"""Bronze in an object store, as a folder of this machine that has the same names in it.

One listing says what is there. Manifests are downloaded when they are new, several at a time, and
kept by their generation; files of data are empty until a run opens their partition. Nothing is
ever written to the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Self

from medallion.lake.bronze_index import MANIFEST
from medallion.storage import Entry, LocalStorage, Storage, open_storage
from medallion.storage.filesystem import is_key
from medallion.storage.index import Index
from medallion.storage.parallel import in_parallel

_INDEX = "index.json"
_FOLDER = "bronze"
_NO_DATA = ""


@dataclass
class BronzeMirror:
    """The copy of one Bronze.

    Attributes:
        storage: Where Bronze is.
        top: A folder for the copy and what is known of it.
    """

    storage: Storage
    top: Path
    # The generation of what each file holds; nothing while it is empty and only a name.
    _held: dict[str, str] = field(default_factory=dict)
    _listed: dict[str, Entry] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    @classmethod
    def of(cls, root: str, cache: Path) -> Self:
        """The copy of a Bronze such as `gs://bucket/raw`, below a folder of the cache."""
        name = hashlib.sha256(root.rstrip("/").encode()).hexdigest()[:16]
        return cls(open_storage(root, read_only=True), cache / name)

    @property
    def folder(self) -> Path:
        """The folder that looks like Bronze."""
        return self.top / _FOLDER

    def look(self) -> None:
        """Lists Bronze, and lets the folder have its names and its manifests.

        Raises:
            StorageError: It cannot be listed or read.
        """
        with self._lock:
            self._held = dict(self._index.read() or {})
            self._listed = {entry.key: entry for entry in self._files()}
            for key in self._held.keys() - self._listed.keys():
                (self.folder / key).unlink(missing_ok=True)
                self._held.pop(key)
            self.folder.mkdir(parents=True, exist_ok=True)
            _drop_empty(self.folder, {key.rpartition("/")[0] for key in self._listed})
            self._download(key for key in self._listed if _is_small(key))
            for key in self._listed:
                if not _is_small(key) and not self._is_current(key):
                    self._make_name(key)
            self._index.write(self._held)

    def fetch(self, folders: Collection[str]) -> None:
        """Downloads the files of some partitions, as far as they are not here.

        Args:
            folders: The partitions' folders.

        Raises:
            StorageError: One cannot be read.
        """
        prefixes = tuple(f"{Path(one).relative_to(self.folder).as_posix()}/" for one in folders)
        with self._lock:
            if prefixes:
                self._download(key for key in self._listed if key.startswith(prefixes))
                self._index.write(self._held)

    def _download(self, keys: Iterable[str]) -> None:
        wanted = [key for key in keys if not self._is_current(key)]
        in_parallel(lambda key: self.storage.download(key, self.folder / key), wanted)
        self._held |= {key: self._listed[key].version for key in wanted}

    def _files(self) -> Iterator[Entry]:
        """The objects that can be files: stores keep some for folders, too, and odd names."""
        return (entry for entry in self.storage.listed() if is_key(entry.key))

    def _is_current(self, key: str) -> bool:
        """Whether the file holds what is in Bronze now; one of another size was changed."""
        if self._held.get(key) != self._listed[key].version:
            return False
        path = self.folder / key
        return path.is_file() and path.stat().st_size == self._listed[key].size

    def _make_name(self, key: str) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        self._held[key] = _NO_DATA

    @property
    def _index(self) -> Index:
        return Index(LocalStorage(self.top), _INDEX, ("bronze", self.storage.root))


def _is_small(key: str) -> bool:
    """Whether an object is read before anybody asks for its partition."""
    return key.rpartition("/")[2] == MANIFEST


def _drop_empty(root: Path, folders: Collection[str]) -> None:
    """Removes folders in which nothing is listed any more."""
    wanted = {root / part for folder in folders for part in _parents(folder)}
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir() and path not in wanted and not any(path.iterdir()):
            path.rmdir()


def _parents(folder: str) -> Iterable[str]:
    parts = folder.split("/")
    return ("/".join(parts[: n + 1]) for n in range(len(parts)))
