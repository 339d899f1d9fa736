"""How partitions come into a lake on a disk: written aside, noted in a journal, swapped in.

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
from medallion.lake.manifest import MANIFEST, Origin, parse_manifest
from medallion.lake.names import as_run_id
from medallion.lake.state import StateReader
from medallion.lake.swap import clear_beside, remove_folder, replace_folder
from medallion.storage import LocalStorage
from medallion.storage.filesystem import clear_drafts
from medallion.storage.layout import LakeLayout

_JOURNAL = "_JOURNAL.json"


@dataclass(frozen=True)
class DiskCommits:
    """See `lake.commits.Commits`.

    Attributes:
        places: The lake's folders.
        state: Told of what changes.
    """

    places: LakeLayout
    state: StateReader

    def staging(self, run_id: str, step: str) -> Path:
        """See `Commits.staging`."""
        folder = self.places.staged(as_run_id(run_id), step)
        if folder.exists():
            if (folder / _JOURNAL).exists():
                DiskCommit.reopen(self, folder).apply_all()
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def prepare(
        self,
        folder: Path,
        remove: Mapping[str, set[str]],
        origins: Mapping[str, Mapping[str, Origin]],
    ) -> DiskCommit:
        """See `Commits.prepare`; writes the journal."""
        root = self.places.root
        staged = {
            manifest.parent.relative_to(folder).as_posix(): manifest.read_text(encoding="utf-8")
            for manifest in sorted(folder.glob(f"*/*/*/{MANIFEST}"))
        }
        same = {
            partition: text
            for partition, text in staged.items()
            if _read_text(root / partition / MANIFEST) == text
        }
        gone = sorted(
            f"{table}/{name}"
            for table, names in remove.items()
            for name in names
            if (root / table / name).is_dir()
        )
        replace = {name: text for name, text in staged.items() if name not in same}
        journal = _Journal(replace=replace, same=same, remove=tuple(gone), origins=origins)
        LocalStorage(folder).write(_JOURNAL, journal.model_dump_json().encode())
        return DiskCommit.of(self, folder, journal)

    def remove(self, partitions: Iterable[str]) -> None:
        """See `Commits.remove`."""
        root, aside = self.places.root, self.places.removed
        for partition in partitions:
            (aside / partition).parent.mkdir(parents=True, exist_ok=True)
            (root / partition).rename(aside / partition)
            self.state.forget(partition.rpartition("/")[0])
        shutil.rmtree(aside, ignore_errors=True)

    def recover(self, *, only: str | None, living: str | None) -> list[str]:
        """See `Commits.recover`."""
        for folder in self.places.state_folders:
            clear_drafts(folder)
        done: list[str] = []
        for run in sorted(self.places.staging.glob(as_run_id(only) if only else "*")):
            if run.name != living:
                for journal in sorted(run.glob(f"*/{_JOURNAL}")):
                    done.extend(DiskCommit.reopen(self, journal.parent).apply_all())
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
class DiskCommit:
    """A set of partitions that will replace those of the lake.

    What was put in place is announced before the journal goes, so that whatever stands was
    recorded: a commit that a crash cut short is announced by the recovery that completes it.

    Attributes:
        commits: Of which lake.
        folder: The staging folder that holds the new partitions, laid out as the lake is.
        journal: What it does.
    """

    commits: DiskCommits
    folder: Path
    journal: _Journal
    _pending: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def reopen(cls, commits: DiskCommits, folder: Path) -> DiskCommit:
        """Reads a commit back from its journal.

        Raises:
            LakeError: The journal is damaged, so nobody knows which partitions it replaces.
        """
        try:
            journal = _Journal.model_validate_json(LocalStorage(folder).read(_JOURNAL).data)
        except ValidationError as error:
            raise LakeError(
                f"{folder / _JOURNAL} is damaged: a commit was cut short, and what it was to "
                "replace is not known.",
                hint=f"remove {folder}, then run `kedro lake verify`: what is not whole is named, "
                "and the next run makes it again.",
            ) from error
        return cls.of(commits, folder, journal)

    @classmethod
    def of(cls, commits: DiskCommits, folder: Path, journal: _Journal) -> DiskCommit:
        """A commit of which nothing is in place yet, or nobody knows what is."""
        return cls(commits, folder, journal, {*journal.replace, *journal.same, *journal.remove})

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
        self.commits.state.forget(table)
        if mine:
            announce(self._written(table, mine))
        with self._lock:
            self._pending -= set(mine)
            if not self._pending and self.folder.exists():
                LocalStorage(self.folder).delete(_JOURNAL)
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
        live, staged = self.commits.places.root / partition, self.folder / partition
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
