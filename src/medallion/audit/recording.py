"""What a save has written, as records: counts come from manifests, nothing is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from medallion.audit.record import AuditRecord
from medallion.audit.trail import AuditTrail
from medallion.lake.manifest import PartitionManifest
from medallion.lake.store import Lake
from medallion.lake.writes import BuiltTable, FrameWrite, StagedWrite
from medallion.spec import INGESTION_DAY

_LAYERS = {"base": "base_silver", "dims": "dims", "enriched": "enriched"}
_QUARANTINE = "quarantine"
_WITH_QUARANTINE = ("base_silver", "dims")
Standing = Callable[[str], Mapping[str, PartitionManifest]]
Receipts = Mapping[str, Sequence[Mapping[str, Any]]]
Gates = Mapping[str, Mapping[str, Any]]


def of_commit(node: AuditRecord, write: StagedWrite) -> Iterator[AuditRecord]:
    """The partitions of one table that a commit has replaced or removed.

    Args:
        node: What is known of the node that wrote them.
        write: What was saved.
    """
    layer = write.table.split("/")[0]
    if write.commit is None or layer not in (*_LAYERS, _QUARANTINE):
        return
    for name, text in write.commit.replace.items():
        if name.startswith(f"{write.table}/"):
            manifest = PartitionManifest.model_validate_json(text)
            yield of_partition(node, write.table, manifest, "written")
    for name in write.commit.remove:
        if name.startswith(f"{write.table}/"):
            gone = PartitionManifest(
                table=write.table, partition=name.split("/")[-1], files=(), content_hash=""
            )
            yield of_partition(node, write.table, gone, "removed")


def of_frames(
    node: AuditRecord,
    write: FrameWrite,
    before: Mapping[str, PartitionManifest],
    standing: Standing,
) -> Iterator[AuditRecord]:
    """The days of one enriched table.

    Args:
        node: What is known of the node that wrote them.
        write: What was saved.
        before: The manifests that stood before it, by day.
        standing: The manifests of a table of the lake.
    """
    partitions = standing(write.table)
    for day in map(str, write.days):
        manifest, former = partitions.get(day), before.get(day)
        if manifest is None:
            continue
        same = former is not None and former.content_hash == manifest.content_hash
        origins = write.origins.get(day, {})
        rows = [
            _rows_of(standing, read, day) if origin.rows is None else origin.rows
            for read, origin in origins.items()
        ]
        yield replace(
            of_partition(node, write.table, manifest, "unchanged" if same else "written"),
            input_rows=sum(rows) if rows else None,
            input_manifests={read: origin.fingerprint for read, origin in origins.items()},
        )


def _rows_of(standing: Standing, transform: str, day: str) -> int:
    """The rows of another enriched table that a day was made from, now that they stand."""
    manifest = standing(f"enriched/{transform}").get(day)
    return manifest.rows if manifest else 0


def of_mart(node: AuditRecord, mart: BuiltTable) -> AuditRecord:
    """One mart, which is made anew from all that it reads.

    Args:
        node: What is known of the node that made it.
        mart: What was made.
    """
    rows = [origin.rows for origin in mart.origins.values() if origin.rows is not None]
    return replace(
        node,
        layer=mart.schema,
        table_name=mart.name,
        input_rows=sum(rows) if rows else None,
        input_manifests={read: origin.fingerprint for read, origin in mart.origins.items()},
        status="written",
    )


def of_partition(
    node: AuditRecord, path: str, manifest: PartitionManifest, status: str
) -> AuditRecord:
    """One partition, by its manifest.

    Args:
        node: What is known of the node that wrote it.
        path: The table, as in `base/orders`.
        manifest: The manifest.
        status: What became of the partition.
    """
    layer, table = path.split("/")
    key, _, value = manifest.partition.partition("=")
    return replace(
        node,
        layer=_LAYERS.get(layer, layer),
        table_name=table,
        partition_key=key,
        partition_value=value,
        ingest_dt=value if key == INGESTION_DAY else None,
        input_rows=manifest.counts.get("bronze_rows"),
        output_rows=manifest.rows,
        bytes_written=manifest.bytes,
        files=len(manifest.files),
        content_hash=manifest.content_hash or None,
        input_manifests=dict(manifest.inputs),
        status=status,
    )


def of_recovered(node: AuditRecord, partitions: Sequence[str], lake: Lake) -> Iterator[AuditRecord]:
    """Partitions of a commit that was cut short and has been completed.

    Args:
        node: What is known of the run.
        partitions: Their paths below the lake's root.
        lake: The lake.
    """
    for path in partitions:
        table, _, name = path.rpartition("/")
        if table.split("/")[0] not in (*_LAYERS, _QUARANTINE):
            continue
        manifest = lake.partitions(table).get(name.partition("=")[2])
        gone = PartitionManifest(table=table, partition=name, files=(), content_hash="")
        status = "written" if manifest else "removed"
        yield of_partition(node, table, manifest or gone, status)


def unrecorded(node: AuditRecord, lake: Lake, trail: AuditTrail) -> Iterator[AuditRecord]:
    """Partitions that stand and that no run has recorded: a run was killed before it could.

    Args:
        node: What is known of that run.
        lake: The lake.
        trail: The records of all runs.
    """
    known = {
        (one["layer"], one["table_name"], one["partition_value"], one["content_hash"])
        for run in trail.runs()
        for one in trail.records(run["run_id"])
    }
    for folder, layer in _LAYERS.items():
        for path in sorted((lake.root / folder).glob("[!_]*/")):
            for value, manifest in lake.partitions(f"{folder}/{path.name}").items():
                if (layer, path.name, value, manifest.content_hash) not in known:
                    yield of_partition(node, f"{folder}/{path.name}", manifest, "written")


def completed(
    run: AuditRecord,
    records: Sequence[AuditRecord],
    standing: Standing,
    receipts: Receipts,
    gates: Gates,
) -> Iterator[AuditRecord]:
    """Records with what other nodes have told: rows put aside, verdicts, rows of marts.

    Args:
        run: What is known of the run.
        records: The records as they were made when tables were saved.
        standing: The manifests of a table of the lake, such as `base/orders`.
        receipts: What the layers say they did, a row for each table.
        gates: The results of the gates, by layer.
    """
    marts = {row["table"]: int(row["accepted"]) for row in receipts.get("gold", ())}
    others = [one for one in records if one.layer not in (*_WITH_QUARANTINE, _QUARANTINE)]
    for record in (*_silver(run, records, standing, receipts), *others):
        held, failed = _checks(gates.get(str(record.layer), {}), str(record.table_name))
        judged = replace(record, quality_checks_passed=held, quality_failures=failed)
        if record.layer != "gold":
            yield judged
        elif record.table_name in marts:
            yield replace(judged, output_rows=marts[record.table_name])


def _silver(
    run: AuditRecord, records: Sequence[AuditRecord], standing: Standing, receipts: Receipts
) -> Iterator[AuditRecord]:
    """One record for each partition and what was put aside of it."""
    told = {_place(one): one for one in records if one.layer in _WITH_QUARANTINE}
    for aside in records:
        if aside.layer == _QUARANTINE and _place(aside) not in told:
            told[_place(aside)] = _accepted_beside(aside, standing)
    for row in receipts.get("base_silver", ()):
        accepted = standing(f"base/{row['table']}")
        for day in row["partitions"]:
            if (row["table"], day) not in told and day in accepted:
                node = replace(run, node="base_silver.score")
                told[row["table"], day] = of_partition(
                    node, f"base/{row['table']}", accepted[day], "unchanged"
                )
    for record in told.values():
        manifest = standing(f"{_QUARANTINE}/{record.table_name}").get(str(record.partition_value))
        yield replace(record, quarantine_rows=manifest.rows if manifest else 0)


def _accepted_beside(aside: AuditRecord, standing: Standing) -> AuditRecord:
    """The accepted rows of a partition of which only the rows put aside have changed."""
    folder = "base" if aside.partition_key == INGESTION_DAY else "dims"
    path = f"{folder}/{aside.table_name}"
    manifest = standing(path).get(str(aside.partition_value))
    if manifest:
        return of_partition(aside, path, manifest, "written")
    return replace(
        aside, layer=_LAYERS[folder], output_rows=0, bytes_written=0, files=0, content_hash=None
    )


def _place(record: AuditRecord) -> tuple[str | None, str | None]:
    return record.table_name, record.partition_value


def table_counts(records: Sequence[AuditRecord]) -> dict[str, dict[str, int]]:
    """Partitions and rows that a run has written, by table.

    Args:
        records: The completed records of the run.
    """
    counts: dict[str, dict[str, int]] = {}
    for record in records:
        if record.status == "unchanged":
            continue
        table = f"{record.layer}.{record.table_name}"
        one = counts.setdefault(table, {"partitions": 0, "rows": 0, "quarantined": 0})
        one["partitions"] += 1
        one["rows"] += record.output_rows or 0
        one["quarantined"] += record.quarantine_rows or 0
    return counts


def _checks(gate: Mapping[str, Any], table: str) -> tuple[int | None, int | None]:
    """Expectations of a table that held, and that did not; null where it was not looked at."""
    suites = [
        suite["statistics"]
        for suite in gate.get("suites", ())
        if suite["suite_name"].split(".")[1] == table and table in gate["tables"]
    ]
    if not suites:
        return None, None
    return (
        sum(int(one["successful_expectations"]) for one in suites),
        sum(int(one["unsuccessful_expectations"]) for one in suites),
    )
