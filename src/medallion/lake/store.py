"""The lake that this project writes: partitions replaced whole, commits that survive a crash.

A commit has three steps. The new partitions are written aside, under `_staging/<run>/`.
A journal beside them says which partitions will be replaced or removed. Then each is
swapped in one step. A crash before the journal leaves the lake as it was; a crash after
it is completed by the next run, so a layer's tables always move together.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from pydantic import ValidationError

from medallion.errors import LakeError
from medallion.lake.manifest import MANIFEST, PartitionManifest, describe_files
from medallion.lake.names import as_run_id, is_hidden
from medallion.lake.swap import clear_beside, remove_folder, replace_folder

STAGING = "_staging"
_JOURNAL = "_JOURNAL.json"
_cache: dict[str, tuple[tuple[int, int], PartitionManifest]] = {}


class Lake:
    """The tables under one root, such as `data/silver`.

    Args:
        root: The folder that holds `base/`, `quarantine/`, `dims/` and `enriched/`.
        without: Partitions to leave out, by their path below the root.
    """

    def __init__(self, root: str | Path, without: Iterable[str] = ()) -> None:
        self.root = Path(root)
        self._without = frozenset(without)

    def partitions(self, table: str) -> dict[str, PartitionManifest]:
        """The committed partitions of a table such as `base/orders`, by value, ascending.

        Raises:
            LakeError: A partition has no readable manifest.
        """
        folder = self.root / table
        if not folder.is_dir():
            return {}
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if "=" in entry.name
                and not is_hidden(entry.name)
                and f"{table}/{entry.name}" not in self._without
            )
        return {name.partition("=")[2]: load_manifest(folder / name) for name in names}

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
        """An empty folder to write new partitions of one step of a run into."""
        folder = self.root / STAGING / as_run_id(run_id) / step
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def remove(self, partitions: Iterable[str]) -> None:
        """Takes partitions away, by their path below the root; each goes in one step."""
        aside = self.root / STAGING / "_removed"
        for partition in partitions:
            (aside / partition).parent.mkdir(parents=True, exist_ok=True)
            (self.root / partition).rename(aside / partition)
        shutil.rmtree(aside, ignore_errors=True)

    def recover(self) -> list[str]:
        """Completes commits that a crash cut short and clears what never became one.

        Returns:
            What was done, a line for each partition completed.
        """
        done: list[str] = []
        for journal in sorted((self.root / STAGING).glob(f"*/*/{_JOURNAL}")):
            done.extend(Commit.reopen(self, journal.parent).apply_all())
        shutil.rmtree(self.root / STAGING, ignore_errors=True)
        return done


@dataclass
class Commit:
    """A set of partitions that will replace those of the lake.

    Attributes:
        lake: Where to.
        folder: The staging folder that holds the new partitions, laid out as the lake is.
        replace: SHA-256-like content hash and inputs of each new partition, by its path.
        remove: Partitions that go, because nothing is left in them.
    """

    lake: Lake
    folder: Path
    replace: Mapping[str, str]
    remove: tuple[str, ...] = ()
    _pending: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def prepare(cls, lake: Lake, folder: Path, remove: Mapping[str, set[str]]) -> Commit:
        """Writes the journal for everything staged in `folder`.

        Partitions that would come out byte for byte as they are stay untouched.

        Args:
            lake: The lake to change.
            folder: A folder made by `Lake.staging`, filled with complete partitions.
            remove: Partition folders that shall go, by table.
        """
        replace: dict[str, str] = {}
        for manifest in sorted(folder.glob(f"*/*/*/{MANIFEST}")):
            partition = manifest.parent.relative_to(folder).as_posix()
            text = manifest.read_text(encoding="utf-8")
            if _read_text(lake.root / partition / MANIFEST) != text:
                replace[partition] = text
        gone = sorted(
            f"{table}/{name}"
            for table, names in remove.items()
            for name in names
            if (lake.root / table / name).is_dir()
        )
        journal = folder / _JOURNAL
        draft = journal.with_suffix(".draft")
        draft.write_text(json.dumps({"replace": replace, "remove": gone}), encoding="utf-8")
        draft.replace(journal)
        return cls(lake, folder, replace, tuple(gone), {*replace, *gone})

    @classmethod
    def reopen(cls, lake: Lake, folder: Path) -> Commit:
        """Reads a commit back from its journal."""
        journal = json.loads((folder / _JOURNAL).read_text(encoding="utf-8"))
        replace, remove = journal["replace"], tuple(journal["remove"])
        return cls(lake, folder, replace, remove, {*replace, *remove})

    def apply(self, table: str) -> list[str]:
        """Swaps in the partitions of one table; the last table ends the commit.

        Returns:
            The partitions that changed.
        """
        mine = sorted(name for name in self._pending if name.startswith(f"{table}/"))
        for partition in mine:
            self._apply_partition(partition)
        with self._lock:
            self._pending -= set(mine)
            if not self._pending and self.folder.exists():
                (self.folder / _JOURNAL).unlink(missing_ok=True)
                shutil.rmtree(self.folder, ignore_errors=True)
        return mine

    def apply_all(self) -> list[str]:
        """Swaps in everything."""
        tables = sorted({partition.rsplit("/", 1)[0] for partition in self._pending})
        return [partition for table in tables for partition in self.apply(table)]

    def _apply_partition(self, partition: str) -> None:
        live, staged = self.lake.root / partition, self.folder / partition
        if partition not in self.replace:
            if live.exists():
                remove_folder(live, self.folder / "_removed" / partition)
        elif _read_text(live / MANIFEST) != self.replace[partition]:
            replace_folder(staged, live)
        clear_beside(live)


def _read_text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def load_manifest(folder: Path) -> PartitionManifest:
    """The manifest of a partition.

    Raises:
        LakeError: It is not there, or cannot be read.
    """
    path = folder / MANIFEST
    try:
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        cached = _cache.get(str(path))
        if cached and cached[0] == stamp:
            return cached[1]
        manifest = PartitionManifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise LakeError(
            f"{folder} has no readable {MANIFEST}.",
            hint="remove the folder; the next run that includes its day makes it anew.",
        ) from error
    _cache[str(path)] = (stamp, manifest)
    return manifest
