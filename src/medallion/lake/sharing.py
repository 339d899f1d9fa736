"""What the steps of one run hand to each other when they are done on several machines.

A step that is done leaves word of what it has changed beside the files that it has uploaded. A
process of the same run on another machine takes all of these in: it sees the state that the run
began with, overlaid by what the run has made. Nobody else does, until the run has published.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from medallion.lake.names import as_run_id
from medallion.lake.published import (
    STAGING,
    Published,
    PublishedPartition,
    Reference,
    encoded,
)
from medallion.storage.parallel import in_parallel

_SHARES = "_shares"
_DIGITS = 6


class Overlay(BaseModel):
    """What a step of a run has changed.

    Attributes:
        step: The step.
        base: The manifest of the state that was current; empty where nothing was published yet.
        partitions: By table, the partitions that were written, and None for those removed.
        documents: The same of small objects, by their key in the lake.
    """

    model_config = ConfigDict(frozen=True)

    step: str
    base: str
    partitions: Mapping[str, Mapping[str, PublishedPartition | None]]
    documents: Mapping[str, Reference | None]


class Share(NamedTuple):
    """An overlay, and the object that holds it."""

    key: str
    overlay: Overlay


@dataclass
class Held:
    """What the store holds of the state that a run sees.

    Attributes:
        tables: The partitions of each table, by the names of their folders.
        documents: Small objects, by their key in the lake.
        shares: The overlays that are in it.
    """

    tables: dict[str, Mapping[str, PublishedPartition]] = field(default_factory=dict)
    documents: dict[str, Reference] = field(default_factory=dict)
    shares: set[str] = field(default_factory=set)

    def take(self, shares: Iterable[Share]) -> list[Share]:
        """Takes overlays in, in their order; those that are in it already change nothing.

        Returns:
            Those that were not.
        """
        fresh = [share for share in shares if share.key not in self.shares]
        for share in fresh:
            self.change(share.overlay.partitions, share.overlay.documents)
            self.shares.add(share.key)
        return fresh

    def change(
        self,
        partitions: Mapping[str, Mapping[str, PublishedPartition | None]],
        documents: Mapping[str, Reference | None],
    ) -> None:
        """Takes in what was written, and takes out what is None."""
        for table, changed in partitions.items():
            merged = {**self.tables.get(table, {}), **changed}
            self.tables[table] = {name: one for name, one in merged.items() if one}
        merged_documents = {**self.documents, **documents}
        self.documents = {key: one for key, one in sorted(merged_documents.items()) if one}


def shared_by(published: Published, run_id: str) -> list[Share]:
    """What the steps of a run have shared, in the order in which they did.

    Raises:
        LakeError: Something of it cannot be read.
    """
    keys = sorted(entry.key for entry in published.storage.listed(_prefix(run_id)))
    overlays = in_parallel(lambda key: published.kept(Overlay, key), keys)
    return [Share(key, overlay) for key, overlay in zip(keys, overlays, strict=True)]


def keep_share(published: Published, run_id: str, overlay: Overlay) -> Share:
    """Leaves word of what a step has changed, behind all that was left before."""
    before = [entry.key for entry in published.storage.listed(_prefix(run_id))]
    newest = max((int(key.rpartition("/")[2][:_DIGITS]) for key in before), default=0)
    data = encoded(overlay)
    digest = hashlib.sha256(data).hexdigest()[:16]
    key = f"{_prefix(run_id)}{newest + 1:0{_DIGITS}}-{digest}.json"
    return Share(published.keep(key, data).key, overlay)


def _prefix(run_id: str) -> str:
    return f"{STAGING}/{as_run_id(run_id)}/{_SHARES}/"
