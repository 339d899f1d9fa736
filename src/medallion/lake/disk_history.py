"""The earlier states of a lake on a disk: what is noted of them, and where it is kept.

A state is what the folders hold when a run has published. What a later run replaces or removes is
not deleted, but moved to `_history/` by renaming. Of each state but the current one it is noted in
which partitions it differs from what the folders hold now, and by which version; to go to it is to
exchange just these. Before a partition changes, its version is noted for every state that has not
noted one yet. So no state depends on another, and each can be dropped alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from medallion.errors import DocumentError
from medallion.lake.kept_states import (
    EARLIER,
    UNFINISHED,
    KeptState,
    KeptStates,
    TableOfState,
    digest,
    digest_of,
    now,
    version_in,
)
from medallion.lake.state import Publication, StateReader, documents_of
from medallion.lake.swap import discard_folder
from medallion.storage import Document, LocalStorage
from medallion.storage.layout import LakeLayout

logger = logging.getLogger(__name__)

_LOCK = ".lock"


class DiskHistory:
    """The earlier states of a lake.

    Args:
        places: The lake's folders.
        state: What stands in the lake, and how many states are kept.
    """

    def __init__(self, places: LakeLayout, state: StateReader) -> None:
        self.places = places
        self._state = state
        self._storage = LocalStorage(places.root)

    def read(self) -> KeptStates | None:
        """The states as they are noted; None as long as nothing is.

        Raises:
            DocumentError: The note cannot be read.
        """
        shape: type[KeptStates | None] = KeptStates
        return self._document.read(shape, None)

    def current(self) -> KeptStates | None:
        """The states as they are; None as long as there is none.

        A change that was noted and never begun has left the state that it was to change.

        Raises:
            DocumentError: The note cannot be read.
        """
        states = self.read()
        if states is None:
            first = self._first()
            return first if first.current.is_whole else None
        return self._as_they_are(states)

    def version(self, partition: str) -> str | None:
        """The version of a partition that stands; None if there is none."""
        return version_in(self.places.root / partition)

    def place(self, partition: str, version: str) -> Path:
        """Where a version of a partition is kept."""
        return self.places.kept_partition(partition, version)

    def note(
        self,
        changing: Mapping[str, str | None],
        run_id: str | None = None,
        *,
        is_damage: bool = False,
        towards: int | None = None,
    ) -> dict[str, str]:
        """Notes the versions of partitions that are about to change.

        With the first change after a state was published, that state becomes an earlier one, and
        the oldest of those before it goes; but not for damage that is taken away and mended.

        Args:
            changing: The partitions, by their path below the root, and the versions that they
                will have; None for what is removed.
            run_id: The run that changes them.
            is_damage: They are taken away because they are damaged, and made again.
            towards: The number of the state that is being gone to.

        Returns:
            The version of each partition that is to be kept.
        """
        if self._state.source:
            return {}
        before = {partition: self.version(partition) for partition in changing}
        with self._alone():
            known = self._read_or_none()
            if towards is None:
                states = self._begun(known, run_id)
            else:
                states = self._left(self._as_they_are(known) if known else self._first(), run_id)
            states = states.noting(before)
            if not (is_damage or states.is_mended_by(changing)):
                states = states.pruned(self._state.kept_runs, towards)
            self._replace(known, states)
        return states.wanted(before)

    def publish(self, run_id: str, told: Mapping[str, str | int | None]) -> Publication:
        """Lets what the folders hold be the state of a run.

        Args:
            run_id: The run.
            told: What the run was.
        """
        # A run that has changed nothing leaves no trace.
        if not self._document.exists():
            return Publication(run_id, is_new=False)
        with self._alone():
            known = self._read_or_none()
            states = self._as_they_are(known or self._first())
            is_new = not states.current.is_whole
            if is_new:
                made = {"run_id": run_id, "told": dict(told), "is_whole": True, "written": now()}
                current = states.current.model_copy(update=made)
                states = states.model_copy(update={"current": current})
                states = states.pruned(self._state.kept_runs)
            self._replace(known, states)
        if is_new and states.others:
            logger.info("The state before is kept; `kedro lake rollback` goes back to it.")
        return Publication(states.current.run_id, is_new=is_new)

    def arrive(self, number: int) -> None:
        """Notes that the folders hold an earlier state again."""
        with self._alone():
            states = self._read_or_none()
            if states and any(one.number == number for one in states.others):
                self._write(states.at(number))

    def drop(self, numbers: Iterable[int]) -> None:
        """Lets states go that are not current, and deletes what no other one names."""
        gone = set(numbers)
        with self._alone():
            known = self.read()
            if known:
                kept = [one for one in known.others if one.number not in gone]
                self._replace(known, known.with_others(kept))

    def restore(self, documents: Mapping[str, str]) -> None:
        """Lets the small objects of the lake be what they were in a state."""
        standing = documents_of(self.places.root)
        for key in standing.keys() - documents.keys():
            self._storage.delete(key)
        for key, wanted in documents.items():
            if key not in standing or digest(standing[key]) != wanted:
                self._storage.write(key, self._storage.read(self._kept(wanted)).data)

    def damaged_documents(self, state: KeptState) -> Iterator[Path]:
        """What is kept of small objects of a state and is not there, or not what it was."""
        for wanted in state.documents.values():
            kept = Document(self._storage, self._kept(wanted))
            if digest(kept.content() or b"") != wanted:
                yield self.places.root / kept.key

    def unnamed(self, kept: Iterable[KeptState]) -> Iterator[Path]:
        """What is kept and belongs to none of some states: folders of partitions, and files."""
        states = list(kept)
        named = {
            self.place(partition, version)
            for one in states
            for partition, version in one.partitions.items()
            if version
        }
        documents = {
            self.places.root / self._kept(wanted)
            for one in states
            for wanted in one.documents.values()
        }
        yield from sorted({*self.places.kept_partitions.glob("*/*/*/*")} - named)
        yield from sorted({*self._kept_folder.glob("[!.]*")} - documents)

    def tidy(self) -> None:
        """Deletes what is kept and belongs to no state."""
        states = self._read_or_none()
        if states:
            self._sweep(states)

    def _sweep(self, states: KeptStates) -> None:
        for path in self.unnamed(states.others):
            if path.is_file():
                path.unlink()
            else:
                discard_folder(path)
        for depth in ("*/*/*", "*/*", "*"):
            for folder in self.places.kept_partitions.glob(depth):
                with suppress(OSError):  # something is in it
                    folder.rmdir()

    def described(self) -> dict[str, Any]:
        """Which run's state the folders hold, and what the tables come to; see `Source`."""
        states = self.current()
        if states is None:
            return {}
        counts = {"partitions", "rows", "bytes"}
        tables = {name: one.model_dump(include=counts) for name, one in self.describe().items()}
        return {"run_id": states.current.run_id, "tables": tables}

    def describe(self) -> dict[str, TableOfState]:
        """What the tables come to now; tables without partitions are left out."""
        standing = {name: self._state.standing(name) for name in self._state.tables()}
        return {
            name: TableOfState(
                partitions=len(one.partitions),
                rows=sum(manifest.rows for manifest in one.partitions.values()),
                bytes=sum(manifest.bytes for manifest in one.partitions.values()),
                digest=digest_of(one.partitions),
            )
            for name, one in standing.items()
            if one.partitions
        }

    def changed_at(self) -> datetime:
        """When partitions were last put in place or taken away; now, if none ever were."""
        folders = [self.places.table(table) for table in self._state.tables()]
        if not folders:
            return now()
        return datetime.fromtimestamp(max(folder.stat().st_mtime for folder in folders), UTC)

    def _first(self) -> KeptStates:
        """What can be said of a lake whose history has not begun: it stands."""
        stands = bool(self.describe())
        first = KeptState(
            number=0,
            run_id=EARLIER if stands else UNFINISHED,
            is_whole=stands,
            written=self.changed_at(),
        )
        return KeptStates(current=first, following=1)

    def _begun(self, known: KeptStates | None, run_id: str | None) -> KeptStates:
        """The states when a run is at work; one goes on with what another has not finished."""
        states = known or self._first()
        if states.current.is_whole:
            return self._left(states, run_id)
        named = states.current.model_copy(update={"run_id": run_id or states.current.run_id})
        return states.model_copy(update={"current": named})

    def _left(self, states: KeptStates, run_id: str | None) -> KeptStates:
        """The states when another one than the current one is at work."""
        documents = documents_of(self.places.root)
        seen = {
            "tables": self.describe(),
            "documents": {key: self._keep(data) for key, data in documents.items()},
        }
        left = states.current.model_copy(update=seen)
        at_work = KeptState(
            number=states.following,
            run_id=run_id or UNFINISHED,
            previous=left.number,
            written=now(),
        )
        return states.leaving(left, at_work)

    def _as_they_are(self, states: KeptStates) -> KeptStates:
        """The states; the one that was to be changed is current if nothing of it was."""
        last = states.last
        if last is None:
            return states
        if any(self.version(name) != version for name, version in last.partitions.items()):
            return states
        return states.at(last.number)

    def _replace(self, known: KeptStates | None, states: KeptStates) -> None:
        """Writes the states, then deletes what only those named that are no longer there."""
        if states != known:
            self._write(states)
        before = {one.number for one in known.others} if known else None
        if before is None or before - {one.number for one in states.others}:
            self._sweep(states)

    def _write(self, states: KeptStates) -> None:
        self._document.write_text(states.model_dump_json(indent=1) + "\n")

    def _keep(self, document: bytes) -> str:
        """Keeps what a small object says, and names it."""
        name = digest(document)
        kept = Document(self._storage, self._kept(name))
        if kept.content() != document:
            self._storage.write(kept.key, document)
        return name

    def _kept(self, name: str) -> str:
        return self.places.kept_document(name)

    @property
    def _kept_folder(self) -> Path:
        return (self.places.root / self._kept("_")).parent

    @property
    def _document(self) -> Document:
        return Document(self._storage, self.places.states)

    def _read_or_none(self) -> KeptStates | None:
        """The states; of a note that cannot be read, nothing is left."""
        try:
            return self.read()
        except DocumentError as error:
            logger.warning(
                "%s No earlier state can be gone back to; a new history begins.", error.message
            )
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Processes of one run note what they change one after the other."""
        self.places.history.mkdir(parents=True, exist_ok=True)
        with FileLock(self.places.history / _LOCK):
            yield
