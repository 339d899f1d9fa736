"""The lake that this project writes: partitions replaced whole, commits that survive a crash.

A commit has three steps. The new partitions are written aside, under `_staging/<run>/`.
A journal beside them says which partitions will be replaced or removed. Then each is
swapped in one step. A crash before the journal leaves the lake as it was; a crash after
it is completed by the next run, so a layer's tables always move together.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medallion.errors import LakeError
from medallion.events import PartitionChange, TableWritten, announce
from medallion.lake.manifest import (
    MANIFEST,
    Origin,
    PartitionManifest,
    describe_files,
    parse_manifest,
)
from medallion.lake.names import as_run_id
from medallion.lake.state import reader_of
from medallion.lake.swap import clear_beside, remove_folder, replace_folder
from medallion.storage import Document, open_storage
from medallion.storage.layout import LakeLayout

_JOURNAL = "_JOURNAL.json"


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
        """An empty folder to write new partitions of one step of a run into.

        A step that is done again first completes the commit of its former try, so that it sees
        the lake as it was before or as it was to be.
        """
        folder = self.places.staged(as_run_id(run_id), step)
        if folder.exists():
            if (folder / _JOURNAL).exists():
                Commit.reopen(self, folder).apply_all()
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def remove(self, partitions: Iterable[str]) -> None:
        """Takes partitions away, by their path below the root; each goes in one step."""
        aside = self.places.removed
        for partition in partitions:
            (aside / partition).parent.mkdir(parents=True, exist_ok=True)
            (self.root / partition).rename(aside / partition)
            self.state.forget(partition.rpartition("/")[0])
        shutil.rmtree(aside, ignore_errors=True)

    def recover(self, *, only: str | None = None, living: str | None = None) -> list[str]:
        """Completes commits that a crash cut short and clears what never became one.

        Args:
            only: The one run to do it for; all runs if None.
            living: A run that is at work, whose staging is left alone.

        Returns:
            What was done, a line for each partition completed.
        """
        done: list[str] = []
        for run in sorted(self.places.staging.glob(as_run_id(only) if only else "*")):
            if run.name != living:
                for journal in sorted(run.glob(f"*/{_JOURNAL}")):
                    done.extend(Commit.reopen(self, journal.parent).apply_all())
                shutil.rmtree(run, ignore_errors=True)
        with suppress(OSError):  # another run's staging is in it, or there is none
            self.places.staging.rmdir()
        return done


class _Journal(BaseModel):
    """What a commit does, written down before it does it.

    Attributes:
        replace: The manifest of each new partition, as text, by its path.
        same: The same of partitions that came out byte for byte as they are.
        remove: Partitions that go, because nothing is left in them.
        origins: What partitions were made from, by their path, where manifests do not say it.
    """

    model_config = ConfigDict(frozen=True)

    replace: Mapping[str, str]
    same: Mapping[str, str] = Field(default_factory=dict)
    remove: tuple[str, ...] = ()
    origins: Mapping[str, Mapping[str, Origin]] = Field(default_factory=dict)


@dataclass
class Commit:
    """A set of partitions that will replace those of the lake.

    What was put in place is announced before the journal goes, so that whatever stands was
    recorded: a commit that a crash cut short is announced by the recovery that completes it.

    Attributes:
        lake: Where to.
        folder: The staging folder that holds the new partitions, laid out as the lake is.
        journal: What it does.
    """

    lake: Lake
    folder: Path
    journal: _Journal
    _pending: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def prepare(
        cls,
        lake: Lake,
        folder: Path,
        remove: Mapping[str, set[str]],
        origins: Mapping[str, Mapping[str, Origin]] | None = None,
    ) -> Commit:
        """Writes the journal for everything staged in `folder`.

        Partitions that would come out byte for byte as they are stay untouched.

        Args:
            lake: The lake to change.
            folder: A folder made by `Lake.staging`, filled with complete partitions.
            remove: Partition folders that shall go, by table.
            origins: What partitions were made from, by their path, for the record.
        """
        staged = {
            manifest.parent.relative_to(folder).as_posix(): manifest.read_text(encoding="utf-8")
            for manifest in sorted(folder.glob(f"*/*/*/{MANIFEST}"))
        }
        same = {
            partition: text
            for partition, text in staged.items()
            if _read_text(lake.root / partition / MANIFEST) == text
        }
        gone = sorted(
            f"{table}/{name}"
            for table, names in remove.items()
            for name in names
            if (lake.root / table / name).is_dir()
        )
        replace = {name: text for name, text in staged.items() if name not in same}
        journal = _Journal(replace=replace, same=same, remove=tuple(gone), origins=origins or {})
        path = folder / _JOURNAL
        draft = path.with_suffix(".draft")
        draft.write_text(journal.model_dump_json(), encoding="utf-8")
        draft.replace(path)
        return cls._of(lake, folder, journal)

    @classmethod
    def reopen(cls, lake: Lake, folder: Path) -> Commit:
        """Reads a commit back from its journal.

        Raises:
            LakeError: The journal is damaged, so nobody knows which partitions it replaces.
        """
        try:
            journal = _Journal.model_validate_json((folder / _JOURNAL).read_bytes())
        except ValidationError as error:
            raise LakeError(
                f"{folder / _JOURNAL} is damaged: a commit was cut short, and what it was to "
                "replace is not known.",
                hint=f"remove {folder}, then run `kedro lake verify`: what is not whole is named, "
                "and the next run makes it again.",
            ) from error
        return cls._of(lake, folder, journal)

    @classmethod
    def _of(cls, lake: Lake, folder: Path, journal: _Journal) -> Commit:
        return cls(lake, folder, journal, {*journal.replace, *journal.same, *journal.remove})

    @property
    def run_id(self) -> str:
        """The run that made the partitions."""
        return self.folder.parent.name

    def apply(self, table: str) -> list[str]:
        """Swaps in the partitions of one table; the last table ends the commit.

        Returns:
            The partitions that changed.
        """
        mine = sorted(name for name in self._pending if name.startswith(f"{table}/"))
        for partition in mine:
            self._apply_partition(partition)
        self.lake.state.forget(table)
        if mine:
            announce(self._written(table, mine))
        with self._lock:
            self._pending -= set(mine)
            if not self._pending and self.folder.exists():
                (self.folder / _JOURNAL).unlink(missing_ok=True)
                shutil.rmtree(self.folder, ignore_errors=True)
        return [partition for partition in mine if partition not in self.journal.same]

    def _written(self, table: str, partitions: list[str]) -> TableWritten:
        layer, name = table.split("/")
        changes = tuple(self._change(partition) for partition in partitions)
        return TableWritten(run_id=self.run_id, layer=layer, table=name, partitions=changes)

    def _change(self, partition: str) -> PartitionChange:
        key, _, value = partition.rpartition("/")[2].partition("=")
        text = self.journal.replace.get(partition) or self.journal.same.get(partition)
        if text is None:
            return PartitionChange(key=key, value=value, status="removed")
        manifest = parse_manifest(text)
        origins = self.journal.origins.get(partition, {})
        rows = [origin.rows for origin in origins.values() if origin.rows is not None]
        return PartitionChange(
            key=key,
            value=value,
            status="unchanged" if partition in self.journal.same else "written",
            rows=manifest.rows,
            bytes=manifest.bytes,
            files=len(manifest.files),
            content_hash=manifest.content_hash,
            inputs={name: one.fingerprint for name, one in origins.items()} or manifest.inputs,
            input_rows=sum(rows) if rows else manifest.counts.get("bronze_rows"),
        )

    def apply_all(self) -> list[str]:
        """Swaps in everything."""
        tables = sorted({partition.rsplit("/", 1)[0] for partition in self._pending})
        return [partition for table in tables for partition in self.apply(table)]

    def _apply_partition(self, partition: str) -> None:
        live, staged = self.lake.root / partition, self.folder / partition
        if partition in self.journal.same:
            return
        if partition not in self.journal.replace:
            if live.exists():
                remove_folder(live, self.folder / "_removed" / partition)
        elif _read_text(live / MANIFEST) != self.journal.replace[partition]:
            replace_folder(staged, live)
        clear_beside(live)


def _read_text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
