"""What nodes hand to the catalog: descriptions of new partitions, not the rows themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from medallion.lake.commits import Commit
from medallion.lake.manifest import Origin

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class StagedWrite:
    """Partitions of one table that stand in staging and wait to be swapped in.

    Attributes:
        table: Layer and table, such as `base/orders`.
        commit: The commit they belong to; None when the run has nothing for this table.
        snapshot: For a dimension, the snapshot's day.
    """

    table: str
    commit: Commit | None = None
    snapshot: date | None = None


@dataclass(frozen=True)
class FrameWrite:
    """Days of an enriched table, as queries that have not run yet.

    Attributes:
        table: Layer and table, such as `enriched/sales_velocity`.
        run_id: The run that writes them.
        batches: Days and the query that makes their rows; one batch fits in memory.
        made_from: What each day is made from, by ISO day.
        origins: The same by input, by ISO day, for the audit trail.
        inputs: What the queries read, to find the rows behind a failure.
    """

    table: str
    run_id: str
    batches: tuple[tuple[tuple[date, ...], pl.LazyFrame], ...] = field(repr=False)
    made_from: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    origins: Mapping[str, Mapping[str, Origin]] = field(default_factory=dict, repr=False)
    inputs: Mapping[str, pl.LazyFrame] = field(default_factory=dict, repr=False)

    @property
    def days(self) -> list[date]:
        """The days that are written, ascending."""
        return sorted(day for days, _ in self.batches for day in days)


@dataclass(frozen=True)
class PublishRequest:
    """That what a run has committed shall be what everybody reads.

    Attributes:
        run_id: The run.
        told: What tells of it beside the code: fingerprints of spec and parameters.
    """

    run_id: str
    told: Mapping[str, str]


@dataclass(frozen=True)
class BuiltTable:
    """A table that stands in the warehouse.

    Attributes:
        schema: Its schema.
        name: Its name.
        origins: The tables it is made from and the code that makes it; empty if it stood.
        reads: The tables that its schema is made from, by their names in the catalog.
    """

    schema: str
    name: str
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False)
    reads: tuple[str, ...] = field(default=(), repr=False)
