"""Dimension snapshots behind a freshness gate."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl

from medallion.lake.inventory import LakeInventory
from medallion.lake.writes import StagedWrite
from medallion.pipelines.bronze.nodes import CheckedBronze
from medallion.pipelines.staging import publish_staged
from medallion.planning.plan import PlannedDimension, RunPlan
from medallion.planning.request import RunRequest
from medallion.quality.gate import Check, decide
from medallion.quality.native import conservation, key_is_unique, required_present
from medallion.spec import Spec

LAYERS = ("dims", "keys", "quarantine")


def snapshot(
    request: RunRequest,
    run_plan: RunPlan,
    checked: CheckedBronze,
    bronze_quality: dict[str, Any],  # noqa: ARG001
    spec: Spec,
    lake: LakeInventory,
    run_id: str,
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
    receipt: list[dict[str, Any]] = []
    for day in sorted({dimension.day for dimension in due}):
        of_day = [dimension for dimension in due if dimension.day == day]
        written, counted = _build(request, of_day, day, checked, spec, lake, run_id)
        outputs |= written
        receipt += counted
    return {**outputs, "receipt": receipt}


def _build(
    request: RunRequest,
    due: list[PlannedDimension],
    day: date,
    checked: CheckedBronze,
    spec: Spec,
    lake: LakeInventory,
    run_id: str,
) -> tuple[dict[str, StagedWrite], list[dict[str, Any]]]:
    from medallion.dbt_project import build_dimensions
    from medallion.pipelines.staging import engine_settings

    staging = lake.lake.staging(run_id, f"dims-{day}")
    partitions = {dimension.name: checked.tables.get(dimension.name, ()) for dimension in due}
    result = build_dimensions(
        spec, partitions, day, staging, engine_settings(request, lake, run_id)
    )
    inputs = {dimension.name: {"bronze": dimension.bronze} for dimension in due}
    replaced = {
        f"{layer}/{dimension.name}": {f"snapshot_dt={day}"}
        for layer in ("dims", "quarantine")
        for dimension in due
    }
    commit = publish_staged(
        lake.lake, staging, result, replaced, lambda table, _: {"inputs": inputs[table]}
    )
    writes = {
        f"{layer}_{dimension.name}": StagedWrite(
            f"{layer}/{dimension.name}", commit, day if layer == "dims" else None
        )
        for layer in LAYERS
        for dimension in due
    }
    return writes, result.receipt()


def check(
    request: RunRequest,
    run_plan: RunPlan,
    receipt: list[dict[str, Any]],
    spec: Spec,
    lake: LakeInventory,
    customers: pl.LazyFrame,
    product_catalog: pl.LazyFrame,
) -> dict[str, Any]:
    """Checks the newest snapshots: they exist, their keys are unique, nothing was lost."""
    frames = {"customers": customers, "product_catalog": product_catalog}
    checks = list(_present(run_plan, lake))
    for row in receipt:
        name = row["table"]
        checks.append(conservation(row))
        checks.append(key_is_unique(name, spec.tables[name].key, frames[name]))
        checks.extend(required_present(name, spec.tables[name].required, frames[name]))
    return decide("dims", request.quality.mode, checks)


def _present(run_plan: RunPlan, lake: LakeInventory) -> Iterable[Check]:
    for dimension in run_plan.dimensions:
        newest = lake.newest_snapshot(dimension.name)
        yield Check(
            "snapshot_present",
            dimension.name,
            f"snapshot_dt={dimension.day}",
            success=newest is not None,
            severity="blocking",
            observed="there is no snapshot",
            expected="the newest snapshot of the dimension",
        )
