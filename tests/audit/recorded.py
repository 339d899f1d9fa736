"""A record, and what the audit trail says of a lake, beside what stands in it."""

from __future__ import annotations

from medallion.lake.store import Lake
from medallion.runs.audit.record import AuditRecord
from medallion.runs.audit.trail import AuditTrail
from tests.running import Shop

_FOLDERS = {"dims": "dims", "base_silver": "base", "enriched": "enriched"}
RECORD = AuditRecord(
    run_id="r1",
    env="local",
    pipeline="__default__",
    layer="base_silver",
    table_name="orders",
    partition_key="ingestion_dt",
    partition_value="2025-10-01",
    output_rows=7,
    input_manifests={"bronze": "f1"},
    status="written",
)
Partition = tuple[str, str, str, int, str]


def trail(shop: Shop) -> AuditTrail:
    return AuditTrail(shop.data / "metrics" / "audit")


def recorded(shop: Shop) -> set[Partition]:
    """Layer, table, day, rows and content of the partitions that any run has recorded."""
    return {
        (one["layer"], one["table_name"], one["partition_value"], one["output_rows"],
         one["content_hash"])
        for run in trail(shop).runs()
        for one in trail(shop).records(run["run_id"])
        if one["layer"] in _FOLDERS and one["content_hash"]
    }  # fmt: skip


def standing(shop: Shop) -> set[Partition]:
    """The same of the partitions that stand."""
    lake = Lake(shop.data / "silver")
    return {
        (layer, path.name, value, manifest.rows, manifest.content_hash)
        for layer, folder in _FOLDERS.items()
        for path in (lake.root / folder).glob("[!_]*/")
        for value, manifest in lake.partitions(f"{folder}/{path.name}").items()
    }
