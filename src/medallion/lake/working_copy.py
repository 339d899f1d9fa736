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
from medallion.lake.state import Publication, StateReader, documents_of
from medallion.storage import Document, LocalStorage, Storage
from medallion.storage.parallel import in_parallel
from medallion.storage.probing import expect_preconditions

logger = logging.getLogger(__name__)

_Partitions = Mapping[str, PublishedPartition]


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
    _tables: dict[str, _Partitions] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)

    @property
    def storage(self) -> Storage:
        """See `Source.storage`."""
        return self.published.storage

    def begin(self, run_id: str) -> None:
        """See `Source.begin`; no file of data is read.

        A process that joins the run finds what the run has committed on this machine.

        Raises:
            LakeError: What is published cannot be read.
        """
        with self._lock:
            expect_preconditions(self.storage)
            self._look()
            known = self._note.read_or(dict[str, str], {})
            now = {"run_id": run_id, "version": self._version or ""}
            if known != now:
                self._note.write({})
                self._show()
                self._note.write(now)

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
        self._tables = {piece.table: piece.partitions for piece in pieces}
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
        state = self._began
        for table in sorted({*self.state.tables(), *self._tables}):
            self._show_table(table, self._tables.get(table, {}))
        self._show_documents(state.documents if state else {})

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
            changed = self._changed()
            documents = self._documents()
            known = self._began.documents if self._began else {}
            is_same = {k: hashlib.sha256(d).hexdigest() for k, d in documents.items()} == {
                key: reference.sha256 for key, reference in known.items()
            }
            if self._began_with and not changed and is_same:
                return Publication(self._began_with.run_id, is_new=False)
            pieces, tables, uploads = self._staged(run_id, changed)
            state = StateManifest(
                run_id=run_id,
                previous=self._began_with.manifest if self._began_with else None,
                tables=pieces,
                documents=self._kept(run_id, documents, known),
                told=told,
            )
            pointer = Pointer(run_id=run_id, manifest=self.published.keep_manifest(state))
            self._version = self.published.point(pointer, self._version)
            self._began_with, self._began = pointer, state
            self._tables |= {table: piece.partitions for table, piece in tables.items()}
        return Publication(
            run_id,
            is_new=True,
            partitions=sum(len(names) for names in changed.values()),
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
        held = self._held(manifest)
        return [f"{self.published.storage.root}/{key}" for key in held]

    def _held(self, manifest: PartitionManifest) -> tuple[str, ...]:
        """The objects of a partition, if it is published as it is here."""
        held = self._tables.get(manifest.table, {}).get(manifest.partition)
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
            folder = self.root / table / name
            if standing.partitions.get(name) != partition.manifest:
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
                write_manifest(folder, partition.manifest)
            else:
                _drop_strange(folder, partition.manifest)
        self.state.forget(table)

    def _show_documents(self, wanted: Mapping[str, Reference]) -> None:
        here = LocalStorage(self.root)
        contents = in_parallel(self.published.document, wanted.values())
        for key in self._documents().keys() - wanted.keys():
            here.delete(key)
        for key, data in zip(wanted, contents, strict=True):
            here.write(key, data)

    def _documents(self) -> dict[str, bytes]:
        """The small objects that belong to the state, by key."""
        return documents_of(self.root)

    def _absent(self, manifests: Iterable[PartitionManifest]) -> Iterator[tuple[str, Path, str]]:
        """The objects of files that are not in the folder, their paths and checksums."""
        for manifest in manifests:
            folder = self.root / manifest.table / manifest.partition
            objects = self._held(manifest)
            for number, file in enumerate(manifest.files):
                path = folder / file.path
                if not path.exists():
                    if not objects:
                        raise LakeError(
                            f"{path} is not there, and nothing that is published holds it.",
                            hint="run again: a run begins with what is published.",
                        )
                    yield objects[number], path, file.sha256

    def _changed(self) -> dict[str, Collection[str]]:
        """The partitions that were written or removed since the run began, by table."""
        changed: dict[str, Collection[str]] = {}
        for table in sorted({*self.state.tables(), *self._tables}):
            before = self._tables.get(table, {})
            now = self.state.table(table).partitions
            written = {n for n, one in now.items() if n not in before or before[n].manifest != one}
            if names := sorted(written | (before.keys() - now.keys())):
                changed[table] = names
        return changed

    def _staged(
        self, run_id: str, changed: Mapping[str, Collection[str]]
    ) -> tuple[dict[str, PieceReference], dict[str, Piece], list[tuple[Path, str]]]:
        """Where all pieces are, those of tables that have changed, and what was uploaded."""
        uploads: list[tuple[Path, str]] = []
        pieces = dict(self._began.tables) if self._began else {}
        tables: dict[str, Piece] = {}
        for table, names in changed.items():
            now = self.state.table(table).partitions
            partitions = {n: one for n, one in self._tables.get(table, {}).items() if n in now}
            for name in names:
                if name in now:
                    files = list(_objects(run_id, now[name]))
                    folder = self.root / table / name
                    uploads += [(folder / path, key) for path, key in files]
                    objects = tuple(key for _, key in files)
                    partitions[name] = PublishedPartition(manifest=now[name], objects=objects)
            tables[table] = Piece(table=table, partitions=dict(sorted(partitions.items())))
        in_parallel(self._upload, uploads)
        for table, piece in tables.items():
            if piece.partitions:
                pieces[table] = self._kept_piece(run_id, piece)
            else:
                pieces.pop(table, None)
        return dict(sorted(pieces.items())), tables, uploads

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

    def _kept(
        self, run_id: str, documents: Mapping[str, bytes], known: Mapping[str, Reference]
    ) -> dict[str, Reference]:
        """The small objects of the state; those that are as before stay where they are."""

        def kept(item: tuple[str, bytes]) -> Reference:
            key, data = item
            digest = hashlib.sha256(data).hexdigest()
            if key in known and known[key].sha256 == digest:
                return known[key]
            name = f"{key.removesuffix('.json')}-{digest[:16]}.json"
            return self.published.keep(f"{STAGING}/{run_id}/_documents/{name}", data)

        return dict(zip(documents, in_parallel(kept, documents.items()), strict=True))

    def _upload(self, item: tuple[Path, str]) -> None:
        path, key = item
        try:
            self.published.storage.upload(path, key)
        except ExistsError:
            """A former try of the same run has uploaded the same bytes: the name follows them."""


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
