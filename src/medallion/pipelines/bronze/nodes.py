"""Planning the run, and the gate in front of everything that reads Bronze."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from medallion.gates.gate import Due, Failure, finding
from medallion.gates.gx.validating import Batch
from medallion.gates.ledger import suite_hash
from medallion.gates.measuring import Delivered, Measurer
from medallion.gates.suites import Suite, Suites
from medallion.lake.bronze import BronzeInventory, BronzePartition, Finding, Listed
from medallion.lake.inventory import LakeInventory
from medallion.pipelines import gates
from medallion.pipelines.gates import Gatehouse, validate_due
from medallion.planning.plan import RunPlan, calendar, plan_run
from medallion.planning.request import RunRequest
from medallion.spec import Spec


@dataclass(frozen=True)
class OpenedBronze:
    """The Bronze partitions of a run, opened.

    Attributes:
        tables: Partitions per table; dimensions only where a snapshot is due.
        findings: What their files and manifests disagree about.
    """

    tables: Mapping[str, tuple[BronzePartition, ...]]
    findings: tuple[Finding, ...] = ()


def plan(
    request: RunRequest, spec: Spec, inventory: BronzeInventory, lake: LakeInventory
) -> RunPlan:
    """Decides which partitions the run processes, and says why."""
    return plan_run(request, spec, inventory, lake)


def open_partitions(run_plan: RunPlan, inventory: BronzeInventory) -> OpenedBronze:
    """Reads the footers of the files that the run will read."""
    opened, findings = inventory.open(_wanted(run_plan))
    tables = {table: tuple(partitions) for table, partitions in opened.items()}
    return OpenedBronze(tables, tuple(findings))


def validate(
    request: RunRequest,
    run_plan: RunPlan,
    opened: OpenedBronze,
    spec: Spec,
    suites: Suites,
    inventory: BronzeInventory,
    lake: LakeInventory,
    before: dict[str, Any],
) -> dict[str, Any]:
    """Validates the delivery: manifests, files, contract, days."""
    found = (*run_plan.findings, *opened.findings)
    deliveries = dict(_deliveries(run_plan, spec, inventory, lake, opened, found))
    due = [
        Due(
            table,
            suite_hash(suites.of("bronze")[table]),
            {p.partition: p.fingerprint for p in delivered.listed},
        )
        for table, delivered in deliveries.items()
    ]

    def measure(connection: Any, tables: Sequence[tuple[Suite, Due]]) -> Iterable[Batch]:
        measurer = Measurer(connection, spec, suites.models)
        for suite, _ in tables:
            yield from measurer.bronze(suite, deliveries[suite.table])

    odd = [_as_failure(one) for one in found if _is_layout(one, set(deliveries))]
    house = Gatehouse(request, suites, lake, before)
    return validate_due("bronze", house, due, measure, findings=odd)


def gate(
    request: RunRequest, quality: Mapping[str, Any], opened: OpenedBronze, lake: LakeInventory
) -> OpenedBronze:
    """Hands on the partitions that may be processed.

    Raises:
        GateError: Something failed that must not go further.
    """
    gates.gate(request, quality, lake)
    return opened


def _wanted(run_plan: RunPlan) -> list[Listed]:
    events = [p.listed for p in run_plan.partitions if p.listed]
    return events + [p for dim in run_plan.dimensions if dim.stale for p in dim.partitions]


def _deliveries(
    run_plan: RunPlan,
    spec: Spec,
    inventory: BronzeInventory,
    lake: LakeInventory,
    opened: OpenedBronze,
    findings: Sequence[Finding],
) -> Iterable[tuple[str, Delivered]]:
    """What is known of the tables that this run reads, or should find."""
    # Days that are forgotten are not to be found in Bronze.
    due = set(run_plan.days) if run_plan.mode != "forget" else set()
    wanted = _wanted(run_plan)
    days = calendar(min(due), max(due)) if due else []
    stale = {dimension.name for dimension in run_plan.dimensions if dimension.stale}
    for table in spec.tables:
        is_event = table in spec.events
        if (is_event and days) or table in stale:
            yield (
                table,
                Delivered(
                    listed=[listed for listed in wanted if listed.table == table],
                    opened=opened.tables.get(table, ()),
                    findings=[found for found in findings if found.table == table],
                    days=days if is_event else (),
                    rows=_rows_by_day(table, inventory, lake) if is_event else {},
                ),
            )


def _rows_by_day(table: str, inventory: BronzeInventory, lake: LakeInventory) -> dict[date, int]:
    """Rows of every day that was delivered; a day that is gone from Bronze was there once."""
    kept = {**lake.quarantine(table), **lake.base(table)}
    rows = {day: manifest.counts.get("bronze_rows", 0) for day, manifest in kept.items()}
    listed = inventory.tables.get(table, ())
    return rows | {one.day: one.total_rows for one in listed if one.day}


def _is_layout(found: Finding, due: set[str]) -> bool:
    """Whether no suite says it: an odd folder, or an incomplete one of a table not read."""
    incomplete = found.check == "manifest_present" and found.table not in due
    return incomplete or found.check in _LAYOUT


def _as_failure(found: Finding) -> Failure:
    severity = "critical" if found.critical else "warning"
    made = finding("bronze", found.check, found.table, found.partition, found.message)
    return {**made, "severity": severity}


_LAYOUT = (
    "known_table",
    "table_present",
    "partition_name",
    "partition_kept",
    "partition_lost",
    "day_held_back",
)
