"""How partitions come into a lake on a disk: written aside, noted in a journal, swapped in.

A commit has three steps. The new partitions are written aside, under `_staging/<run>/`.
A journal beside them says which partitions will be replaced or removed. Then each is
swapped in one step. A crash before the journal leaves the lake as it was; a crash after
it is completed by the next run, so a layer's tables always move together.

What stood before is kept where an earlier state needs it (`disk_history`). To go back to that
state is a commit, too, whose partitions are not written but those that were kept.
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
from medallion.lake.disk_history import DiskHistory
from medallion.lake.kept_states import KeptState, version_in, version_of
from medallion.lake.manifest import MANIFEST, Origin, parse_manifest
from medallion.lake.names import as_run_id
from medallion.lake.state import StateReader
from medallion.lake.swap import (
    clear_beside,
    discard_folder,
    former_contents,
    move_folder,
    remove_folder,
    replace_folder,
)
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
        history: Keeps what stood before.
    """

    places: LakeLayout
    state: StateReader
    history: DiskHistory

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
        changing: dict[str, str | None] = dict.fromkeys(gone)
        changing |= {name: version_of(text.encode()) for name, text in replace.items()}
        keep = self.history.note(changing, folder.parent.name) if changing else {}
        return self._begun(
            folder,
            _Journal(replace=replace, same=same, remove=tuple(gone), origins=origins, keep=keep),
        )

    def prepare_return(self, run_id: str, state: KeptState) -> DiskCommit:
        """Notes that the lake is to be again what it was in an earlier state.

        Args:
            run_id: In whose name.
            state: The state, of which all partitions and documents are kept.
        """
        history = self.history
        folder = self.staging(run_id, "rollback")
        wanted = {
            name: version
            for name, version in state.partitions.items()
            if version != history.version(name)
        }
        keep = history.note(wanted, run_id, towards=state.number)
        texts = {
            name: (history.place(name, version) / MANIFEST).read_text(encoding="utf-8")
            for name, version in wanted.items()
            if version
        }
        return self._begun(
            folder,
            _Journal(
                replace=texts,
                remove=tuple(sorted(wanted.keys() - texts.keys())),
                keep=keep,
                becomes=_Becomes(number=state.number, documents=state.documents),
            ),
        )

    def _begun(self, folder: Path, journal: _Journal) -> DiskCommit:
        LocalStorage(folder).write(_JOURNAL, journal.model_dump_json().encode())
        return DiskCommit.of(self, folder, journal)

    def note(self, partitions: Iterable[str]) -> None:
        """See `Commits.note`."""
        self.history.note(dict.fromkeys(partitions))

    def remove(self, partitions: Iterable[str], *, is_damaged: bool = False) -> None:
        """See `Commits.remove`."""
        root, aside = self.places.root, self.places.removed
        gone = list(partitions)
        keep = self.history.note(dict.fromkeys(gone), is_damage=is_damaged) if gone else {}
        for partition in gone:
            if partition in keep and not is_damaged:
                move_folder(root / partition, self.history.place(partition, keep[partition]))
            else:
                remove_folder(root / partition, aside / partition)
                clear_beside(root / partition)
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


class _Becomes(BaseModel):
    """The earlier state that the lake is to be in again.

    Attributes:
        number: The state.
        documents: The digests of its small objects, by key.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    documents: Mapping[str, str]


class _Journal(BaseModel):
    """What a commit does, written down before it does it.

    Attributes:
        replace: The manifest of each new partition, as text, by its path.
        same: The same of partitions that came out byte for byte as they are.
        remove: Partitions that go, because nothing is left in them.
        origins: What partitions were made from, by their path, where manifests do not say it.
        keep: The version of each partition that is kept of what stood before.
        becomes: The earlier state that the lake is in afterwards, if it is one.
    """

    model_config = ConfigDict(frozen=True)

    replace: Mapping[str, str]
    same: Mapping[str, str] = Field(default_factory=dict)
    remove: tuple[str, ...] = ()
    origins: Mapping[str, Mapping[str, Origin]] = Field(default_factory=dict)
    keep: Mapping[str, str] = Field(default_factory=dict)
    becomes: _Becomes | None = None


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
            if not self._pending:
                self._end()
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
        changed = [partition for table in tables for partition in self.apply(table)]
        self._end()
        return changed

    def _end(self) -> None:
        """Removes the journal; a state that was gone back to is current before that."""
        if not self.folder.exists():
            return
        history, becomes = self.commits.history, self.journal.becomes
        if becomes:
            history.restore(becomes.documents)
            history.arrive(becomes.number)
        LocalStorage(self.folder).delete(_JOURNAL)
        shutil.rmtree(self.folder, ignore_errors=True)
        if becomes:
            history.tidy()

    def _apply_partition(self, partition: str) -> None:
        if partition in self.journal.same:
            return
        live = self.commits.places.root / partition
        if partition in self.journal.replace:
            self._replace(partition, live)
        elif live.exists():
            if version := self.journal.keep.get(partition):
                move_folder(live, self.commits.history.place(partition, version))
            else:
                remove_folder(live, self.folder / "_removed" / partition)
        clear_beside(live)

    def _replace(self, partition: str, live: Path) -> None:
        """Puts a new partition in place; what stood there is kept, or goes with the staging."""
        history, keep = self.commits.history, self.journal.keep.get(partition)
        text = self.journal.replace[partition]
        staged = self.folder / partition
        known = history.place(partition, version_of(text.encode()))
        if _read_text(live / MANIFEST) != text:
            new = staged if staged.exists() else known
            if not new.exists():
                raise LakeError(
                    f"{new} is not there: a rollback was cut short, and what it was to put back"
                    " is gone.",
                    hint=f"remove {self.folder}, then run `kedro lake verify`: what is not whole is"
                    " named, and the next run makes it again.",
                )
            replace_folder(new, live)
        lefts = [*former_contents(staged, live), *former_contents(known, live)] if keep else [known]
        for left in filter(Path.is_dir, lefts):
            if keep and version_in(left) == keep:
                move_folder(left, history.place(partition, keep))
            else:
                discard_folder(left)


def _read_text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
