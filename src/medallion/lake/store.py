"""The lake that this project writes: which partitions stand, and what changes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from medallion.errors import LakeError
from medallion.lake.commits import Commit, Commits
from medallion.lake.copies import sources
from medallion.lake.disk_commits import DiskCommits
from medallion.lake.disk_history import DiskHistory
from medallion.lake.manifest import MANIFEST, Origin, PartitionManifest, describe_files
from medallion.lake.scans import read_sources
from medallion.lake.state import Placed, Publication, reader_of
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
        #: The earlier states, of a lake on a disk.
        self.history = DiskHistory(self.places, self.state)
        self._commits: Commits = DiskCommits(self.places, self.state, self.history)
        self._without = frozenset(without)

    def document(self, key: str) -> Document:
        """A small object of the lake's state."""
        return Document(self.storage, key)

    def partitions(self, table: str) -> dict[str, PartitionManifest]:
        """The committed partitions of a table such as `base/orders`, by value, ascending.

        Raises:
            LakeError: A partition has no readable manifest.
        """
        return dict(self._standing(table))

    def _standing(self, table: str) -> Mapping[str, PartitionManifest]:
        state = self.state.table(table)
        for name in state.unreadable:
            if f"{table}/{name}" not in self._without:
                raise LakeError(
                    f"{self.root / table / name} has no readable {MANIFEST}.",
                    hint="remove the folder; the next run that includes its day makes it anew.",
                )
        return (
            state.by_value
            if not self._without
            else {
                name.partition("=")[2]: manifest
                for name, manifest in state.partitions.items()
                if f"{table}/{name}" not in self._without
            }
        )

    def files(self, table: str, values: set[str] | None = None) -> list[Path]:
        """The Parquet files of a table, or of some of its partitions, in a fixed order."""
        standing = self._standing(table)
        return self._files_of([m for v, m in standing.items() if values is None or v in values])

    def rows(
        self, table: str, values: Collection[str] | None = None, columns: Sequence[str] = ("*",)
    ) -> str:
        """SQL of a SELECT over the rows of a table, with the partition column as the last one.

        Where the table has many small files, it reads copies that hold a month each.

        Args:
            table: Layer and table, such as `base/orders`.
            values: The partitions to read; the default is all. At least one of them stands.
            columns: Expressions over the columns of the files.
        """
        standing = self._standing(table)
        wanted = {v: m for v, m in standing.items() if values is None or v in values}
        read = sources(self.state.copies, table, standing, wanted, self._files_of)
        first = next(iter(wanted.values()))
        return read_sources(
            read.copies,
            read.files,
            first.key,
            columns,
            union_by_name=any(one.columns != first.columns for one in wanted.values()),
        )

    def placed(self, table: str) -> list[Placed]:
        """The partitions of a table, ascending, and where the files of each are.

        Nothing is brought here: who reads a column or a day of them reads only that. Of a lake in
        an object store, who only reads is given objects, which never change: a query goes on
        reading the state it was opened on, whatever becomes current or is shown here later.

        Args:
            table: Layer and table, such as `base/orders`.

        Raises:
            LakeError: A partition has no readable manifest, or its files are nowhere.
        """
        source = self.state.source
        published = source.standing(table) if source else None
        if published is not None:
            return published
        return [Placed(one, self._nearest(one)) for one in self._standing(table).values()]

    def _nearest(self, manifest: PartitionManifest) -> list[str]:
        """Where the files of a partition are: on this machine, if all of them are."""
        paths = self._paths_of(manifest)
        if not self.state.source or all(path.exists() for path in paths):
            return [str(path) for path in paths]
        return self.state.source.objects(manifest)

    def _files_of(self, manifests: Collection[PartitionManifest]) -> list[Path]:
        """The files of some partitions, which are on this machine when it returns."""
        if self.state.source:
            self.state.source.fetch(manifests)
        return [path for manifest in manifests for path in self._paths_of(manifest)]

    def _paths_of(self, manifest: PartitionManifest) -> list[Path]:
        folder = self.state.folder(manifest)
        return [folder / file.path for file in manifest.files]

    def verifies(self, table: str, manifest: PartitionManifest) -> bool:
        """Whether the files of a partition are still those its manifest describes."""
        folder = self.root / table / manifest.partition
        if self.state.source and not any(path.exists() for path in self._paths_of(manifest)):
            # It was compared when it was published, and will be when it is brought here.
            return True
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

    def note(self, partitions: Iterable[str]) -> None:
        """See `Commits.note`."""
        self._commits.note(partitions)

    def remove(self, partitions: Iterable[str], *, is_damaged: bool = False) -> None:
        """See `Commits.remove`."""
        self._commits.remove(partitions, is_damaged=is_damaged)

    def recover(self, *, only: str | None = None, living: str | None = None) -> list[str]:
        """See `Commits.recover`."""
        return self._commits.recover(only=only, living=living)

    def publish(self, run_id: str, told: Mapping[str, str | int | None]) -> Publication:
        """Makes what a run has committed the current state: in an object store, for everybody.

        Args:
            run_id: The run.
            told: What tells of it: code, spec, parameters.

        Raises:
            PublishError: Another run has published meanwhile.
            StorageError: Something cannot be uploaded; nothing has changed then.
        """
        return (self.state.source or self.history).publish(run_id, told)
