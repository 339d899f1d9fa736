"""Leaves audit records of what nodes hand over and of the manifests of what was written."""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline.node import Node

from medallion.audit.code import code_version, config_hash, git_sha
from medallion.audit.record import AuditRecord
from medallion.audit.recording import (
    Gates,
    Receipts,
    completed,
    of_commit,
    of_frames,
    of_mart,
    of_recovered,
    table_counts,
    unrecorded,
)
from medallion.audit.trail import KILLED
from medallion.errors import MedallionError
from medallion.foreign import chain, disclosed
from medallion.hooks.collecting import RunCollector, harmless
from medallion.lake.manifest import PartitionManifest
from medallion.lake.writes import BuiltTable, FrameWrite, StagedWrite
from medallion.masking import MASKED, is_secret_name
from medallion.spec import load_spec

_DAYS = ("run_id", "ingest_dt", "start", "end", "replay", "forget")
_PLAN = "run_plan"
_NO_WORD = "The process ended without a word: it was killed, or the machine went down."


@dataclass
class _Run:
    """What the trail knows of the run at work."""

    run: dict[str, Any]
    records: list[AuditRecord] = field(default_factory=list)
    began: dict[str, tuple[float, str]] = field(default_factory=dict)
    before: dict[str, Mapping[str, PartitionManifest]] = field(default_factory=dict)


class RunAudit:
    """Leaves a record for the run and for each partition that it dealt with.

    Args:
        collector: What is known of the run.
    """

    def __init__(self, collector: RunCollector) -> None:
        self._collector = collector
        self._lock = Lock()
        self._at_work: _Run | None = None
        self._conf: list[Path] = []

    @hook_impl
    def after_context_created(self, context: Any) -> None:
        """Remembers where the configuration is."""
        source = Path(context.config_loader.conf_source)
        self._conf = [source / "base", source / (context.env or "local")]

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], catalog: DataCatalog) -> None:
        """Leaves word that the run is at work, and ends the trail of runs that were killed."""
        collector = self._collector
        parameters: dict[str, Any] = catalog.load("params:run").model_dump(mode="json")
        settings = {name: one for name, one in parameters.items() if name not in _DAYS}
        run = {
            "run_id": collector.facts.run_id,
            "env": collector.facts.environment,
            "pipeline": ",".join(run_params.get("pipeline_names") or ["__default__"]),
            "started_at": _now(),
            "git_sha": git_sha(),
            "code_version": code_version(),
            "config_hash": config_hash(settings, self._conf, Path(collector.spec_path)),
            "parameters": self._masked(parameters),
            "plan": None,
        }
        self._trail, self._lake = collector.trail, collector.lake
        self._end_killed()
        self._trail.begin(run)
        self._at_work = _Run(run)
        # Kedro calls no hook when a run is interrupted.
        atexit.register(self._interrupted)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Notes when a node begins."""
        if self._at_work:
            with self._lock:
                self._at_work.began[node.name] = (time.perf_counter(), _now())

    @hook_impl
    @harmless
    def after_node_run(self, outputs: dict[str, Any]) -> None:
        """Notes which days the run deals with."""
        if self._at_work and _PLAN in outputs:
            self._at_work.run["plan"] = outputs[_PLAN].summary()
            self._trail.note(self._at_work.run)

    @hook_impl
    @harmless
    def before_dataset_saved(self, data: Any) -> None:
        """Remembers what stood before a table is written."""
        if self._at_work and isinstance(data, FrameWrite) and data.batches:
            standing = self._lake.partitions(data.table)
            with self._lock:
                self._at_work.before[data.table] = standing

    @hook_impl
    @harmless
    def after_dataset_saved(self, data: Any, node: Node) -> None:
        """Records what was written, by the manifests that stand now."""
        if self._at_work is None:
            return
        records = list(self._records_of(self._at_work, data, node))
        with self._lock:
            self._at_work.records.extend(records)
            if records:
                self._trail.step(self._at_work.run["run_id"], records)

    @hook_impl
    @harmless
    def after_pipeline_run(self) -> None:
        """Ends the trail of the run."""
        self._end()

    @hook_impl
    @harmless
    def on_pipeline_error(self, error: Exception) -> None:
        """Ends the trail of a run that failed, with the reason."""
        self._end(self._collector.mask(_told(error)))

    @harmless
    def _interrupted(self) -> None:
        self._collector.interrupted()
        self._end("Interrupted before the run had ended.")

    def _records_of(self, at_work: _Run, data: Any, node: Node) -> Iterable[AuditRecord]:
        ended = time.perf_counter()
        clock, started_at = at_work.began.get(node.name, (ended, None))
        made = replace(
            self._of_run(at_work.run),
            node=node.name,
            execution_time_seconds=round(ended - clock, 3),
            started_at=started_at,
            ended_at=_now(),
        )
        if isinstance(data, StagedWrite):
            yield from of_commit(made, data)
        elif isinstance(data, FrameWrite) and data.batches:
            yield from of_frames(made, data, at_work.before[data.table], self._lake.partitions)
        elif isinstance(data, BuiltTable) and data.origins:
            yield of_mart(made, data)

    def _of_run(self, run: Mapping[str, Any]) -> AuditRecord:
        """What all records of a run have in common."""
        return AuditRecord(
            run_id=run["run_id"],
            env=run["env"],
            pipeline=run["pipeline"],
            schema_version=load_spec(self._collector.spec_path).version,
            timestamp=_now(),
            git_sha=run["git_sha"],
            code_version=run["code_version"],
            config_hash=run["config_hash"],
        )

    def _end(self, error: str | None = None) -> None:
        atexit.unregister(self._interrupted)
        at_work, self._at_work = self._at_work, None
        if at_work is None:
            return
        facts = self._collector.facts
        run = {
            **at_work.run,
            "ended_at": _now(),
            "seconds": round(facts.seconds, 3),
            "status": facts.status,
            "error": error,
            "gates": {layer: _verdict(gate) for layer, gate in facts.gates.items()},
        }
        left = self._left_behind(at_work) if error else []
        self._close(run, [*at_work.records, *left], facts.receipts, facts.gates)

    def _left_behind(self, at_work: _Run) -> list[AuditRecord]:
        """Records of what a run that did not end well has put in place and not told.

        A commit that was cut short is completed first: what is in place afterwards is this
        run's, too.
        """
        made = self._of_run(at_work.run)
        recovered = list(of_recovered(made, self._lake.recover(), self._lake))
        told = {_place(record) for record in (*at_work.records, *recovered)}
        others = unrecorded(made, self._lake, self._trail)
        known = {_place(record) for record in at_work.records}
        return [
            *(record for record in recovered if _place(record) not in known),
            *(record for record in others if _place(record) not in told),
        ]

    def _end_killed(self) -> None:
        """Makes records of what runs that never ended have left, now that none is at work."""
        unfinished = self._trail.unfinished()
        for run in reversed(unfinished):
            made = [AuditRecord(**record) for record in self._trail.records(run["run_id"])]
            if run is unfinished[0]:
                made.extend(unrecorded(self._of_run(run), self._lake, self._trail))
            self._close({**run, "status": KILLED, "error": _NO_WORD}, made, {}, {})

    def _close(
        self, run: dict[str, Any], made: list[AuditRecord], receipts: Receipts, gates: Gates
    ) -> None:
        common = self._of_run(run)
        records = list(completed(common, made, self._lake.partitions, receipts, gates))
        whole = replace(
            common,
            execution_time_seconds=run.get("seconds"),
            started_at=run["started_at"],
            ended_at=run.get("ended_at"),
            status=run["status"],
            error=run["error"],
        )
        self._trail.end({**run, "tables": table_counts(records)}, [whole, *records])

    def _masked(self, value: Any, name: str = "") -> Any:
        """Parameters as they may be written down: nothing that is named like a secret."""
        if isinstance(value, Mapping):
            return {key: self._masked(inner, str(key)) for key, inner in value.items()}
        if is_secret_name(name):
            return MASKED
        return self._collector.mask(value) if isinstance(value, str) else value


def _place(record: AuditRecord) -> tuple[str | None, ...]:
    return record.layer, record.table_name, record.partition_value


def _verdict(gate: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: gate[name] for name in ("verdict", "mode", "evaluated", "failed")}
    return {**told, "standing": len(gate["standing"])}


def _told(error: Exception) -> str:
    """The error as a person is told it, without its details."""
    links = (link for link in chain(error) if isinstance(link, MedallionError))
    ours = next(links, None)
    return ours.message if ours else disclosed(error)[:500]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
