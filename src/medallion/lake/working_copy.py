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

from medallion.errors import LakeError, PublishError
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
    said_of,
)
from medallion.lake.sharing import Held, Overlay, Share, keep_share, shared_by
from medallion.lake.state import Placed, Publication, StateReader, TableState, documents_of
from medallion.storage import Document, LocalStorage, Storage
from medallion.storage.parallel import in_parallel
from medallion.storage.probing import expect_preconditions

logger = logging.getLogger(__name__)

_DOOR = ".shown.lock"
# What is noted of the folder.
_RUN, _STATE, _SHARES = "run_id", "state", "shares"
_Partitions = Mapping[str, PublishedPartition]
_Note = Mapping[str, Any]


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
    # The run that this process takes part in; without one, it only reads.
    _run_id: str | None = None
    _is_shown: bool = False
    _began: StateManifest | None = None
    _began_with: Pointer | None = None
    _version: str | None = None
    _published: Mapping[str, _Partitions] = field(default_factory=dict)
    # The same, and what steps of the run have shared.
    _held: Held = field(default_factory=Held)
    _lock: RLock = field(default_factory=RLock)

    @property
    def storage(self) -> Storage:
        """See `Source.storage`."""
        return self.published.storage

    def begin(self, run_id: str, *, is_taken_over: bool = False) -> None:
        """See `Source.begin`; no file of data is read.

        Raises:
            LakeError: What is published cannot be read.
            PublishError: The run goes on, but what it has begun with is current no longer.
        """
        with self._lock, self._door():
            expect_preconditions(self.storage)
            if is_taken_over:
                self.published.fence()
            self._look()
            self._take_part(run_id)
            self._run_id = run_id

    def join(self, run_id: str) -> None:
        """See `Source.join`."""
        with self._lock, self._door():
            self._take_part(run_id)

    def _take_part(self, run_id: str) -> None:
        """Makes the folder say what the run sees: what it began with, and what it has shared."""
        known = self._noted()
        if known.get(_RUN) == run_id and self._is_other(run_id, known.get(_STATE)):
            raise _gone_on(run_id, self._began_with)
        shares = shared_by(self.published, run_id)
        if any(self._is_other(run_id, share.overlay.base) for share in shares):
            raise _gone_on(run_id, self._began_with)
        self._held.take(share for share in shares if share.overlay.base == self._state)
        now = self._shown_to(run_id)
        if any(known.get(name) != now[name] for name in (_RUN, _STATE)):
            self._show(now)
        elif known != now:
            self._show_shares(share for share in shares if share.key not in known.get(_SHARES, ()))
            self._note.write(now)

    def end(self) -> None:
        """See `Source.end`."""
        with self._lock:
            self._run_id = None
            self._hold_published()

    def share(self, run_id: str, step: str, tables: Collection[str] | None) -> None:
        """See `Source.share`.

        Raises:
            StorageError: Something cannot be uploaded.
        """
        with self._lock:
            partitions, _ = self._uploaded(run_id, self._changed(tables))
            # Of what several processes write here, none may leave an older word behind a newer one.
            with self._door():
                documents = self._kept(run_id)
                if partitions or documents:
                    overlay = Overlay(
                        step=step, base=self._state, partitions=partitions, documents=documents
                    )
                    self._held.take([keep_share(self.published, run_id, overlay)])
                    self._note.write(self._shown_to(run_id))

    def refresh(self) -> None:
        """See `Source.refresh`."""
        with self._lock:
            if self._run_id is not None:
                return
            self._look()
            with self._door():
                now = self._shown_to("")
                if not self.is_in_use() and (self._noted() != now or not self._is_shown):
                    self._show(now)
                    self._is_shown = True

    def standing(self, table: str) -> list[Placed] | None:
        """See `Source.standing`."""
        with self._lock:
            if self._run_id is not None:
                return None
            partitions = self._held.tables.get(table, {}).values()
            return [Placed(one.manifest, self._urls(one.objects)) for one in partitions]

    def _look(self) -> None:
        """Reads which partitions are published, if that is another state than before."""
        pointer, version = self._current()
        if pointer != self._began_with:
            began = self.published.manifest(pointer.manifest) if pointer else None
            references = began.tables if began else {}
            pieces = in_parallel(self.published.piece, references.values())
            self._published = {piece.table: piece.partitions for piece in pieces}
            self._began_with, self._began = pointer, began
            self._hold_published()
        self._version = version

    def _hold_published(self) -> None:
        documents = self._began.documents if self._began else {}
        self._held = Held(dict(self._published), dict(documents))

    def _current(self) -> tuple[Pointer | None, str | None]:
        """The state that is shown now, and the version of the pointer."""
        pointer, version = self.published.pointer()
        if self.as_of:
            state = find_state(history(self.published), self.as_of)
            return Pointer(run_id=state.run_id, manifest=state.key), version
        return pointer, version

    @property
    def _state(self) -> str:
        """The manifest of the state that is current; empty where nothing was published yet."""
        return self._began_with.manifest if self._began_with else ""

    def _noted(self) -> _Note:
        """Whose the folder is, which state it began with, and what it has taken in since."""
        return self._note.read_or(dict[str, Any], {})

    def _shown_to(self, run_id: str) -> _Note:
        """What is noted when the folder says what is current, to a run or to who only reads."""
        return {_RUN: run_id, _STATE: self._state, _SHARES: sorted(self._held.shares)}

    def _is_other(self, run_id: str, began: str | None) -> bool:
        """Whether a run cannot go on: neither what it began with nor its own work is current."""
        is_own = self._began_with is not None and self._began_with.run_id == run_id
        return began != self._state and not is_own

    def _door(self) -> FileLock:
        """Who makes the folder say something does so alone, of all processes of the machine."""
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / _DOOR)

    def _show(self, note: _Note) -> None:
        """Makes the folder say what is held; who dies meanwhile has noted nothing."""
        self._note.write({})
        for table in sorted({*self.state.tables(), *self._held.tables}):
            self._show_table(table, self._held.tables.get(table, {}))
        self._show_documents(self._held.documents)
        self._note.write(note)

    def _show_shares(self, shares: Iterable[Share]) -> None:
        """Makes the folder say what steps on other machines have changed."""
        for share in shares:
            for table, partitions in share.overlay.partitions.items():
                standing = self.state.table(table)
                for name, partition in partitions.items():
                    if partition is None:
                        shutil.rmtree(self.root / table / name, ignore_errors=True)
                    else:
                        self._show_partition(standing, name, partition)
                self.state.forget(table)
            self._write_documents(share.overlay.documents)

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
            PublishError: Another run has published meanwhile, or a partition cannot be read.
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
            pointer = self._point(state)
            self._began_with, self._began = pointer, state
            before, self._published = self._published, dict(self._held.tables)
            self._note.write(self._shown_to(run_id))
        return Publication(
            run_id,
            is_new=True,
            partitions=sum(_differing(before.get(t, {}), now) for t, now in tables.items()),
            objects=len(uploads),
            bytes=sum(path.stat().st_size for path, _ in uploads),
        )

    def _point(self, state: StateManifest) -> Pointer:
        key, is_new = self.published.keep_manifest(state)
        pointer = Pointer(run_id=state.run_id, manifest=key)
        try:
            self._version = self.published.point(pointer, self._version)
        except PublishError:
            # Whoever deleted meanwhile did not see it, and may have deleted what it names.
            if is_new and not any(s.is_reachable and s.key == key for s in history(self.published)):
                self.storage.delete(key)
            raise
        return pointer

    def has_published(self, run_id: str) -> bool:
        """See `Source.has_published`."""
        return any(one.is_reachable and one.run_id == run_id for one in history(self.published))

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
        """See `Source.objects`.

        Raises:
            LakeError: Nothing that is published holds the partition, as it is here.
        """
        return self._urls(self._objects_of(manifest))

    def _urls(self, keys: Iterable[str]) -> list[str]:
        return [f"{self.published.storage.root}/{key}" for key in keys]

    def _objects_of(self, manifest: PartitionManifest) -> tuple[str, ...]:
        """The objects of a partition that is published as it is here."""
        held = self._held.tables.get(manifest.table, {}).get(manifest.partition)
        if held and held.manifest == manifest:
            return held.objects
        raise LakeError(
            f"Files of {self.root / manifest.table / manifest.partition} are not there, and nothing"
            " that is published holds them.",
            hint="run again: a run begins with what is published.",
        )

    @property
    def _note(self) -> Document:
        """Whose the folder is, and which state it was made to say."""
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
        return documents_of(self.root)

    def _absent(self, manifests: Iterable[PartitionManifest]) -> Iterator[tuple[str, Path, str]]:
        """The objects of files that are not in the folder, their paths and checksums."""
        for manifest in manifests:
            folder = self.root / manifest.table / manifest.partition
            for number, file in enumerate(manifest.files):
                path = folder / file.path
                if not path.exists():
                    yield self._objects_of(manifest)[number], path, file.sha256

    def _changed(self, tables: Collection[str] | None) -> dict[str, Collection[str]]:
        """The partitions of some tables, or of all, that the store does not hold as they are.

        Raises:
            PublishError: Nobody can read what a partition is; it was not removed.
        """
        changed: dict[str, Collection[str]] = {}
        for table in sorted({*self.state.tables(), *self._held.tables}):
            if tables is not None and table not in tables:
                continue
            before = self._held.tables.get(table, {})
            standing = self.state.table(table)
            now = standing.partitions
            if standing.unreadable:
                raise PublishError(
                    f"{self.root / table / standing.unreadable[0]} has no readable manifest;"
                    " nothing is published.",
                    hint="run again: a run begins with what is published.",
                )
            written = {n for n, one in now.items() if n not in before or before[n].manifest != one}
            if names := sorted(written | (before.keys() - now.keys())):
                changed[table] = names
        return changed

    def _uploaded(
        self, run_id: str, changed: Mapping[str, Collection[str]]
    ) -> tuple[dict[str, dict[str, PublishedPartition | None]], list[tuple[Path, str]]]:
        """Uploads partitions; where they are now, and which files were uploaded."""
        standing = {table: self.state.table(table).partitions for table in changed}
        uploads = [
            (self.root / table / name / path, key)
            for table, names in changed.items()
            for name in names
            if name in standing[table]
            for path, key in _objects(run_id, standing[table][name])
        ]
        keys = in_parallel(lambda one: self.published.keep_file(*one), uploads)
        stands = dict(zip((path for path, _ in uploads), keys, strict=True))

        def placed(table: str, name: str) -> PublishedPartition | None:
            if name not in standing[table]:
                return None
            manifest = standing[table][name]
            paths = (self.root / table / name / file.path for file in manifest.files)
            return PublishedPartition(manifest=manifest, objects=tuple(stands[p] for p in paths))

        partitions = {
            table: {name: placed(table, name) for name in names} for table, names in changed.items()
        }
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


def _differing(before: _Partitions, now: _Partitions) -> int:
    """How many partitions were written or removed."""
    return sum(before.get(name) != now.get(name) for name in {*before, *now})


def _gone_on(run_id: str, current: Pointer | None) -> PublishError:
    return PublishError(
        f"Run {run_id} cannot go on: what it has begun with is current no longer, and"
        f" {said_of(current)}.",
        hint=f"end it with `kedro runs close {run_id}`, and begin a new run.",
    )


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
