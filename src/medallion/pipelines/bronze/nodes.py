"""Planning the run, and the gate in front of everything that reads Bronze."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from medallion.lake.bronze import BronzeInventory, BronzePartition, Finding, Listed
from medallion.lake.inventory import LakeInventory
from medallion.planning.plan import RunPlan, plan_run
from medallion.planning.request import RunRequest, parse_request
from medallion.quality.gate import Check, Severity, decide
from medallion.spec import Spec

_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}


@dataclass(frozen=True)
class CheckedBronze:
    """The Bronze partitions of a run that passed the gate, opened.

    Attributes:
        tables: Partitions per table; dimensions only where a snapshot is due.
    """

    tables: Mapping[str, tuple[BronzePartition, ...]]


def read_request(parameters: Mapping[str, Any]) -> RunRequest:
    """Checks what was asked for."""
    return parse_request(parameters)


def plan(
    request: RunRequest, spec: Spec, inventory: BronzeInventory, lake: LakeInventory
) -> RunPlan:
    """Decides which partitions the run processes, and says why."""
    return plan_run(request, spec, inventory, lake)


def check(
    request: RunRequest, run_plan: RunPlan, spec: Spec, inventory: BronzeInventory
) -> tuple[CheckedBronze, dict[str, Any]]:
    """Opens the partitions of the run and compares them with manifests and contract."""
    opened, findings = inventory.open(_wanted(run_plan))
    checks = [_as_check(finding) for finding in (*run_plan.findings, *findings)]
    for table, partitions in opened.items():
        checks.extend(_contract_checks(spec, table, partitions))
    result = decide("bronze", request.quality.mode, checks)
    tables = {table: tuple(partitions) for table, partitions in opened.items()}
    return CheckedBronze(tables), result


def _wanted(run_plan: RunPlan) -> list[Listed]:
    events = [p.listed for p in run_plan.partitions if p.listed]
    return events + [p for dim in run_plan.dimensions if dim.stale for p in dim.partitions]


def _as_check(finding: Finding) -> Check:
    unreadable = finding.check in ("manifest_readable", "file_readable")
    severity: Severity = "blocking" if unreadable else "critical" if finding.critical else "warning"
    return Check(
        finding.check,
        finding.table,
        finding.partition,
        success=False,
        severity=severity,
        observed=finding.message,
    )


def _contract_checks(
    spec: Spec, table: str, partitions: Iterable[BronzePartition]
) -> Iterable[Check]:
    for partition in partitions:
        name = f"{partition.key}={partition.value}"
        for file in partition.files:
            drift = dict(_drift(spec, table, file.columns))
            if not drift:
                yield Check("schema", table, name, success=True, severity="warning")
            for column, observed in drift.items():
                yield _drift_check(spec, table, name, column, observed)


def _drift_check(spec: Spec, table: str, partition: str, column: str, observed: str) -> Check:
    expected = spec.contract(table).get(column)
    lost = observed == "missing" and expected is not None and expected.required
    return Check(
        "schema_drift",
        table,
        partition,
        success=False,
        severity="critical" if lost else "warning",
        observed=f"column {column} is {observed}",
        expected=expected.bronze if expected else "no such column",
    )


def _drift(spec: Spec, table: str, columns: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    contract = spec.contract(table)
    for column, expected in contract.items():
        if column not in columns:
            # The producer leaves source_file out when it is given no prefix.
            if column not in spec.lineage:
                yield column, "missing"
        elif columns[column] != _TYPES[expected.bronze]:
            yield column, columns[column].lower()
    for column in columns:
        if column not in contract:
            yield column, "unknown"
