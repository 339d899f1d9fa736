"""The lake in an object store: what stands is the state that a pointer names.

`_latest.json` names the manifest of a run. The manifest names a piece for each table, a piece names
the partitions of its table and the objects that hold their files. Whatever a run makes lies under
`_staging/<run_id>/`, and stays there: a table that has not changed goes on being named by the piece
of an earlier run. Nothing but the pointer is ever replaced, and that only if it is still what the
run began with.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from medallion.errors import (
    AbsentError,
    ChangedError,
    CollectedError,
    ExistsError,
    LakeError,
    PointerError,
    PublishError,
    shown,
)
from medallion.lake.manifest import PartitionManifest, file_hash
from medallion.lake.names import as_run_id, is_run_id
from medallion.storage import Entry, LocalStorage, Storage, open_storage
from medallion.storage.document import problem_of
from medallion.storage.filesystem import is_key
from medallion.storage.parallel import in_parallel

logger = logging.getLogger(__name__)

POINTER = "_latest.json"
STAGING = "_staging"
MANIFEST = "_MANIFEST.json"
_STEM = MANIFEST.removesuffix(".json")
# An object that is younger is never deleted: `kedro lake gc` keeps a day at least.
_FRESH_NS = 12 * 3_600 * 10**9
_OTHERS = "`kedro lake history` lists the states, `kedro lake rollback --to RUN` goes to one."
#: What to do where the pointer names no state.
CHOOSE = (
    "`kedro lake history` lists the states there are, `kedro lake rollback --to RUN` makes one of"
    " them current."
)
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
        now: The clock, in nanoseconds since 1970.
    """

    storage: Storage
    cache: Path
    now: Callable[[], int] = time.time_ns

    @classmethod
    def at(cls, root: str, cache: Path) -> Published:
        """The lake at a root such as `gs://bucket/silver`."""
        return cls(open_storage(root), cache)

    def pointer(self) -> tuple[Pointer | None, str | None]:
        """What is current, and the pointer's version; None where nothing was published yet.

        Raises:
            PointerError: The pointer does not say which state is current.
        """
        try:
            stored = self.storage.read(POINTER)
        except AbsentError:
            return None, None
        try:
            pointer = Pointer.model_validate_json(stored.data)
        except ValidationError as error:
            what = problem_of(error) if stored.data.strip() else "it is empty"
            raise self._spoilt(what, stored.version) from error
        if not (is_key(pointer.manifest) and is_manifest(pointer.manifest)):
            what = f"{shown(pointer.manifest)} is no manifest of a state"
            raise self._spoilt(what, stored.version)
        return pointer, stored.version

    def _spoilt(self, what: str, version: str) -> PointerError:
        error = PointerError(
            f"{self._named(POINTER)} does not say which state is current: {what}.", hint=CHOOSE
        )
        error.version = version
        return error

    def without_state(self, pointer: Pointer | None) -> str:
        """See `States.without_state`."""
        if pointer is None:
            return f"There is no {self._named(POINTER)}: none of the states is current."
        return (
            f"{self._named(POINTER)} names the state of run {shown(pointer.run_id)}, which is not"
            " there."
        )

    def manifest(self, key: str) -> StateManifest:
        """A state.

        Raises:
            LakeError: It is not there, or says nothing.
        """
        return self.kept(StateManifest, key)

    def kept(self, shape: type[_S], key: str) -> _S:
        """An object that never changes, whose name a listing or the pointer gives.

        Raises:
            LakeError: It is not there, or says nothing.
        """
        return self._sound(key, lambda data: self._parsed(shape, data, key))

    def piece(self, reference: Reference) -> Piece:
        """The partitions of a table.

        Raises:
            LakeError: The piece is not there, or not what the manifest describes.
        """
        return self._sound(
            reference.key,
            lambda data: self._parsed(Piece, self._described(reference, data), reference.key),
        )

    def document(self, reference: Reference) -> bytes:
        """The bytes of a small object.

        Raises:
            LakeError: They are not there, or not what the manifest describes.
        """
        return self._sound(reference.key, lambda data: self._described(reference, data))

    def _described(self, reference: Reference, data: bytes) -> bytes:
        """Bytes that are those that a reference describes."""
        if hashlib.sha256(data).hexdigest() != reference.sha256:
            raise LakeError(
                f"{self._named(reference.key)} is not what the manifest describes.", hint=_OTHERS
            )
        return data

    def states(self) -> list[tuple[StateManifest, str, int]]:
        """All states that were staged: manifest, its key, when it was written; newest first."""
        runs = filter(is_run_id, self.storage.folders(f"{STAGING}/"))
        listed = in_parallel(
            lambda run: list(self.storage.listed(f"{STAGING}/{run}/{_STEM}")), runs
        )
        entries = [entry for found in listed for entry in found]
        states = in_parallel(self._state_of, entries)
        found = [(one, entry) for one, entry in zip(states, entries, strict=True) if one]
        newest = sorted(found, key=lambda one: one[1].changed_ns, reverse=True)
        return [(state, entry.key, entry.changed_ns) for state, entry in newest]

    def _state_of(self, entry: Entry) -> StateManifest | None:
        """A state that was listed; None if it was deleted since."""
        try:
            return self.manifest(entry.key)
        except CollectedError:
            return None

    def keep(self, key: str, data: bytes) -> Reference:
        """Writes an object that never changes, whose name follows from its content.

        Returns:
            Where it is.
        """
        stands = self._kept(key, lambda name: self.storage.create(name, data))
        return Reference(key=stands, sha256=hashlib.sha256(data).hexdigest())

    def keep_file(self, path: Path, key: str) -> str:
        """Uploads a file that never changes, to an object whose name follows from its content.

        Returns:
            Where it is.
        """
        return self._kept(key, lambda name: self.storage.upload(path, name))

    def _kept(self, key: str, write: Callable[[str], object]) -> str:
        """Writes an object, unless a former try of the same run has just done so.

        What has been there for long may be about to be deleted: nobody names it yet.
        """
        for name in _again(key):
            try:
                write(name)
            except ExistsError:
                found = next(self.storage.listed(name), None)
                if found is None or self.now() - found.changed_ns > _FRESH_NS:
                    continue
            return name
        raise AssertionError(key)

    def keep_manifest(self, state: StateManifest) -> tuple[str, bool]:
        """Writes the manifest of a run; of a run that is repeated, beside the first.

        Returns:
            Where it is, and whether it was not there before.
        """
        data = encoded(state)
        digest = hashlib.sha256(data).hexdigest()[:16]
        folder = f"{STAGING}/{as_run_id(state.run_id)}"
        for key in (f"{folder}/{MANIFEST}", f"{folder}/{_STEM}-{digest}.json"):
            try:
                self.storage.create(key, data)
            except ExistsError:
                if self.storage.read(key).data != data:
                    continue
                return key, False
            return key, True
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
                f"Run {pointer.run_id} is not published: somebody else has changed the lake"
                f" meanwhile, and {said_of(current)}.",
                hint="run again: it begins with what is published now.",
            ) from error

    def go_back(self, pointer: Pointer, version: str | None) -> str:
        """Makes an earlier state current, if what is current is still what it was.

        A run that slept, and died, may have named what was deleted meanwhile: its manifest is
        there, and no state.

        Args:
            pointer: The state.
            version: The version of the pointer.

        Returns:
            The pointer's new version.

        Raises:
            PublishError: Somebody else has changed the lake, or has deleted what the state names.
        """
        there = {entry.key for entry in self.storage.listed(f"{STAGING}/")}
        try:
            named = self.named_by({pointer.manifest: self.manifest(pointer.manifest)})
        except CollectedError:
            named = None
        if named is None or not named <= there:
            raise PublishError(
                f"The state of run {pointer.run_id} is not whole any more: objects that it names"
                " were deleted.",
                hint="`kedro lake history` lists the states there are; go back to another one.",
            )
        return self.point(pointer, version)

    def named_by(self, states: Mapping[str, StateManifest]) -> set[str]:
        """The keys of all objects that some states name, their manifests included.

        Args:
            states: The states, by the keys of their manifests.

        Raises:
            LakeError: A part of a state cannot be read.
        """
        found = {*states}
        pieces: dict[str, Reference] = {}
        for one in states.values():
            found.update(reference.key for reference in one.documents.values())
            pieces |= {reference.key: reference for reference in one.tables.values()}

        def add(reference: Reference) -> None:
            held = self.piece(reference).partitions.values()
            found.update([key for partition in held for key in partition.objects])

        in_parallel(add, pieces.values())
        return found | pieces.keys()

    def fence(self) -> Pointer | None:
        """Gives the pointer another version, so that nobody publishes who has looked before.

        Returns:
            What it says, still; None where nothing was published yet.

        Raises:
            PublishError: Somebody has published at this moment.
        """
        pointer, version = self.pointer()
        if pointer:
            self.point(pointer, version)
        return pointer

    def restore(self, key: str, state: StateManifest) -> None:
        """Puts a manifest back that should not have gone."""
        with suppress(ExistsError):
            self.storage.create(key, encoded(state))

    def _sound(self, key: str, made: Callable[[bytes], _S]) -> _S:
        """What an object says that never changes: by its copy on this machine, if that is sound.

        Args:
            key: The object.
            made: Makes of its bytes what it says; refuses bytes that are not its own.

        Raises:
            LakeError: The store does not hold it, or holds other bytes.
        """
        with suppress(AbsentError):
            copy = self._remembered.read(key).data
            try:
                return made(copy)
            except LakeError:
                logger.debug("The copy of %s is spoilt; it is read again.", self._named(key))
        try:
            data = self.storage.read(key).data
        except AbsentError as error:
            raise self._absent(key) from error
        said = made(data)
        self._remembered.write(key, data)
        return said

    @cached_property
    def _remembered(self) -> LocalStorage:
        return LocalStorage(self.cache)

    def _parsed(self, shape: type[_S], data: bytes, key: str) -> _S:
        try:
            return TypeAdapter(shape).validate_json(data)
        except ValidationError as error:
            raise LakeError(
                f"{self._named(key)} does not say what it should.", hint=_OTHERS
            ) from error

    def bring(self, key: str, path: Path, sha256: str) -> Path:
        """Downloads a file of data.

        Args:
            key: The object that holds it.
            path: Where to.
            sha256: Of its bytes, as its manifest says.

        Raises:
            CollectedError: It is there no longer.
            LakeError: It has other bytes.
        """
        try:
            self.storage.download(key, path)
        except AbsentError as error:
            raise self._absent(key) from error
        if file_hash(path) == sha256:
            return path
        path.unlink()
        raise LakeError(
            f"{self._named(key)} is not what its manifest describes: its checksum is another one.",
            hint=_OTHERS,
        )

    def _absent(self, key: str) -> CollectedError:
        """What is said of an object that is not there, by whether it should be."""
        pointer, _ = self.pointer()
        if pointer and pointer.manifest == key:
            return CollectedError(self.without_state(pointer), hint=CHOOSE)
        if pointer and self._is_named(key, self.manifest(pointer.manifest)):
            return CollectedError(
                f"{self._named(key)} is missing: the current state, of run"
                f" {shown(pointer.run_id)}, names it, and somebody has deleted it.",
                hint="put it back, if the bucket keeps what was deleted (soft delete: `gcloud"
                " storage restore`; Object Versioning: copy the noncurrent version). Otherwise go"
                " to a state that does not name it, by `kedro lake history` and `kedro lake"
                " rollback --to RUN`, and run: what came after is made again. A run alone changes"
                " nothing.",
            )
        return CollectedError(
            f"{self._named(key)} is not there any more: it belongs to a state that was deleted.",
            hint="load it again, or run again: both begin with what is current; `kedro lake"
            " history` lists the states that are kept.",
        )

    def _is_named(self, key: str, state: StateManifest) -> bool:
        """Whether a state names an object; files are looked for in the pieces, which are read."""
        small = {one.key for one in (*state.tables.values(), *state.documents.values())}
        return key in small or key in self.named_by({"": state})

    def _named(self, key: str) -> str:
        return f"{self.storage.root}/{key}"


def said_of(pointer: Pointer | None) -> str:
    """Which state is current, for people."""
    return f"run {pointer.run_id} is current" if pointer else "nothing is current"


def encoded(model: BaseModel) -> bytes:
    """A document as bytes, the same for the same content."""
    return (model.model_dump_json(indent=1) + "\n").encode()


def is_manifest(key: str) -> bool:
    """Whether an object says what a state is: it lies in the folder of its run itself."""
    folder, _, name = key.rpartition("/")
    return folder.startswith(f"{STAGING}/") and folder.count("/") == 1 and name.startswith(_STEM)


def _again(key: str) -> Iterator[str]:
    """A key, and others for the same content."""
    yield key
    stem, dot, suffix = key.rpartition(".")
    yield from (f"{stem}-{number}{dot}{suffix}" for number in count(2))
