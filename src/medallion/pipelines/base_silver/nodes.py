"""Base Silver: dbt scores Bronze rows; what older partitions must give up follows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.dbt_project.results import Receipt
from medallion.errors import GateError
from medallion.gates.decision import GateDecision
from medallion.gates.layers.base_silver import BaseSilverGate
from medallion.gates.result import GateResult
from medallion.gates.suites import Suites
from medallion.lake.bronze import BronzeInventory, BronzePartition
from medallion.lake.commits import Commit
from medallion.lake.inventory import LakeInventory
from medallion.lake.partition_stats import event_bounds, referred_days, scan
from medallion.lake.scans import connect_to_settled
from medallion.lake.writes import StagedWrite
from medallion.pipelines.base_silver.affected import affected_partitions
from medallion.pipelines.bronze.nodes import OpenedBronze
from medallion.pipelines.gates import Gatehouse, validate_layer
from medallion.pipelines.staging import engine_settings, publish_staged
from medallion.planning.plan import RunPlan
from medallion.planning.request import RunRequest
from medallion.spec import BRONZE_DAY, INGESTION_DAY, Spec

if TYPE_CHECKING:
    from medallion.dbt_project import BuildResult

Window = dict[str, dict[date, BronzePartition | None]]


def build(
    request: RunRequest,
    run_plan: RunPlan,
    bronze: OpenedBronze,
    dims_passed: GateDecision,  # noqa: ARG001
    spec: Spec,
    inventory: BronzeInventory,
    lake: LakeInventory,
) -> dict[str, Any]:
    """Scores the window and splits it into accepted and quarantined rows.

    A row that supersedes one of an older partition, or a parent that appears or goes, draws
    further partitions into the window; the scoring is repeated until nothing else is touched.

    Returns:
        Writes by `<layer>_<table>`, and the receipt.
    """
    window = _first_window(run_plan, bronze)
    if not window:
        return _outputs(spec, None, Receipt("base_silver"))
    staging, result = _score_until_stable(request, spec, inventory, lake, window)
    commit = _commit(spec, lake, staging, result, window)
    return _outputs(spec, commit, result.receipt("base_silver"))


def _first_window(run_plan: RunPlan, bronze: OpenedBronze) -> Window:
    found = {
        (table, partition.day): partition
        for table, partitions in bronze.tables.items()
        for partition in partitions
    }
    window: Window = defaultdict(dict)
    for planned in run_plan.partitions:
        window[planned.table][planned.day] = found.get((planned.table, planned.day))
    return dict(window)


def _score_until_stable(
    request: RunRequest,
    spec: Spec,
    inventory: BronzeInventory,
    lake: LakeInventory,
    window: Window,
) -> tuple[Path, BuildResult]:
    from medallion.dbt_project import build_base_silver

    settings = engine_settings(request, lake)
    keys = {
        name: files[0] for name in spec.dimensions if (files := lake.lake.files(f"keys/{name}"))
    }
    while True:
        staging = lake.lake.staging(request.run_id, "base_silver")
        partitions = {
            table: [partition for partition in days.values() if partition]
            for table, days in window.items()
        }
        history = {
            table: lake.lake.rows(f"base/{table}", outside)
            for table in spec.events
            if (outside := _outside(lake, table, window.get(table, {})))
        }
        result = build_base_silver(spec, partitions, history, keys, staging, settings)
        more = affected_partitions(spec, lake, window, result)
        if not more:
            return staging, result
        _widen(window, more, inventory)


def _outside(lake: LakeInventory, table: str, days: Mapping[date, Any]) -> set[str]:
    return {str(day) for day in lake.base(table) if day not in days}


def _widen(window: Window, more: Mapping[str, set[date]], inventory: BronzeInventory) -> None:
    """Opens further partitions; one that Bronze no longer has cannot be scored again."""
    listed = {(p.table, p.day): p for found in inventory.tables.values() for p in found}
    wanted = [listed[table, day] for table, days in more.items() for day in sorted(days)
              if (table, day) in listed]  # fmt: skip
    gone = [
        f"{table}/{BRONZE_DAY}={day}"
        for table, days in more.items()
        for day in sorted(days)
        if (table, day) not in listed
    ]
    opened, findings = inventory.open(wanted)
    problems = gone + [str(finding) for finding in findings if finding.critical]
    if problems:
        raise GateError(
            "Rows of this run change older partitions, and Bronze no longer has these intact:",
            details=problems,
            hint="have them delivered again, or take these days out, too (`kedro lake forget`).",
        )
    for table, partitions in opened.items():
        for partition in partitions:
            if partition.day:
                window.setdefault(table, {})[partition.day] = partition


def _commit(
    spec: Spec, lake: LakeInventory, staging: Path, result: BuildResult, window: Window
) -> Commit:
    stats = _manifest_stats(spec, lake, result, window)
    replaced = {
        f"{layer}/{table}": {f"{INGESTION_DAY}={day}" for day in days}
        for layer in ("base", "quarantine")
        for table, days in window.items()
    }
    return publish_staged(
        lake.lake, staging, result, replaced, lambda table, value: stats[table, value]
    )


def _manifest_stats(
    spec: Spec, lake: LakeInventory, result: BuildResult, window: Window
) -> dict[tuple[str, str], dict[str, Any]]:
    """What the manifests of the window's partitions say besides their files."""
    stats: dict[tuple[str, str], dict[str, Any]] = {}
    staged = {table: _staged_files(result, f"base/{table}") for table in spec.events}
    with connect_to_settled() as connection:
        for table, days in window.items():
            column = getattr(spec.tables[table].business_date, "source", None)
            bounds: Mapping[date, tuple[str, str]] = {}
            if column and staged[table]:
                bounds = event_bounds(connection, scan(staged[table], [column]), column)
            refers = {
                parent: referred_days(connection, scan(staged[table], [key]), parents, key)
                for parent, key in spec.followed_parents(table).items()
                if (parents := _parents(lake, parent, staged[parent], window, key))
                and staged[table]
            }
            for day, partition in days.items():
                stats[table, str(day)] = {
                    "inputs": {"bronze": partition.fingerprint if partition else ""},
                    "bounds": {column: bounds[day]} if day in bounds else {},
                    "refers": {parent: found.get(day, ()) for parent, found in refers.items()},
                    "counts": {"bronze_rows": partition.rows if partition else 0},
                }
    return stats


def _staged_files(result: BuildResult, table: str) -> list[tuple[date, Path]]:
    written = result.staged.get(table)
    return [
        (date.fromisoformat(partition.value), file)
        for partition in (written.partitions if written else ())
        for file in partition.files
    ]


def _parents(
    lake: LakeInventory,
    parent: str,
    staged: Sequence[tuple[date, Path]],
    window: Window,
    key: str,
) -> str:
    """All rows of a parent, those of the window as they were staged; empty if there are none."""
    outside = _outside(lake, parent, window.get(parent, {}))
    found = [scan(staged, [key])] if staged else []
    if outside:
        found.append(lake.lake.rows(f"base/{parent}", outside, [key]))
    return " union all ".join(f"({rows})" for rows in found)


def _outputs(spec: Spec, commit: Commit | None, receipt: Receipt) -> dict[str, Any]:
    writes: dict[str, Any] = {
        f"{layer}_{table}": StagedWrite(f"{layer}/{table}", commit)
        for layer in ("base", "quarantine")
        for table in spec.events
    }
    return {**writes, "receipt": receipt}


def validate(
    request: RunRequest,
    receipt: Receipt,
    suites: Suites,
    lake: LakeInventory,
    before: GateResult | None,
) -> dict[str, object]:
    """Validates the partitions that no verdict stands on."""
    nullified = {row["table"]: row["nullified"] for row in receipt.tables}
    house = Gatehouse(request, suites, lake, before)
    return validate_layer(BaseSilverGate(suites.declared, lake, nullified), house).as_outputs()
