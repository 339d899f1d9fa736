"""What a save has written, as records: counts come from manifests, nothing is read again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from medallion.events import TableWritten
from medallion.gates.result import GateResult
from medallion.lake.manifest import PartitionManifest
from medallion.runs.audit.record import UNPUBLISHED, AuditRecord
from medallion.runs.record import StepRecord
from medallion.spec import INGESTION_DAY

_QUARANTINE = "quarantine"
_LAYERS = {
    "base": "base_silver",
    "dims": "dims",
    "enriched": "enriched",
    "gold": "gold",
    _QUARANTINE: _QUARANTINE,
}
_WITH_QUARANTINE = ("base_silver", "dims")
ManifestsOf = Callable[[str], Mapping[str, PartitionManifest]]
Receipts = Mapping[str, Sequence[Mapping[str, Any]]]
Gates = Mapping[str, GateResult]


def of_table(
    run: AuditRecord, table: TableWritten, step: StepRecord | None
) -> Iterator[AuditRecord]:
    """The partitions of one table that were put in place; none of a table that is no result.

    Args:
        run: What is known of the run.
        table: What was put in place.
        step: What is known of the node that made it; None while it is at work, or if a recovery
            completed a commit.
    """
    layer = _LAYERS.get(table.layer)
    if layer is None:
        return
    node = replace(
        run,
        node=table.step,
        execution_time_seconds=round(step.seconds, 3) if step else None,
        started_at=_text(step.started_at) if step else None,
        ended_at=_text(table.at),
    )
    for one in table.partitions:
        yield replace(
            node,
            layer=layer,
            table_name=table.table,
            partition_key=one.key or None,
            partition_value=one.value or None,
            ingest_dt=one.value if one.key == INGESTION_DAY else None,
            input_rows=one.input_rows,
            output_rows=one.rows,
            bytes_written=one.bytes if one.key else None,
            files=one.files if one.key else None,
            content_hash=one.content_hash,
            input_manifests=dict(one.inputs),
            status=one.status,
        )


def _text(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None


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
    return replace(
        node,
        layer=_LAYERS.get(layer, layer),
        table_name=table,
        partition_key=manifest.key,
        partition_value=manifest.value,
        ingest_dt=manifest.value if manifest.key == INGESTION_DAY else None,
        input_rows=manifest.counts.get("bronze_rows"),
        output_rows=manifest.rows,
        bytes_written=manifest.bytes,
        files=len(manifest.files),
        content_hash=manifest.content_hash or None,
        input_manifests=dict(manifest.inputs),
        status=status,
    )


def completed(
    run: AuditRecord,
    records: Sequence[AuditRecord],
    manifests_of: ManifestsOf,
    receipts: Receipts,
    gates: Gates,
) -> Iterator[AuditRecord]:
    """Records with what other nodes have told: rows put aside, verdicts, rows of marts.

    Args:
        run: What is known of the run.
        records: The records as they were made when tables were saved.
        manifests_of: The manifests of a table of the lake, such as `base/orders`.
        receipts: What the layers say they did, a row for each table.
        gates: The results of the gates, by layer.
    """
    marts = {row["table"]: int(row["accepted"]) for row in receipts.get("gold", ())}
    others = [one for one in records if one.layer not in (*_WITH_QUARANTINE, _QUARANTINE)]
    for record in (*_silver(run, records, manifests_of, receipts), *others):
        held, failed = _checks(gates.get(str(record.layer)), str(record.table_name))
        judged = replace(record, quality_checks_passed=held, quality_failures=failed)
        if record.layer != "gold":
            yield judged
        elif record.table_name in marts:
            yield replace(judged, output_rows=marts[record.table_name])


def _silver(
    run: AuditRecord, records: Sequence[AuditRecord], manifests_of: ManifestsOf, receipts: Receipts
) -> Iterator[AuditRecord]:
    """One record for each partition and what was put aside of it."""
    told = {_place(one): one for one in records if one.layer in _WITH_QUARANTINE}
    for aside in records:
        if aside.layer == _QUARANTINE and _place(aside) not in told:
            told[_place(aside)] = _accepted_beside(aside, manifests_of)
    for row in receipts.get("base_silver", ()):
        accepted = manifests_of(f"base/{row['table']}")
        for day in row["partitions"]:
            if (row["table"], day) not in told and day in accepted:
                node = replace(run, node="base_silver.score")
                told[row["table"], day] = of_partition(
                    node, f"base/{row['table']}", accepted[day], "unchanged"
                )
    for record in told.values():
        manifest = manifests_of(f"{_QUARANTINE}/{record.table_name}").get(
            str(record.partition_value)
        )
        yield replace(record, quarantine_rows=manifest.rows if manifest else 0)


def unread(record: AuditRecord) -> AuditRecord:
    """The record of a partition that nobody could ever read; a mart is read where it is built."""
    changed = record.status in ("written", "removed") and record.layer != "gold"
    return replace(record, status=UNPUBLISHED) if changed else record


def _accepted_beside(aside: AuditRecord, manifests_of: ManifestsOf) -> AuditRecord:
    """The accepted rows of a partition of which only the rows put aside have changed."""
    folder = "base" if aside.partition_key == INGESTION_DAY else "dims"
    path = f"{folder}/{aside.table_name}"
    manifest = manifests_of(path).get(str(aside.partition_value))
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


def _checks(gate: GateResult | None, table: str) -> tuple[int | None, int | None]:
    """Expectations of a table that held, and that did not; null where it was not looked at."""
    if gate is None or table not in gate.tables:
        return None, None
    suites = [suite for suite in gate.suites if suite.table == table]
    if not suites:
        return None, None
    return sum(suite.succeeded for suite in suites), sum(suite.failed for suite in suites)
