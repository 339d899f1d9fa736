"""What is published, as it shall be in BigQuery: partitions, their files and their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from medallion.lake.manifest import PartitionManifest, fingerprint
from medallion.lake.names import as_day
from medallion.lake.published import Published, PublishedPartition, StateManifest
from medallion.warehouse.bigquery.shapes import Shape, expect_same, kind_written, kinds

_DIGITS = 32


@dataclass(frozen=True)
class Wanted:
    """A partition as it is published.

    Attributes:
        day: Its day.
        rows: Its rows.
        uris: Its files.
        columns: The columns that they hold, in their order.
        content: A hash of the files' bytes and of the types of their columns.
    """

    day: date
    rows: int
    uris: tuple[str, ...]
    columns: tuple[str, ...]
    content: str

    @property
    def prefix(self) -> str:
        """The URL of all files up to the folder that names the day."""
        return self.uris[0].rsplit("/", 2)[0]


@dataclass(frozen=True)
class PublishedState:
    """The state of a lake that everybody reads.

    Attributes:
        published: The lake.
        manifest: What the state is.
    """

    published: Published
    manifest: StateManifest

    @classmethod
    def current(cls, published: Published) -> PublishedState | None:
        """The state that the pointer names; None where nothing was published yet.

        Raises:
            LakeError: It cannot be read.
        """
        pointer, _ = published.pointer()
        return cls(published, published.manifest(pointer.manifest)) if pointer else None

    @property
    def run_id(self) -> str:
        """The run that made it."""
        return self.manifest.run_id

    def stamp(self, shape: Shape) -> str:
        """Changes with any partition of a table, and with the types of its columns."""
        reference = self.manifest.tables.get(shape.folder)
        return fingerprint([reference.sha256 if reference else "", kinds(shape.fields)])[:_DIGITS]

    def partitions(self, shape: Shape) -> dict[date, Wanted]:
        """The partitions of a table, by day, ascending.

        Raises:
            LakeError: What tells of them cannot be read.
            WarehouseError: Files have columns that the spec does not know, or other types.
        """
        reference = self.manifest.tables.get(shape.folder)
        if reference is None:
            return {}
        root = self.published.storage.root
        piece = self.published.piece(reference)
        found = (_wanted(shape, root, one) for one in piece.partitions.values() if one.objects)
        return {one.day: one for one in sorted(found, key=lambda one: one.day)}


def _wanted(shape: Shape, root: str, partition: PublishedPartition) -> Wanted:
    manifest = partition.manifest
    held = _kinds_held(shape, manifest)
    return Wanted(
        day=as_day(manifest.value),
        rows=manifest.rows,
        uris=tuple(f"{root}/{key}" for key in partition.objects),
        columns=tuple(held),
        content=fingerprint([manifest.content_hash, list(held.items())])[:_DIGITS],
    )


def _kinds_held(shape: Shape, manifest: PartitionManifest) -> Mapping[str, str]:
    """The types of a partition's columns, in the order of the spec, which is that of the files."""
    held = {name: kind_written(written) for name, written in manifest.columns.items()}
    wanted = {field.name: field.kind for field in shape.fields if field.name in held}
    expect_same(
        f"{shape.name} of {manifest.value}, as it is published,",
        held,
        wanted,
        ("files", "spec"),
        "make the day again with the spec as it is (`kedro run --params ingest_dt="
        f"{manifest.value}`), or put conf/base/spec.yml right.",
    )
    return wanted
