"""The states of a lake on a disk, as `kedro lake history`, `diff`, `rollback` and `gc` take them.

The current state is what the folders hold. Another one is that, with the partitions in which it
differs as they are kept in `_history/`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from medallion.errors import LakeError, PublishError
from medallion.lake.damage import what_is_wrong
from medallion.lake.disk_commits import DiskCommits
from medallion.lake.disk_history import DiskHistory
from medallion.lake.history import Garbage, find_state, history, kept_among
from medallion.lake.kept_states import KeptState, TableOfState, digest_of
from medallion.lake.manifest import MANIFEST, PartitionManifest, file_hash, parse_manifest
from medallion.lake.published import (
    Piece,
    PieceReference,
    Pointer,
    PublishedPartition,
    Reference,
    StateManifest,
)
from medallion.lake.state import TableState
from medallion.lake.store import Lake
from medallion.storage import Entry

_HISTORY = "`kedro lake history` lists the states that are kept."
# What a partition of a state holds, and where it is kept; None if it stands.
_Placed = tuple[PartitionManifest, Path | None]


@dataclass
class DiskStates:
    """The states of a lake; see `States`.

    Attributes:
        lake: The lake.
        run_id: In whose name it is changed; nothing for who only reads.
    """

    lake: Lake
    run_id: str = ""
    _found: dict[str, tuple[KeptState, str]] = field(default_factory=dict)

    def pointer(self) -> tuple[Pointer | None, str | None]:
        """See `States.pointer`."""
        states = self._history.current()
        if states is None:
            return None, None
        key = _key(states.current)
        return Pointer(run_id=states.current.run_id, manifest=key), key

    def without_state(self, pointer: Pointer | None) -> str:  # noqa: ARG002
        """See `States.without_state`: the folders hold a state, whatever is noted of others."""
        return f"None of the states that {self.lake.root} has noted is current."

    def states(self) -> list[tuple[StateManifest, str, int]]:
        """See `States.states`."""
        states = self.kept()
        found = [
            (self._manifest(one, states), _key(one), int(one.written.timestamp() * 1e9))
            for one in states
        ]
        return sorted(found, key=lambda one: one[2], reverse=True)

    def piece(self, reference: Reference) -> Piece:
        """See `States.piece`."""
        state, table = self._found[reference.key]
        partitions = {}
        for name, (manifest, kept) in self.partitions(state, table).items():
            folder = kept.relative_to(self.lake.root).as_posix() if kept else f"{table}/{name}"
            objects = tuple(f"{folder}/{file.path}" for file in manifest.files)
            partitions[name] = PublishedPartition(manifest=manifest, objects=objects)
        return Piece(table=table, partitions=partitions)

    def bring(self, key: str, path: Path, sha256: str) -> Path:  # noqa: ARG002
        """See `States.bring`: the file is read where it is."""
        found = self.lake.root / key
        if not found.is_file() or file_hash(found) != sha256:
            raise LakeError(
                f"{found} is not what its manifest describes.",
                hint="`kedro lake verify` reads all that stands; " + _HISTORY,
            )
        return found

    def go_back(self, pointer: Pointer, version: str | None) -> str:
        """See `States.go_back`: partitions are exchanged, nothing is copied."""
        states = self._history.current()
        if states is None or _key(states.current) != version:
            raise PublishError(
                f"Run {pointer.run_id} is not current: somebody else has changed the lake"
                " meanwhile.",
                hint=_HISTORY,
            )
        (state,) = (one for one in states.others if _key(one) == pointer.manifest)
        self._check(state)
        commits = DiskCommits(self.lake.places, self.lake.state, self._history)
        commits.prepare_return(self.run_id, state).apply_all()
        return pointer.manifest

    def find_garbage(
        self, *, keep_days: int, keep_runs: int, living: Collection[str], now: datetime
    ) -> Garbage:
        """What can be deleted; the current state is not concerned.

        Args:
            keep_days: States that are younger are kept.
            keep_runs: So many of the newest states are kept, too.
            living: Runs that are at work: their states are kept.
            now: The time.
        """
        found = history(self)
        kept = kept_among(found, keep_days=keep_days, keep_runs=keep_runs, living=living, now=now)
        keys = {one.key for one in kept}
        others = [one for one in self.kept()[1:] if _key(one) in keys]
        entries = [
            _entry(file, self.lake.root)
            for path in self._history.unnamed(others)
            for file in ([path] if path.is_file() else sorted(path.glob("*")))
        ]
        dropped = tuple(one for one in found if one not in kept)
        return Garbage(tuple(entries), kept, dropped, self.pointer()[1])

    def delete(self, garbage: Garbage) -> None:
        """Deletes what was found; a state stops being one before its partitions go."""
        self._history.drop(int(one.key) for one in garbage.dropped)

    def partitions(self, state: KeptState, table: str) -> dict[str, _Placed]:
        """The partitions of a table in a state, by the names of their folders, ascending.

        Raises:
            LakeError: They are not those that it had.
        """
        standing = self.lake.state.standing(table).partitions
        found: dict[str, _Placed] = {name: (manifest, None) for name, manifest in standing.items()}
        for path, version in state.partitions.items():
            if path.rpartition("/")[0] == table:
                name = path.rpartition("/")[2]
                if version is None:
                    found.pop(name, None)
                elif version != self._history.version(path):
                    folder = self._history.place(path, version)
                    found[name] = self._kept_manifest(state, folder), folder
        manifests = {name: manifest for name, (manifest, _) in sorted(found.items())}
        # Of the current state nothing is noted: it is what the folders hold.
        if state.tables or state.partitions:
            known = state.tables.get(table)
            if (known.digest if known else digest_of({})) != digest_of(manifests):
                raise _changed(state, table)
        return {name: found[name] for name in manifests}

    def kept(self) -> list[KeptState]:
        """All states as they are noted, the current one first."""
        states = self._history.current()
        return [states.current, *states.others] if states else []

    @property
    def _history(self) -> DiskHistory:
        return self.lake.history

    def _manifest(self, state: KeptState, states: Sequence[KeptState]) -> StateManifest:
        tables = self._history.describe() if state is states[0] else state.tables
        known = {one.number for one in states}
        return StateManifest(
            run_id=state.run_id,
            previous=str(state.previous) if state.previous in known else None,
            tables={name: self._reference(state, name, one) for name, one in tables.items()},
            documents={},
            told=state.told,
            is_whole=state.is_whole,
        )

    def _reference(self, state: KeptState, table: str, found: TableOfState) -> PieceReference:
        """Names a table in a state by its content, so that equal ones are seen to be equal."""
        key = f"{table}/{found.digest}"
        self._found.setdefault(key, (state, table))
        counts = found.model_dump(exclude={"digest"})
        return PieceReference(key=key, sha256=found.digest, **counts)

    def _check(self, state: KeptState) -> None:
        """Looks at all that a state consists of, before anything is changed.

        Raises:
            LakeError: Something is not there, or not what it was.
        """
        for table in sorted({*self.lake.state.tables(), *state.tables}):
            for manifest, kept in self.partitions(state, table).values():
                what = what_is_wrong(kept, table, manifest, thorough=False) if kept else ""
                if kept and what:
                    raise _damaged(state, kept, what)
        for path in self._history.damaged_documents(state):
            raise _damaged(state, path, "is not what it was")

    def _kept_manifest(self, state: KeptState, folder: Path) -> PartitionManifest:
        try:
            return parse_manifest((folder / MANIFEST).read_bytes())
        except (OSError, ValidationError) as error:
            raise _damaged(state, folder, f"has no readable {MANIFEST}") from error


class AsOf:
    """What stood in a lake when a run had published; see `state.Past`.

    Args:
        lake: The lake.
        run_id: The run.

    Raises:
        RequestError: No state of this run is kept.
    """

    def __init__(self, lake: Lake, run_id: str) -> None:
        self._states = DiskStates(lake)
        self._key = find_state(history(self._states), run_id).key
        self._folders: dict[str, dict[str, Path]] = {}

    def table(self, standing: TableState) -> TableState:
        """See `Past.table`."""
        table = standing.table
        found = self._states.partitions(self._state(), table)
        self._folders[table] = {name: kept for name, (_, kept) in found.items() if kept}
        unreadable = tuple(name for name in standing.unreadable if name not in found)
        manifests = MappingProxyType({name: manifest for name, (manifest, _) in found.items()})
        return TableState(table, manifests, unreadable)

    def folder(self, manifest: PartitionManifest) -> Path | None:
        """See `Past.folder`."""
        return self._folders.get(manifest.table, {}).get(manifest.partition)

    def _state(self) -> KeptState:
        """The state as it is noted now: a run may have changed what the folders hold."""
        known = self._states.kept()
        found = next((one for one in known if _key(one) == self._key), None)
        if found is None:
            raise LakeError("The state that was asked for is kept no longer.", hint=_HISTORY)
        return found


def _key(state: KeptState) -> str:
    return str(state.number)


def _entry(path: Path, root: Path) -> Entry:
    stat = path.stat()
    return Entry(path.relative_to(root).as_posix(), stat.st_size, "", stat.st_mtime_ns)


def _changed(state: KeptState, table: str) -> LakeError:
    return LakeError(
        f"{table} is not known as it was after run {state.run_id}: since then it was changed by"
        " something else than a run.",
        hint="put back by hand what was changed by hand; " + _HISTORY,
    )


def _damaged(state: KeptState, place: Path, what: str) -> LakeError:
    return LakeError(
        f"{place}, which belongs to the state of run {state.run_id}, {what}.",
        hint=f"this state cannot be gone back to; {_HISTORY}",
    )
