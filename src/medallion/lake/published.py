"""The lake in an object store: what stands is the state that a pointer names.

`_latest.json` names the manifest of a run. The manifest names a piece for each table, a piece names
the partitions of its table and the objects that hold their files. Whatever a run makes lies under
`_staging/<run_id>/`, and stays there: a table that has not changed goes on being named by the piece
of an earlier run. Nothing but the pointer is ever replaced, and that only if it is still what the
run began with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from medallion.errors import AbsentError, ChangedError, ExistsError, LakeError, PublishError
from medallion.lake.manifest import PartitionManifest, file_hash
from medallion.lake.names import as_run_id, is_run_id
from medallion.storage import LocalStorage, Storage, open_storage
from medallion.storage.parallel import in_parallel

POINTER = "_latest.json"
STAGING = "_staging"
MANIFEST = "_MANIFEST.json"
_S = TypeVar("_S")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Pointer(_Model):
    """Which state is current.

    Attributes:
        run_id: The run that made it.
        manifest: Its manifest.
    """

    run_id: str
    manifest: str


class PublishedPartition(_Model):
    """A partition, and where its files are.

    Attributes:
        manifest: What it holds.
        objects: The object of each of its files, in the order of the manifest.
    """

    manifest: PartitionManifest
    objects: tuple[str, ...]


class Piece(_Model):
    """The part of the state that is one table: its partitions, by the names of their folders."""

    table: str
    partitions: Mapping[str, PublishedPartition]


class Reference(_Model):
    """An object that never changes.

    Attributes:
        key: Where it is.
        sha256: Of its bytes.
    """

    key: str
    sha256: str


class PieceReference(Reference):
    """The piece of a table, and what it comes to.

    Attributes:
        partitions: How many.
        rows: Rows of all.
        bytes: Bytes of their files.
    """

    partitions: int
    rows: int
    bytes: int


class StateManifest(_Model):
    """The whole state after a run.

    Attributes:
        run_id: The run.
        previous: The manifest that it began with; None for the first.
        tables: The piece of each table, by layer and table.
        documents: Verdicts, and what days were made of, by their key in the lake.
        told: What the run was: code, spec, parameters.
        is_whole: Whether the run had got so far; on a disk it may not have.
    """

    run_id: str
    previous: str | None
    tables: Mapping[str, PieceReference]
    documents: Mapping[str, Reference]
    told: Mapping[str, str | int | None]
    is_whole: bool = Field(default=True, exclude=True)


@dataclass(frozen=True)
class Published:
    """A lake in an object store.

    Attributes:
        storage: Its root.
        cache: A folder of this machine: objects that never change are read once.
    """

    storage: Storage
    cache: Path

    @classmethod
    def at(cls, root: str, cache: Path) -> Published:
        """The lake at a root such as `gs://bucket/silver`."""
        return cls(open_storage(root), cache)

    def pointer(self) -> tuple[Pointer | None, str | None]:
        """What is current, and the pointer's version; None where nothing was published yet.

        Raises:
            LakeError: The pointer says nothing.
        """
        try:
            stored = self.storage.read(POINTER)
        except AbsentError:
            return None, None
        return self._parsed(Pointer, stored.data, POINTER), stored.version

    def manifest(self, key: str) -> StateManifest:
        """A state.

        Raises:
            LakeError: It is not there, or says nothing.
        """
        return self._parsed(StateManifest, self._immutable(key), key)

    def piece(self, reference: Reference) -> Piece:
        """The partitions of a table.

        Raises:
            LakeError: The piece is not there, or not what the manifest describes.
        """
        return self._parsed(Piece, self.document(reference), reference.key)

    def document(self, reference: Reference) -> bytes:
        """The bytes of a small object.

        Raises:
            LakeError: They are not there, or not what the manifest describes.
        """
        data = self._immutable(reference.key)
        if hashlib.sha256(data).hexdigest() != reference.sha256:
            self._remembered.delete(reference.key)
            raise LakeError(
                f"{self._named(reference.key)} is not what the manifest describes.",
                hint="run again; if it stays so, `kedro lake rollback` names an earlier state.",
            )
        return data

    def states(self) -> list[tuple[StateManifest, str, int]]:
        """All states that were staged: manifest, its key, when it was written; newest first."""
        runs = open_storage(f"{self.storage.root}/{STAGING}").folders()
        entries = [
            entry
            for found in in_parallel(self._manifests_of, filter(is_run_id, runs))
            for entry in found
        ]
        states = in_parallel(self.manifest, (entry.key for entry in entries))
        found = zip(states, entries, strict=True)
        newest = sorted(found, key=lambda one: one[1].changed_ns, reverse=True)
        return [(state, entry.key, entry.changed_ns) for state, entry in newest]

    def _manifests_of(self, run: str) -> list[Any]:
        stem = MANIFEST.removesuffix(".json")
        return list(self.storage.listed(f"{STAGING}/{run}/{stem}"))

    def keep(self, key: str, data: bytes) -> Reference:
        """Writes an object that never changes, whose name follows from its content."""
        try:
            self.storage.create(key, data)
        except ExistsError:
            """A former try of the same run has written it."""
        return Reference(key=key, sha256=hashlib.sha256(data).hexdigest())

    def keep_manifest(self, state: StateManifest) -> str:
        """Writes the manifest of a run; of a run that is repeated, beside the first.

        Returns:
            Where it is.
        """
        data = encoded(state)
        digest = hashlib.sha256(data).hexdigest()[:16]
        folder = f"{STAGING}/{as_run_id(state.run_id)}"
        for name in (MANIFEST, MANIFEST.replace(".", f"-{digest}.")):
            key = f"{folder}/{name}"
            try:
                self.storage.create(key, data)
            except ExistsError:
                if self.storage.read(key).data != data:
                    continue
            return key
        raise PublishError(f"{self._named(folder)} holds manifests that this run has not written.")

    def point(self, pointer: Pointer, version: str | None) -> str:
        """Makes a state current, if what was current is still that.

        Returns:
            The pointer's new version.

        Args:
            pointer: The state.
            version: The version of the pointer that the state was made on; None if there was none.

        Raises:
            PublishError: Another run has published meanwhile.
        """
        data = encoded(pointer)
        try:
            if version is None:
                return self.storage.create(POINTER, data)
            return self.storage.swap(POINTER, data, version)
        except (ChangedError, ExistsError) as error:
            # The answer of a swap that succeeded may have been lost, and its repetition refused.
            current, now = self.pointer()
            if current == pointer and now is not None:
                return now
            raise PublishError(
                f"Run {pointer.run_id} is not published: run"
                f" {current.run_id if current else 'nobody'} was, meanwhile.",
                hint="run again: it begins with what is published now.",
            ) from error

    def _immutable(self, key: str) -> bytes:
        """An object that never changes: read from this machine if it was read before."""
        try:
            return self._remembered.read(key).data
        except AbsentError:
            """It is read from the store, then."""
        try:
            data = self.storage.read(key).data
        except AbsentError as error:
            raise LakeError(
                f"{self._named(key)} is not there, and a manifest names it.",
                hint="`kedro lake history` lists the states, `kedro lake rollback` goes to one.",
            ) from error
        self._remembered.write(key, data)
        return data

    @cached_property
    def _remembered(self) -> LocalStorage:
        return LocalStorage(self.cache)

    def _parsed(self, shape: type[_S], data: bytes, key: str) -> _S:
        try:
            return TypeAdapter(shape).validate_json(data)
        except ValidationError as error:
            self._remembered.delete(key)
            raise LakeError(
                f"{self._named(key)} does not say what it should.",
                hint="run again; if it stays so, `kedro lake rollback` names an earlier state.",
            ) from error

    def bring(self, key: str, path: Path, sha256: str) -> Path:
        """Downloads a file of data.

        Args:
            key: The object that holds it.
            path: Where to.
            sha256: Of its bytes, as its manifest says.

        Raises:
            LakeError: It has other bytes.
        """
        self.storage.download(key, path)
        if file_hash(path) == sha256:
            return path
        path.unlink()
        raise LakeError(
            f"{self._named(key)} is not what its manifest describes: its checksum is another one.",
            hint="`kedro lake history` lists the states, `kedro lake rollback` goes to one.",
        )

    def _named(self, key: str) -> str:
        return f"{self.storage.root}/{key}"


def encoded(model: BaseModel) -> bytes:
    """A document as bytes, the same for the same content."""
    return (model.model_dump_json(indent=1) + "\n").encode()


def referenced(published: Published, state: StateManifest) -> Iterator[str]:
    """The keys of all objects that a state names, but its manifest."""
    for reference in (*state.tables.values(), *state.documents.values()):
        yield reference.key
    for piece in in_parallel(published.piece, state.tables.values()):
        for partition in piece.partitions.values():
            yield from partition.objects
