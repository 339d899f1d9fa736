"""A folder of this machine that stands for one in an object store: small files that tell of runs.

What people read after a run is written as on a disk, and copied to the store when the run has
ended. A machine that has not seen the runs before copies it from there when it begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from medallion.storage.filesystem import LocalStorage, Storage
from medallion.storage.index import Index, stamp_of
from medallion.storage.parallel import in_parallel

_KNOWN = "mirror.json"


@dataclass(frozen=True)
class Mirror:
    """A folder and what it stands for.

    Attributes:
        storage: The folder in the store.
        folder: The folder of this machine.
        known: A folder for what is known of both.
        without: How files end that stay on this machine.
    """

    storage: Storage
    folder: Path
    known: Path
    without: tuple[str, ...] = ()

    def pull(self) -> None:
        """Copies here what others have written; what has not changed stays.

        Raises:
            StorageError: The store cannot be read.
        """
        known = self._known()
        listed = {entry.key: entry for entry in self.storage.listed() if self._is_ours(entry.key)}
        wanted = [
            key
            for key, entry in listed.items()
            if known.get(key, ["", []])[0] != entry.version or not (self.folder / key).exists()
        ]
        for key in known.keys() - listed.keys():
            (self.folder / key).unlink(missing_ok=True)
        in_parallel(lambda key: self.storage.download(key, self.folder / key), wanted)
        fresh = {key: (listed[key].version, self._stamp(key)) for key in wanted}
        # What was written here since it was copied last is still to be copied.
        kept = {key: known[key] for key in listed.keys() - fresh.keys()}
        self._index.write({**kept, **fresh})

    def push(self) -> None:
        """Copies to the store what has been written here since it was copied last.

        Raises:
            StorageError: The store cannot be written.
        """
        known = self._known()
        changed = [key for key in self._files() if known.get(key, ["", []])[1] != self._stamp(key)]
        stamps = {key: self._stamp(key) for key in changed}
        written: dict[str, str] = {}

        def send(key: str) -> None:
            written[key] = self.storage.write(key, (self.folder / key).read_bytes())

        try:
            in_parallel(send, changed)
        finally:
            self._index.write({**known, **{k: (v, stamps[k]) for k, v in written.items()}})

    def _files(self) -> list[str]:
        found = (path for path in sorted(self.folder.rglob("*")) if path.is_file())
        return [
            key for path in found if self._is_ours(key := path.relative_to(self.folder).as_posix())
        ]

    def _stamp(self, key: str) -> list[int]:
        return list(stamp_of(str(self.folder / key)))

    def _known(self) -> dict[str, tuple[str, list[int]]]:
        """The version and the stamp of each file when both were the same."""
        return dict(self._index.read() or {})

    @property
    def _index(self) -> Index:
        return Index(LocalStorage(self.known), _KNOWN, ("mirror", self.storage.root))

    def _is_ours(self, key: str) -> bool:
        """Whether a file is no draft and no lock, and is for others."""
        return not key.rpartition("/")[2].startswith(".") and not key.endswith(self.without)
