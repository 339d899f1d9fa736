"""What the audit trail says of a run, and of each partition that a run dealt with."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from medallion.spec.types import DATE, FLOAT, INSTANT, INT, TEXT

#: The status of a partition that nobody could ever read.
UNPUBLISHED = "unpublished"
# As they are written; the names give the columns their types.
Day = str
Instant = str
# The kinds of fields; one that is not here is a map of texts.
TYPES = {"str": TEXT, "int": INT, "float": FLOAT, "Day": DATE, "Instant": INSTANT}


@dataclass(frozen=True)
class AuditRecord:
    """One partition of one table in one run; without a table, the run as a whole.

    Attributes:
        run_id: The run.
        env: The configuration environment.
        pipeline: The pipelines that were asked for.
        node: The node that made the table.
        layer: The layer.
        table_name: The table, or the mart; empty for the run as a whole.
        partition_key: Such as `ingestion_dt`; empty where a table has no partitions.
        partition_value: Such as `2025-10-15`.
        ingest_dt: The Bronze day of the partition, where it has one.
        schema_version: The version of the spec.
        input_rows: Bronze rows it was made from; null where rows do not come one by one.
        output_rows: Rows it holds, by its manifest.
        quarantine_rows: Rows of it that were put aside.
        quality_checks_passed: Expectations of the table that held in this run.
        quality_failures: Expectations of the table that did not.
        execution_time_seconds: Of the node, which may make several tables.
        started_at: When the node began, UTC, ISO 8601.
        ended_at: When the table was saved, UTC.
        timestamp: When the record was made, UTC.
        bytes_written: Bytes of its files.
        files: How many there are.
        content_hash: One hash over its files.
        input_manifests: Fingerprints of what it was made from, by the name of the input.
        git_sha: The commit of the code.
        code_version: The version of the package, with a fingerprint of its sources.
        config_hash: A fingerprint of spec, suites, parameters and catalog.
        status: `written`, `unchanged` (made again, byte for byte) or `removed`; `unpublished` if
            it was written or removed in vain: the lake is in an object store, and the run published
            nothing. Of a run `succeeded`, `failed`, `interrupted` or `killed`.
        error: Why it failed.
    """

    run_id: str
    env: str
    pipeline: str
    node: str | None = None
    layer: str | None = None
    table_name: str | None = None
    partition_key: str | None = None
    partition_value: str | None = None
    ingest_dt: Day | None = None
    schema_version: int | None = None
    input_rows: int | None = None
    output_rows: int | None = None
    quarantine_rows: int | None = None
    quality_checks_passed: int | None = None
    quality_failures: int | None = None
    execution_time_seconds: float | None = None
    started_at: Instant | None = None
    ended_at: Instant | None = None
    timestamp: Instant | None = None
    bytes_written: int | None = None
    files: int | None = None
    content_hash: str | None = None
    input_manifests: dict[str, str] = field(default_factory=dict)
    git_sha: str | None = None
    code_version: str | None = None
    config_hash: str | None = None
    status: str | None = None
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON, its fields in their order."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def kinds() -> dict[str, str]:
    """The fields of a record and their kinds: str, int, float, dict, Day or Instant."""
    return {one.name: str(one.type).split("[")[0].split(" ")[0] for one in fields(AuditRecord)}
