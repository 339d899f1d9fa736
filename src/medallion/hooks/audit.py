"""Audit records, made of what nodes hand over and of the manifests of what was written."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

from medallion.audit.code import code_version, config_hash, git_sha
from medallion.audit.record import AuditRecord
from medallion.audit.trail import AuditTrail
from medallion.datasets.warehouse import BuiltTable
from medallion.errors import MedallionError
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import PartitionManifest
from medallion.lake.store import Lake
from medallion.lake.writes import FrameWrite, StagedWrite
from medallion.masking import MASKED, Mask, is_secret_name
from medallion.spec import INGESTION_DAY, load_spec

_LAYERS = {"base": "base_silver", "dims": "dims", "enriched": "enriched"}
_QUARANTINE = "quarantine"


@dataclass
class _Run:
    """What is known of the run at work."""

    run: dict[str, Any] = field(default_factory=dict)
    records: list[AuditRecord] = field(default_factory=list)
    began: dict[str, float] = field(default_factory=dict)
    began_at: dict[str, str] = field(default_factory=dict)
    before: dict[str, Mapping[str, PartitionManifest]] = field(default_factory=dict)
    receipts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    gates: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: float = field(default_factory=time.perf_counter)


class RunAudit:
    """Leaves a record for the run and for each partition that it dealt with."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._at_work: _Run | None = None
        self._trail: AuditTrail | None = None

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Remembers where things are, and what the run is configured with."""
        places = context.config_loader["globals"]
        root = Path(places["data_root"])
        self._trail = AuditTrail(root / "metrics" / "audit")
        self._lake = LakeInventory(Lake(root / "silver"), load_spec(places["spec"]))
        self._parameters = dict(context.params)
        conf = Path(context.config_loader.conf_source) / "base"
        self._files = [
            Path(places["spec"]), *conf.glob("expectations/**/*.yml"), *conf.glob("catalog/*.yml")
        ]  # fmt: skip

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        """Leaves word that the run is at work."""
        if self._trail is None:
            return
        names = run_params.get("pipeline_names") or ["__default__"]
        run = {
            "run_id": str(run_params["run_id"]),
            "env": str(run_params.get("env") or "local"),
            "pipeline": ",".join(names),
            "started_at": _now(),
            "git_sha": git_sha(),
            "code_version": code_version(),
            "config_hash": config_hash(_settings(self._parameters), self._files),
            "parameters": _masked(self._parameters),
        }
        self._at_work = _Run(run)
        self._trail.begin(run)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Notes when a node begins."""
        if self._at_work:
            with self._lock:
                self._at_work.began[node.name] = time.perf_counter()
                self._at_work.began_at[node.name] = _now()

    @hook_impl
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Takes the plan, receipts and verdicts that nodes hand on."""
        if self._at_work is None:
            return
        with self._lock:
            for name, output in outputs.items():
                layer, _, kind = name.partition(".")
                if name == "run_plan":
                    self._at_work.run["plan"] = output.summary()
                elif kind == "receipt":
                    self._at_work.receipts[layer] = output
                elif kind == "quality":
                    self._at_work.gates[layer] = output

    @hook_impl
    def before_dataset_saved(self, data: Any) -> None:
        """Remembers what stood before a table is written."""
        if self._at_work and isinstance(data, FrameWrite) and data.batches:
            standing = self._lake.lake.partitions(data.table)
            with self._lock:
                self._at_work.before[data.table] = standing

    @hook_impl
    def after_dataset_saved(self, data: Any, node: Node) -> None:
        """Records what was written, by the manifests that stand now."""
        if self._at_work is None:
            return
        records = list(self._records_of(self._at_work, data, node))
        with self._lock:
            self._at_work.records.extend(records)
            if records and self._trail:
                self._trail.step(self._at_work.run["run_id"], records)

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Ends the trail of the run."""
        self._end("succeeded")

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Ends the trail of a run that failed, with the reason."""
        self._end("failed", Mask(os.environ)(_told(error)))

    def _records_of(self, at_work: _Run, data: Any, node: Node) -> Iterable[AuditRecord]:
        ended = time.perf_counter()
        base = AuditRecord(
            run_id=at_work.run["run_id"],
            env=at_work.run["env"],
            pipeline=at_work.run["pipeline"],
            node=node.name,
            schema_version=self._lake.spec.version,
            execution_time_seconds=round(ended - at_work.began.get(node.name, ended), 3),
            started_at=at_work.began_at.get(node.name),
            ended_at=_now(),
        )
        if isinstance(data, StagedWrite):
            yield from self._staged(base, data)
        elif isinstance(data, FrameWrite) and data.batches:
            yield from self._frames(base, data, at_work.before[data.table])
        elif isinstance(data, BuiltTable):
            yield replace(base, layer=data.schema, table_name=data.name, status="written")

    def _staged(self, base: AuditRecord, write: StagedWrite) -> Iterable[AuditRecord]:
        layer, table = write.table.split("/")
        if write.commit is None or layer not in (*_LAYERS, _QUARANTINE):
            return
        mine = [name for name in write.commit.replace if name.startswith(f"{write.table}/")]
        for name in mine:
            manifest = PartitionManifest.model_validate_json(write.commit.replace[name])
            yield self._of_partition(base, layer, table, manifest, "written")
        for name in write.commit.remove:
            if name.startswith(f"{write.table}/"):
                gone = PartitionManifest(
                    table=write.table, partition=name.split("/")[-1], files=(), content_hash=""
                )
                yield self._of_partition(base, layer, table, gone, "removed")

    def _frames(
        self, base: AuditRecord, write: FrameWrite, before: Mapping[str, PartitionManifest]
    ) -> Iterable[AuditRecord]:
        layer, table = write.table.split("/")
        standing = self._lake.lake.partitions(write.table)
        for day in map(str, write.days):
            manifest, former = standing.get(day), before.get(day)
            if manifest is None:
                continue
            same = former is not None and former.content_hash == manifest.content_hash
            made_from = {**manifest.inputs, **write.made_from.get(day, {})}
            record = self._of_partition(
                base, layer, table, manifest, "unchanged" if same else "written"
            )
            yield replace(record, input_manifests=dict(made_from))

    def _of_partition(
        self,
        base: AuditRecord,
        layer: str,
        table: str,
        manifest: PartitionManifest,
        status: str,
    ) -> AuditRecord:
        key, _, value = manifest.partition.partition("=")
        return replace(
            base,
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

    def _unchanged(self, at_work: _Run, whole: AuditRecord) -> Iterable[AuditRecord]:
        """Partitions of Base Silver that came out byte for byte as they were."""
        changed = {(one.table_name, one.partition_value) for one in at_work.records}
        for row in at_work.receipts.get("base_silver", ()):
            standing = self._lake.base(row["table"])
            for day, manifest in standing.items():
                if str(day) in row["partitions"] and (row["table"], str(day)) not in changed:
                    base = replace(whole, node="base_silver.score", error=None)
                    yield self._of_partition(base, "base", row["table"], manifest, "unchanged")

    def _end(self, status: str, error: str | None = None) -> None:
        at_work, self._at_work = self._at_work, None
        if at_work is None or self._trail is None:
            return
        seconds = round(time.perf_counter() - at_work.clock, 3)
        run = {
            **at_work.run,
            "ended_at": _now(),
            "seconds": seconds,
            "status": status,
            "error": error,
            "gates": {layer: _verdict(gate) for layer, gate in at_work.gates.items()},
            "tables": _table_counts(at_work),
        }
        whole = AuditRecord(
            run_id=run["run_id"],
            env=run["env"],
            pipeline=run["pipeline"],
            execution_time_seconds=seconds,
            started_at=run["started_at"],
            ended_at=run["ended_at"],
            status=status,
            error=error,
        )
        told = [whole, *_completed(at_work), *self._unchanged(at_work, whole)]
        common = {name: run[name] for name in ("git_sha", "code_version", "config_hash")}
        self._trail.end(run, [replace(one, timestamp=_now(), **common) for one in told])


def _settings(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that only say which days are asked for."""
    return {name: value for name, value in parameters.items() if name not in _DAYS}


def _masked(value: Any, name: str = "") -> Any:
    """Parameters as they may be written down: nothing that is named like a secret."""
    if isinstance(value, Mapping):
        return {key: _masked(inner, str(key)) for key, inner in value.items()}
    if is_secret_name(name):
        return MASKED
    return Mask(os.environ)(value) if isinstance(value, str) else value


_DAYS = ("ingest_dt", "start", "end", "replay")


def _completed(at_work: _Run) -> Iterable[AuditRecord]:
    """The records with what other nodes have told: rows put aside, verdicts, marts' rows."""
    aside = {
        (one.table_name, one.partition_value): one.output_rows
        for one in at_work.records
        if one.layer == _QUARANTINE and one.status == "written"
    }
    has_rows = {
        (one.table_name, one.partition_value)
        for one in at_work.records
        if one.layer in ("base_silver", "dims") and one.status == "written"
    }
    marts = {row["table"]: int(row["accepted"]) for row in at_work.receipts.get("gold", ())}
    for record in at_work.records:
        place = (record.table_name, record.partition_value)
        checks = _checks(at_work.gates.get(str(record.layer), {}), str(record.table_name))
        judged = replace(record, quality_checks_passed=checks[0], quality_failures=checks[1])
        if record.layer == _QUARANTINE:
            # A partition of which nothing was accepted has no other record.
            if place not in has_rows:
                yield replace(judged, quarantine_rows=record.output_rows, output_rows=0)
        elif record.layer in ("base_silver", "dims"):
            yield replace(judged, quarantine_rows=aside.get(place, 0))
        elif record.layer != "gold":
            yield judged
        elif record.table_name in marts:
            yield replace(judged, output_rows=marts[str(record.table_name)])


def _checks(gate: Mapping[str, Any], table: str) -> tuple[int | None, int | None]:
    """Expectations of a table that held, and that did not; null where it was not looked at."""
    suites = [
        suite["statistics"]
        for suite in gate.get("suites", ())
        if suite["suite_name"].split(".")[1] == table
    ]
    if not suites:
        return None, None
    return (
        sum(int(one["successful_expectations"]) for one in suites),
        sum(int(one["unsuccessful_expectations"]) for one in suites),
    )


def _verdict(gate: Mapping[str, Any]) -> dict[str, Any]:
    return {name: gate[name] for name in ("verdict", "mode", "evaluated", "failed")}


def _table_counts(at_work: _Run) -> dict[str, dict[str, int]]:
    """Partitions and rows by table, for the history."""
    counts: dict[str, dict[str, int]] = {}
    for record in _completed(at_work):
        if record.status == "unchanged":
            continue
        one = counts.setdefault(
            f"{record.layer}.{record.table_name}", {"partitions": 0, "rows": 0, "quarantined": 0}
        )
        one["partitions"] += 1
        one["rows"] += record.output_rows or 0
        one["quarantined"] += record.quarantine_rows or 0
    return counts


def _told(error: BaseException | None) -> str:
    """The error as a person is told it, wherever Kedro has wrapped it; else its kind and line."""
    first = error
    while error is not None:
        if isinstance(error, MedallionError):
            return error.message
        error = error.__cause__ or error.__context__
    line = (str(first).splitlines() or [""])[0]
    return f"{type(first).__name__}: {line}"[:500]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
