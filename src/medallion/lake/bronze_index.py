"""What Bronze's manifests said, so that those of years need not be read again by each run.

Only what follows from a manifest alone is remembered: no problem, and nothing that depends on
the files beside it. A look at Bronze writes nothing: what was learned is written when a run ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from medallion.lake.manifest import fingerprint
from medallion.spec import Spec
from medallion.storage import Storage
from medallion.storage.index import Index, Stamp, is_at_rest, stamp_of

MANIFEST = "_MANIFEST.json"
# Rises when a manifest is read in another way.
_FORMAT = 1


class Said(NamedTuple):
    """What a manifest said.

    Attributes:
        stamp: Of its file.
        fingerprint: The SHA-256 of its bytes.
        rows: Rows by file, as a path below the partition.
    """

    stamp: Stamp
    fingerprint: str
    rows: Mapping[str, int]


@dataclass
class KnownManifests:
    """The manifests of one table.

    Attributes:
        table: The table.
        folder: Its folder.
        index: Where they are remembered; without a storage, none is.
    """

    table: str
    folder: str
    index: Index
    _before: dict[str, Said] = field(default_factory=dict)
    _now: dict[str, Said] = field(default_factory=dict)

    @classmethod
    def of(cls, cache: Storage | None, folder: str, table: str, spec: Spec) -> Self:
        """What is remembered of a table's manifests.

        Args:
            cache: Where; None if nothing is, or the folder is not on a disk.
            folder: The table's folder.
            table: The table.
            spec: The names of its tables decide how a manifest is read.
        """
        reading = fingerprint([_FORMAT, sorted(spec.tables)])
        index = Index(cache, f"{table}.json", (reading, folder))
        entries = index.read() or {}
        before = {name: Said(tuple(stamp), *rest) for name, (stamp, *rest) in entries.items()}
        return cls(table, folder, index, before)

    def get(self, name: str) -> Said | None:
        """What the manifest in a folder said; None if it is not known, or was written since."""
        said = self._before.get(name)
        if said is None or said.stamp != self.stamp(name):
            return None
        self._now[name] = said
        return said

    def stamp(self, name: str) -> Stamp:
        """The stamp of the manifest in a folder; nothing if there is none, or it is of no use."""
        return stamp_of(f"{self.folder}/{name}/{MANIFEST}") if self.index.storage else ()

    def note(self, name: str, stamp: Stamp, content: str, rows: Mapping[str, int]) -> None:
        """Remembers what a manifest says.

        Args:
            name: The partition's folder.
            stamp: The manifest's, before it was read.
            content: The SHA-256 of its bytes.
            rows: Rows by file.
        """
        if is_at_rest(stamp):
            self._now[name] = Said(stamp, content, rows)

    def learned(self) -> None:
        """Keeps what is known now until `remember` writes it, unless it was known before."""
        if self._now != self._before:
            _learned[self.folder] = (self.index, dict(self._now))


# By table's folder: where it is remembered, and what.
_learned: dict[str, tuple[Index, dict[str, Said]]] = {}


def remember() -> None:
    """Writes what this process has learned of Bronze."""
    while _learned:
        index, known = _learned.popitem()[1]
        index.write(known)
