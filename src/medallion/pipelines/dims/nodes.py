"""Dimension snapshots behind a freshness gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from medallion.dbt_project.results import Receipt
from medallion.gates.layers.dims import DimsGate
from medallion.gates.result import GateResult
from medallion.gates.suites import Suites
from medallion.lake.inventory import LakeInventory
from medallion.lake.snapshots import known_snapshots
from medallion.lake.writes import StagedWrite
from medallion.pipelines.bronze.nodes import OpenedBronze
from medallion.pipelines.gates import Gatehouse, validate_layer
from medallion.pipelines.staging import publish_staged
from medallion.planning.plan import PlannedDimension, RunPlan
from medallion.planning.request import RunRequest
from medallion.spec import Spec

LAYERS = ("dims", "keys", "quarantine")


def snapshot(
    request: RunRequest,
    run_plan: RunPlan,
    bronze: OpenedBronze,
    spec: Spec,
    lake: LakeInventory,
) -> dict[str, Any]:
    """Builds the snapshots that are due; fresh dimensions are left as they are.

    Returns:
        Writes by `<layer>_<dimension>`, and the receipt.
    """
    due = [dimension for dimension in run_plan.dimensions if dimension.stale]
    outputs: dict[str, Any] = {
        f"{layer}_{name}": StagedWrite(f"{layer}/{name}")
        for layer in LAYERS
        for name in spec.dimensions
    }
    counted: list[Mapping[str, Any]] = []
    for day in sorted({dimension.day for dimension in due}):
        of_day = [dimension for dimension in due if dimension.day == day]
        written, receipt = _build(request, of_day, day, bronze, spec, lake)
        outputs |= written
        counted += receipt.tables
    return {**outputs, "receipt": Receipt("dims", tuple(counted))}


def _build(
    request: RunRequest,
    due: list[PlannedDimension],
    day: date,
    bronze: OpenedBronze,
    spec: Spec,
    lake: LakeInventory,
) -> tuple[dict[str, StagedWrite], Receipt]:
    from medallion.dbt_project import build_dimensions
    from medallion.pipelines.staging import engine_settings

    staging = lake.lake.staging(request.run_id, f"dims-{day}")
    partitions = {dimension.name: bronze.tables.get(dimension.name, ()) for dimension in due}
    result = build_dimensions(
        spec,
        partitions,
        day,
        staging,
        engine_settings(request, lake),
        {name: file for name in partitions for file in lake.lake.files(f"keys/{name}")},
        request.forget,
    )
    stats = {
        dimension.name: {
            "inputs": {"bronze": dimension.bronze},
            "counts": {
                "bronze_rows": result.counts[dimension.name].bronze_rows,
                "superseded": result.counts[dimension.name].superseded,
                "keys_left": result.counts[dimension.name].keys_left,
            },
        }
        for dimension in due
        if dimension.name in result.counts
    }
    replaced = {
        f"{layer}/{dimension.name}": {f"snapshot_dt={day}"}
        for layer in ("dims", "quarantine")
        for dimension in due
    }
    commit = publish_staged(lake.lake, staging, result, replaced, lambda table, _: stats[table])
    writes = {
        f"{layer}_{dimension.name}": StagedWrite(
            f"{layer}/{dimension.name}", commit, day if layer == "dims" else None
        )
        for layer in LAYERS
        for dimension in due
    }
    return writes, result.receipt("dims")


def validate(
    request: RunRequest,
    receipt: Receipt,
    suites: Suites,
    lake: LakeInventory,
    before: GateResult | None,
) -> dict[str, object]:
    """Validates the newest snapshots that no verdict stands on."""
    nullified = {row["table"]: row["nullified"] for row in receipt.tables}
    house = Gatehouse(request, suites, lake, before)
    checked = validate_layer(DimsGate(suites.declared, lake, nullified), house)
    known = {name: known_snapshots(lake, name) for name in checked.ledger.tables}
    keys = {name: lake.keys_stamp(name) for name in checked.ledger.tables}
    return replace(checked, ledger=checked.ledger.with_snapshots(known, keys)).as_outputs()
