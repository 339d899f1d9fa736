"""A folder of this machine in which a run works on a lake that is in an object store.

It is laid out as a lake on a disk is, so that everything works on it as on one. When a run begins
it is made to say what is published: manifests at once, files when somebody reads them. What the run
then commits is published at its end, or not at all: the next run begins with what is published.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

from filelock import FileLock

from medallion.errors import ExistsError, LakeError
from medallion.lake.history import find_state, history
from medallion.lake.manifest import PartitionManifest, write_manifest
from medallion.lake.published import (
    STAGING,
    Piece,
    PieceReference,
    Pointer,
    Published,
    PublishedPartition,
    Reference,
    StateManifest,
    encoded,
)
from medallion.lake.sharing import Held, Overlay, keep_share, shared_by
from medallion.lake.state import Publication, StateReader, TableState
from medallion.storage import Document, LocalStorage, Storage
from medallion.storage.layout import LakeLayout
from medallion.storage.parallel import in_parallel
from medallion.storage.probing import expect_preconditions

logger = logging.getLogger(__name__)

_Partitions = Mapping[str, PublishedPartition]
_Note = dict[str, Any]


@dataclass
class WorkingCopy:
    """The working copy of one machine.

    Attributes:
        published: What it is a copy of.
        root: Its folder.
        state: What stands in it.
        is_in_use: Whether a run of this machine is at work in the folder.
        as_of: The run whose state is shown to who only reads; the current one if None.
    """

    published: Published
    root: Path
    state: StateReader
    is_in_use: Callable[[], bool]
    as_of: str | None = None
    _is_shown: bool = False
    _began: StateManifest | None = None
    _began_with: Pointer | None = None
    _version: str | None = None
    _published: Mapping[str, _Partitions] = field(default_factory=dict)
    _held: Held = field(default_factory=Held)
    _lock: RLock = field(default_factory=RLock)

    @property
    def storage(self) -> Storage:
        """See `Source.storage`."""
        return self.published.storage

    def begin(self, run_id: str) -> None:
        """See `Source.begin`; no file of data is read.

        Raises:
            LakeError: What is published cannot be read, or has changed since the run began.
        """
        with self._lock:
            expect_preconditions(self.storage)
            self._look()
            self.join(run_id)

    def join(self, run_id: str) -> None:
        """See `Source.join`.

        Raises:
            LakeError: Another state is current than when the run began.
        """
        with self._lock, self._alone():
            known = self._note.read_or(_Note, {})
            shared = shared_by(self.published, run_id)
            taken = self._held.take(shared)
            is_ours = known.get("run_id") == run_id and known.get("version") == self._version
            if not is_ours:
                self._note.write({})
                self._show()
            else:
                for share in taken:
                    if share.key not in known.get("shares", ()):
                        self._show_share(share.overlay)
            if taken or not is_ours:
                self._note_shares(run_id)

    def share(self, run_id: str, step: str, tables: Collection[str] | None) -> None:
        """See `Source.share`.

        Raises:
            StorageError: Something cannot be uploaded.
        """
        with self._lock:
            partitions = self._uploaded(run_id, self._changed(tables))[0]
            with self._alone():
                documents = self._kept(run_id)
                if partitions or documents:
                    overlay = Overlay(
                        step=step,
                        base=self._version,
                        partitions=partitions,
                        documents=documents,
                    )
                    self._held.take([keep_share(self.published, run_id, overlay)])
                    self._note_shares(run_id)

    def _alone(self) -> FileLock:
        """Held by the one process of this machine that changes or tells what the folder shows."""
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / "_began.lock")

    def _note_shares(self, run_id: str) -> None:
        shares = sorted(self._held.shares)
        self._note.write({"run_id": run_id, "version": self._version, "shares": shares})

    def refresh(self) -> None:
        """See `Source.refresh`."""
        with self._lock:
            if not self.is_in_use() and (self._look() or not self._is_shown):
                self._note.write({})
                self._show()
                self._is_shown = True

    def _look(self) -> bool:
        """Reads which partitions are published; whether that is another state than before."""
        pointer, version = self._current()
        if (pointer, version) == (self._began_with, self._version):
            return False
        self._began_with, self._version = pointer, version
        self._began = self.published.manifest(pointer.manifest) if pointer else None
        references = self._began.tables if self._began else {}
        pieces = in_parallel(self.published.piece, references.values())
        self._published = {piece.table: piece.partitions for piece in pieces}
        documents = self._began.documents if self._began else {}
        self._held = Held(dict(self._published), dict(documents))
        return True

    def _current(self) -> tuple[Pointer | None, str | None]:
        """The state that is shown now, and the version of the pointer."""
        pointer, version = self.published.pointer()
        if self.as_of:
            state = find_state(history(self.published), self.as_of)
            pointer = Pointer(run_id=state.run_id, manifest=state.key)
        return pointer, version

    def _show(self) -> None:
        """Makes the folder say it."""
        for table in sorted({*self.state.tables(), *self._held.tables}):
            self._show_table(table, self._held.tables.get(table, {}))
        self._show_documents(self._held.documents)

    def _show_share(self, overlay: Overlay) -> None:
        """Makes the folder say what a step on another machine has changed."""
        for table, partitions in overlay.partitions.items():
            standing = self.state.table(table)
            for name, partition in partitions.items():
                if partition is None:
                    shutil.rmtree(self.root / table / name, ignore_errors=True)
                else:
                    self._show_partition(standing, name, partition)
            self.state.forget(table)
        self._write_documents(overlay.documents)

    def fetch(self, manifests: Iterable[PartitionManifest]) -> None:
        """Sees to it that the files of some partitions are in the folder.

        Raises:
            LakeError: A file is not what its manifest describes.
            StorageError: It cannot be downloaded.
        """
        with self._lock:
            absent = list(self._absent(manifests))
            in_parallel(lambda one: self.published.bring(*one), absent)

    def publish(self, run_id: str, told: Mapping[str, str | int | None]) -> Publication:
        """Uploads what has changed since the run began, and makes it current.

        Args:
            run_id: The run.
            told: What the run was.

        Raises:
            PublishError: Another run has published meanwhile.
            StorageError: Something cannot be uploaded; nothing has changed then.
        """
        with self._lock:
            changed = self._changed(None)
            partitions, uploads = self._uploaded(run_id, changed)
            documents = self._kept(run_id)
            self._held.change(partitions, documents)
            tables = {
                table: held
                for table in {*self._held.tables, *self._published}
                if (held := self._held.tables.get(table, {})) != self._published.get(table, {})
            }
            known = self._began.documents if self._began else {}
            if self._began_with and not tables and self._held.documents == known:
                return Publication(self._began_with.run_id, is_new=False)
            state = StateManifest(
                run_id=run_id,
                previous=self._began_with.manifest if self._began_with else None,
                tables=self._pieces(run_id, tables),
                documents=self._held.documents,
                told=told,
            )
            pointer = Pointer(run_id=run_id, manifest=self.published.keep_manifest(state))
            self._version = self.published.point(pointer, self._version)
            self._began_with, self._began = pointer, state
            before, self._published = self._published, dict(self._held.tables)
        return Publication(
            run_id,
            is_new=True,
            partitions=sum(_differing(before.get(t, {}), now) for t, now in tables.items()),
            objects=len(uploads),
            bytes=sum(path.stat().st_size for path, _ in uploads),
        )

    def described(self) -> dict[str, Any]:
        """See `Source.described`."""
        pointer, _ = self._current()
        if pointer is None:
            return {}
        state = self.published.manifest(pointer.manifest)
        counts = {"partitions", "rows", "bytes"}
        tables = {name: one.model_dump(include=counts) for name, one in state.tables.items()}
        return {"run_id": pointer.run_id, "manifest": pointer.manifest, "tables": tables}

    def objects(self, manifest: PartitionManifest) -> list[str]:
        """See `Source.objects`."""
        held = self._objects_of(manifest)
        return [f"{self.published.storage.root}/{key}" for key in held]

    def _objects_of(self, manifest: PartitionManifest) -> tuple[str, ...]:
        """The objects of a partition, if it is published as it is here."""
        held = self._held.tables.get(manifest.table, {}).get(manifest.partition)
        return held.objects if held and held.manifest == manifest else ()

    @property
    def _note(self) -> Document:
        """Which run the folder belongs to, and on which state it began."""
        return Document(LocalStorage(self.root), "_began.json")

    def _show_table(self, table: str, wanted: _Partitions) -> None:
        standing = self.state.table(table)
        for name in {*standing.folders} - wanted.keys():
            shutil.rmtree(self.root / table / name)
        for name, partition in wanted.items():
            self._show_partition(standing, name, partition)
        self.state.forget(table)

    def _show_partition(
        self, standing: TableState, name: str, partition: PublishedPartition
    ) -> None:
        folder = self.root / standing.table / name
        if standing.partitions.get(name) != partition.manifest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_manifest(folder, partition.manifest)
        else:
            _drop_strange(folder, partition.manifest)

    def _show_documents(self, wanted: Mapping[str, Reference]) -> None:
        gone = dict.fromkeys(self._documents().keys() - wanted.keys())
        self._write_documents({**gone, **wanted})

    def _write_documents(self, wanted: Mapping[str, Reference | None]) -> None:
        here = LocalStorage(self.root)
        there = {key: reference for key, reference in wanted.items() if reference}
        contents = in_parallel(self.published.document, there.values())
        for key in wanted.keys() - there.keys():
            here.delete(key)
        for key, data in zip(there, contents, strict=True):
            here.write(key, data)

    def _documents(self) -> dict[str, bytes]:
        """The small objects that belong to the state, by key."""
        here, places = LocalStorage(self.root), LakeLayout(self.root)
        prefixes = (places.ledgers, places.made_from, places.pointer)
        keys = [entry.key for prefix in prefixes for entry in here.listed(prefix)]
        return {key: here.read(key).data for key in keys if key.endswith(".json")}

    def _absent(self, manifests: Iterable[PartitionManifest]) -> Iterator[tuple[str, Path, str]]:
        """The objects of files that are not in the folder, their paths and checksums."""
        for manifest in manifests:
            folder = self.root / manifest.table / manifest.partition
            objects = self._objects_of(manifest)
            for number, file in enumerate(manifest.files):
                path = folder / file.path
                if not path.exists():
                    if not objects:
                        raise LakeError(
                            f"{path} is not there, and nothing that is published holds it.",
                            hint="run again: a run begins with what is published.",
                        )
                    yield objects[number], path, file.sha256

    def _changed(self, tables: Collection[str] | None) -> dict[str, Collection[str]]:
        """The partitions of some tables, or of all, that the store does not hold as they are."""
        changed: dict[str, Collection[str]] = {}
        for table in sorted({*self.state.tables(), *self._held.tables}):
            if tables is not None and table not in tables:
                continue
            before = self._held.tables.get(table, {})
            now = self.state.table(table).partitions
            written = {n for n, one in now.items() if n not in before or before[n].manifest != one}
            if names := sorted(written | (before.keys() - now.keys())):
                changed[table] = names
        return changed

    def _uploaded(
        self, run_id: str, changed: Mapping[str, Collection[str]]
    ) -> tuple[dict[str, dict[str, PublishedPartition | None]], list[tuple[Path, str]]]:
        """Uploads partitions; where they are now, and which files were uploaded."""
        uploads: list[tuple[Path, str]] = []
        partitions: dict[str, dict[str, PublishedPartition | None]] = {}
        for table, names in changed.items():
            now = self.state.table(table).partitions
            partitions[table] = {}
            for name in names:
                placed = None
                if name in now:
                    files = list(_objects(run_id, now[name]))
                    folder = self.root / table / name
                    uploads += [(folder / path, key) for path, key in files]
                    objects = tuple(key for _, key in files)
                    placed = PublishedPartition(manifest=now[name], objects=objects)
                partitions[table][name] = placed
        in_parallel(self._upload, uploads)
        return partitions, uploads

    def _pieces(self, run_id: str, tables: Mapping[str, _Partitions]) -> dict[str, PieceReference]:
        """Where the pieces of all tables are, once those of some tables have changed."""
        pieces = dict(self._began.tables) if self._began else {}
        for table, partitions in tables.items():
            if partitions:
                piece = Piece(table=table, partitions=dict(sorted(partitions.items())))
                pieces[table] = self._kept_piece(run_id, piece)
            else:
                pieces.pop(table, None)
        return dict(sorted(pieces.items()))

    def _kept_piece(self, run_id: str, piece: Piece) -> PieceReference:
        data = encoded(piece)
        digest = hashlib.sha256(data).hexdigest()[:16]
        key = f"{STAGING}/{run_id}/_pieces/{piece.table}-{digest}.json"
        kept = self.published.keep(key, data)
        manifests = [partition.manifest for partition in piece.partitions.values()]
        return PieceReference(
            **kept.model_dump(),
            partitions=len(manifests),
            rows=sum(manifest.rows for manifest in manifests),
            bytes=sum(manifest.bytes for manifest in manifests),
        )

    def _kept(self, run_id: str) -> dict[str, Reference | None]:
        """The small objects that the store does not hold as they are, once it does."""
        known, now = self._held.documents, self._documents()
        changed = {
            key: data
            for key, data in now.items()
            if key not in known or known[key].sha256 != hashlib.sha256(data).hexdigest()
        }

        def kept(item: tuple[str, bytes]) -> Reference:
            key, data = item
            name = f"{key.removesuffix('.json')}-{hashlib.sha256(data).hexdigest()[:16]}.json"
            return self.published.keep(f"{STAGING}/{run_id}/_documents/{name}", data)

        gone = dict.fromkeys(known.keys() - now.keys())
        return {**gone, **dict(zip(changed, in_parallel(kept, changed.items()), strict=True))}

    def _upload(self, item: tuple[Path, str]) -> None:
        path, key = item
        try:
            self.published.storage.upload(path, key)
        except ExistsError:
            """A former try of the same run has uploaded the same bytes: the name follows them."""


def _differing(before: _Partitions, now: _Partitions) -> int:
    """How many partitions were written or removed."""
    return sum(before.get(name) != now.get(name) for name in {*before, *now})


def _objects(run_id: str, manifest: PartitionManifest) -> Iterator[tuple[str, str]]:
    """The files of a partition, and what their objects are called."""
    folder = f"{STAGING}/{run_id}/{manifest.table}/{manifest.partition}"
    for file in manifest.files:
        stem, _, suffix = file.path.rpartition(".")
        yield file.path, f"{folder}/{stem}-{file.sha256[:16]}.{suffix}"


def _drop_strange(folder: Path, manifest: PartitionManifest) -> None:
    """Removes files that are not of the size that they had; they are downloaded again."""
    for file in manifest.files:
        path = folder / file.path
        if path.exists() and path.stat().st_size != file.bytes:
            logger.warning("%s was changed; it is read from the store again.", path)
            path.unlink()
