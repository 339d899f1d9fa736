"""What is noted of the states of a lake on a disk; see `disk_history`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from medallion.lake.manifest import MANIFEST, PartitionManifest, fingerprint

#: What a state is called that no run has noted: the lake is older than its history.
EARLIER = "earlier"
#: What one is called that was left before any run had written to it.
UNFINISHED = "unfinished"
# What may reach a path.
_Partition = Annotated[str, Field(pattern=r"^([^/.][^/]*/){2}[^/.][^/=]*=[^/]*$")]
_Version = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class HistorySettings(_Model):
    """How much is kept of earlier states of a lake on a disk.

    Attributes:
        runs: The states before the current one; 0 keeps none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: int = Field(default=1, ge=0, le=1_000)


class TableOfState(_Model):
    """What a table came to in a state.

    Attributes:
        partitions: How many.
        rows: Rows of all.
        bytes: Bytes of their files.
        digest: One hash over all partitions; equal tables have an equal one.
    """

    partitions: int
    rows: int
    bytes: int
    digest: str


class KeptState(_Model):
    """A state of the lake; of the current one, what the folders do not say themselves.

    Attributes:
        number: Its own, never given again.
        run_id: The run that made it.
        previous: The number of the state that it was made on; None for the first.
        is_whole: Whether its run had published it, or had not got so far.
        written: When, UTC.
        told: What the run was: code, spec, parameters.
        tables: What each table came to, by layer and table; empty for the current one.
        partitions: Partitions that differ from what the folders hold now, and their versions
            then; None where there was none. That one does not differ after all is no matter.
        documents: The digest of each small object, by its key in the lake.
    """

    number: int
    run_id: str
    previous: int | None = None
    is_whole: bool = False
    written: datetime
    told: Mapping[str, str | int | None] = Field(default_factory=dict)
    tables: Mapping[str, TableOfState] = Field(default_factory=dict)
    partitions: Mapping[_Partition, _Version | None] = Field(default_factory=dict)
    documents: Mapping[str, _Digest] = Field(default_factory=dict)

    def as_current(self) -> KeptState:
        """The same state when the folders hold it."""
        return self.model_copy(update={"tables": {}, "partitions": {}, "documents": {}})

    def noting(self, before: Mapping[str, str | None]) -> KeptState:
        """The same state before partitions change that have these versions now."""
        return self.model_copy(update={"partitions": {**before, **self.partitions}})


class KeptStates(_Model):
    """The states of a lake.

    Attributes:
        current: The one that the folders hold, or that a run is at work on.
        others: Those that can be gone back to; the one that was left last comes first.
        following: The number of the next one.
    """

    current: KeptState
    others: tuple[KeptState, ...] = ()
    following: int

    @property
    def last(self) -> KeptState | None:
        """The state that the one at work is made on, if it is kept; None if none is at work."""
        is_last = self.others and self.others[0].number == self.current.previous
        return self.others[0] if is_last and not self.current.is_whole else None

    def with_others(self, others: Collection[KeptState]) -> KeptStates:
        """The same current state and other ones to go back to."""
        return self.model_copy(update={"others": tuple(others)})

    def leaving(self, left: KeptState, at_work: KeptState) -> KeptStates:
        """The states when another one is at work, and the current one is left."""
        return KeptStates(
            current=at_work, others=(left, *self.others), following=self.following + 1
        )

    def at(self, number: int) -> KeptStates:
        """The states when one of the others is current, and the one at work is given up."""
        (found,) = (one for one in self.others if one.number == number)
        others = tuple(one for one in self.others if one.number != number)
        return self.model_copy(update={"current": found.as_current(), "others": others})

    def noting(self, before: Mapping[str, str | None]) -> KeptStates:
        """The states before partitions change that have these versions now."""
        return self.with_others([one.noting(before) for one in self.others])

    def pruned(self, most: int, towards: int | None = None) -> KeptStates:
        """The states without those that are too many.

        Args:
            most: So many are kept.
            towards: The one that is being gone to, which is none of them.
        """
        kept = {one.number for one in [o for o in self.others if o.number != towards][:most]}
        return self.with_others([o for o in self.others if o.number in {*kept, towards}])

    def wanted(self, before: Mapping[str, str | None]) -> dict[str, str]:
        """Of some versions of partitions, those that any state has."""
        return {
            name: version
            for name, version in before.items()
            if version and any(one.partitions.get(name) == version for one in self.others)
        }

    def is_mended_by(self, becoming: Mapping[str, str | None]) -> bool:
        """Whether partitions become again what they were in the state that is worked on."""
        return self.last is not None and all(
            self.last.partitions.get(name) == version for name, version in becoming.items()
        )


def version_in(folder: Path) -> str | None:
    """The version of the partition in a folder; None if there is no manifest."""
    try:
        return version_of((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def version_of(manifest: bytes) -> str:
    """What the version of a partition is called whose manifest is this."""
    return digest(manifest)[:16]


def digest_of(partitions: Mapping[str, PartitionManifest]) -> str:
    """One hash over the partitions of a table, by the names of their folders."""
    return fingerprint(
        [
            [name, one.content_hash, dict(one.inputs), dict(one.counts)]
            for name, one in sorted(partitions.items())
        ]
    )


def digest(data: bytes) -> str:
    """The hash of a small object."""
    return hashlib.sha256(data).hexdigest()


def now() -> datetime:
    """When a state is written, UTC."""
    return datetime.now(UTC)
