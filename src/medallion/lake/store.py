"""The lake that this project writes: which partitions stand, and what changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from medallion.errors import LakeError
from medallion.lake.commits import Commit, Commits
from medallion.lake.disk_commits import DiskCommits
from medallion.lake.manifest import MANIFEST, Origin, PartitionManifest, describe_files
from medallion.lake.state import reader_of
from medallion.storage import Document, open_storage
from medallion.storage.layout import LakeLayout


class Lake:
    """The tables under one root, such as `data/silver`.

    Args:
        root: The folder that holds `base/`, `quarantine/`, `dims/` and `enriched/`.
        without: Partitions to leave out, by their path below the root.
    """

    def __init__(self, root: str | Path, without: Iterable[str] = ()) -> None:
        self.root = Path(root)
        self.places = LakeLayout(self.root)
        self.storage = open_storage(self.root)
        self.state = reader_of(self.root.absolute())
        self._commits: Commits = DiskCommits(self.places, self.state)
        self._without = frozenset(without)

    def document(self, key: str) -> Document:
        """A small object of the lake's state."""
        return Document(self.storage, key)

    def partitions(self, table: str) -> dict[str, PartitionManifest]:
        """The committed partitions of a table such as `base/orders`, by value, ascending.

        Raises:
            LakeError: A partition has no readable manifest.
        """
        state = self.state.table(table)
        for name in state.unreadable:
            if f"{table}/{name}" not in self._without:
                raise LakeError(
                    f"{self.root / table / name} has no readable {MANIFEST}.",
                    hint="remove the folder; the next run that includes its day makes it anew.",
                )
        if not self._without:
            return dict(state.by_value)
        return {
            name.partition("=")[2]: manifest
            for name, manifest in state.partitions.items()
            if f"{table}/{name}" not in self._without
        }

    def files(self, table: str, values: set[str] | None = None) -> list[Path]:
        """The Parquet files of a table, or of some of its partitions, in a fixed order."""
        return [
            self.root / table / manifest.partition / file.path
            for value, manifest in self.partitions(table).items()
            if values is None or value in values
            for file in manifest.files
        ]

    def verifies(self, table: str, manifest: PartitionManifest) -> bool:
        """Whether the files of a partition are still those its manifest describes."""
        folder = self.root / table / manifest.partition
        try:
            found = describe_files(folder, {file.path: file.rows for file in manifest.files})
        except FileNotFoundError:
            return False
        return found == manifest.files

    def staging(self, run_id: str, step: str) -> Path:
        """See `Commits.staging`."""
        return self._commits.staging(run_id, step)

    def prepare(
        self,
        folder: Path,
        remove: Mapping[str, set[str]],
        origins: Mapping[str, Mapping[str, Origin]] | None = None,
    ) -> Commit:
        """See `Commits.prepare`."""
        return self._commits.prepare(folder, remove, origins or {})

    def remove(self, partitions: Iterable[str]) -> None:
        """See `Commits.remove`."""
        self._commits.remove(partitions)

    def recover(self, *, only: str | None = None, living: str | None = None) -> list[str]:
        """See `Commits.recover`."""
        return self._commits.recover(only=only, living=living)
