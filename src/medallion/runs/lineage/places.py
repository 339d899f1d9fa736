"""How a dataset is named in lineage, and its columns; nothing is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.spec import BRONZE_DAY, INGESTION_DAY, SNAPSHOT_DAY, Spec
from medallion.storage.layout import Layout

Columns = list[tuple[str, str, bool]]


@dataclass(frozen=True)
class Place:
    """A dataset as lineage names it.

    Attributes:
        namespace: `file`, the bucket such as `gs://shop`, or `bigquery`.
        name: The path, beginning with the name of its root, the key in the bucket, or project,
            dataset and table.
    """

    namespace: str
    name: str


def place_of(dataset: Any, layout: Layout) -> Place | None:
    """Where a dataset lies; None if it is only in memory, or a handle on many tables."""
    path = getattr(dataset, "place", None) or getattr(dataset, "_filepath", None)
    if path is None:
        return None
    text = str(path)
    scheme, found, rest = text.partition("://")
    if scheme == "bigquery":
        return Place(scheme, rest)
    if found:
        bucket, _, key = rest.partition("/")
        return Place(f"{scheme}://{bucket}", key)
    return Place("file", layout.name_of(Path(text)))


def columns_of(spec: Spec, dataset: str) -> Columns:
    """Name, type and whether it is personal, of each column that the spec promises."""
    layer, _, name = dataset.partition(".")
    table = name.removesuffix("_history") if layer == "dims" else name
    if layer == "enriched" and name in spec.transforms:
        return [(column, kind, False) for column, kind in spec.transforms[name].columns.items()]
    if table not in spec.tables or layer not in ("bronze", "dims", "base_silver", "quarantine"):
        return []
    return [*_contract(spec, layer, table), (_partition(spec, layer, table), "date", False)]


def _contract(spec: Spec, layer: str, table: str) -> Columns:
    columns = [
        (name, _type(column, layer), column.personal)
        for name, column in spec.contract(table).items()
    ]
    if layer == "quarantine":
        return [*columns, ("invalid_reason", "text", False)]
    business = spec.tables[table].business_date if layer != "bronze" else None
    return [*columns, (business.column, "date", False)] if business else columns


def _type(column: Any, layer: str) -> str:
    if layer == "quarantine":
        return "text"
    return str(column.bronze if layer == "bronze" else column.silver)


def _partition(spec: Spec, layer: str, table: str) -> str:
    if layer == "bronze":
        return next(iter(spec.tables[table].partition_keys), BRONZE_DAY)
    return SNAPSHOT_DAY if spec.tables[table].kind == "dimension" else INGESTION_DAY
