"""Dimension snapshots behind a freshness gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from medallion.dbt_project.results import Receipt
from medallion.gates.gate import Due, Failure, finding
from medallion.gates.gx.validating import Batch
from medallion.gates.measuring import Measurer
from medallion.gates.suites import Suite, Suites
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import fingerprint
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
    facts = {
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
    commit = publish_staged(lake.lake, staging, result, replaced, lambda table, _: facts[table])
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
    spec: Spec,
    suites: Suites,
    lake: LakeInventory,
    before: dict[str, Any],
) -> dict[str, Any]:
    """Validates the newest snapshots that no verdict stands on."""
    nullified = {row["table"]: row["nullified"] for row in receipt.tables}

    def measure(connection: Any, tables: Sequence[tuple[Suite, Due]]) -> Iterable[Batch]:
        measurer = Measurer(connection, spec, suites.models)
        for suite, _ in tables:
            yield from measurer.dimension(suite, lake, nullified.get(suite.table))

    standing = {name: _standing(lake, name) for name in spec.dimensions}
    house = Gatehouse(request, suites, lake, before)
    return validate_layer("dims", house, standing, measure, list(_keys_left(spec, lake)))


def _keys_left(spec: Spec, lake: LakeInventory) -> Iterable[Failure]:
    """Keys that are known and have left Bronze: no failure, but something to be told."""
    for name in spec.dimensions:
        newest = lake.newest_snapshot(name)
        left = newest.counts.get("keys_left", 0) if newest else 0
        if left:
            said = (
                f"{left:,} known {'key is' if left == 1 else 'keys are'} no longer in Bronze:"
                " rows that refer to them stay, without their attributes"
            )
            yield {**finding("dims", "keys_left", name, "", said), "severity": "info"}


def _standing(lake: LakeInventory, name: str) -> dict[str, str]:
    """The newest snapshot; its absence is something to be validated, too."""
    newest = lake.newest_snapshot(name)
    if newest is None:
        return {"": ""}
    put_aside = lake.lake.partitions(f"quarantine/{name}").get(newest.value)
    aside = put_aside.content_hash if put_aside else ""
    return {newest.value: fingerprint([newest.content_hash, newest.counts, aside])}
