"""Planning the run, and the gate in front of everything that reads Bronze."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from medallion.gates.layers.bronze import BronzeGate, Delivered
from medallion.gates.ledger import Ledger, suite_hash
from medallion.gates.reports.kept import KeptFile
from medallion.gates.result import Due, GateResult
from medallion.gates.suites import Suites
from medallion.lake.bronze import BronzeInventory, BronzePartition, Finding, Listed
from medallion.lake.inventory import LakeInventory
from medallion.pipelines import gates
from medallion.pipelines.gates import Gatehouse, validate_due
from medallion.planning.plan import RunPlan, calendar, found_here, plan_run
from medallion.planning.request import RunRequest
from medallion.spec import Spec

logger = logging.getLogger(__name__)


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
    request: RunRequest,
    spec: Spec,
    inventory: BronzeInventory,
    lake: LakeInventory,
    before: RunPlan | None,
) -> RunPlan:
    """Decides which partitions the run processes, and says why.

    A run has one plan: a step that is repeated, or a process that joins, goes on with the one that
    the run has, whatever has been delivered or made since.
    """
    return found_here(before, inventory) if before else plan_run(request, spec, inventory, lake)


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
    before: GateResult | None,
) -> dict[str, object]:
    """Validates the delivery: manifests, files, contract, days.

    Bronze is somebody else's, so all that the run reads is looked at, whatever was found before.
    """
    found = (*run_plan.findings, *opened.findings)
    deliveries = dict(_deliveries(run_plan, spec, inventory, lake, opened, found))
    bronze = BronzeGate(suites.declared, deliveries, found)
    of_layer = suites.of("bronze")
    due = [
        Due(table, suite_hash(of_layer[table]), partitions)
        for table, partitions in bronze.current().items()
    ]
    house = Gatehouse(request, suites, lake, before)
    return validate_due(bronze, house, due, Ledger(reports=_known_reports(lake))).as_outputs()


def _known_reports(lake: LakeInventory) -> Mapping[str, KeptFile]:
    """The reports as they were written; what was done to them is told, and mended when read."""
    ledger = gates.ledger_of("bronze", lake)
    changed = gates.changed_of("bronze", ledger, lake.layout.reports)
    if changed:
        logger.warning(
            "Reports of the bronze gate are not what it wrote: %s. They are written again by a "
            "run that reads Bronze, such as one with --params start=...,end=....",
            "; ".join(changed),
        )
    return ledger.reports


def gate(
    request: RunRequest, quality: Mapping[str, object], opened: OpenedBronze, lake: LakeInventory
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
