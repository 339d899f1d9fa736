"""Enriched Silver: which days are due, and the ten transforms over them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

import polars as pl

from medallion.errors import StepError
from medallion.gates.decision import GateDecision
from medallion.gates.layers.enriched import EnrichedGate
from medallion.gates.result import GateResult
from medallion.gates.suites import Suites
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import fingerprint
from medallion.lake.writes import FrameWrite
from medallion.pipelines.gates import Gatehouse, validate_layer
from medallion.planning.code import CODE, code_of
from medallion.planning.incremental import (
    EnrichedPlan,
    EnrichedRequest,
    PlannedTransform,
    moved,
    plan_enriched,
    unmade,
)
from medallion.planning.plan import RunPlan
from medallion.planning.request import RunRequest
from medallion.spec import INGESTION_DAY, Spec
from medallion.spec.reach import Values

_LOG = logging.getLogger(__name__)

# A batch of days reads at most about this many rows, which bounds memory for any window.
_BATCH_ROWS = 12_000_000


def plan(
    request: RunRequest,
    run_plan: RunPlan,
    base_silver_passed: GateDecision,  # noqa: ARG001
    spec: Spec,
    lake: LakeInventory,
    **dimensions: pl.LazyFrame,
) -> EnrichedPlan:
    """Finds the days of the ten tables that are due, and says which of them for their code."""
    for made_by_other_code in run_plan.recoded:
        _LOG.info("%s", made_by_other_code)
    wanted = EnrichedRequest(run_plan.asked_for, run_plan.end, run_plan.horizon, run_plan.snapshots)
    values = _dimension_values(spec, dimensions)
    return plan_enriched(wanted, spec, lake, values, request.transforms)


def _dimension_values(spec: Spec, dimensions: Mapping[str, pl.LazyFrame]) -> dict[str, str]:
    """Fingerprints of the dimension columns that reach every day of a transform."""
    return {
        name: fingerprint(
            dimensions[read]
            .select(*spec.tables[read].key, *reach.columns)
            .sort(spec.tables[read].key)
            .collect()
            .rows()
        )
        for name, transform in spec.transforms.items()
        for read, reach in transform.reads.items()
        if isinstance(reach, Values)
    }


def run_transform(
    name: str,
    request: RunRequest,
    enriched_plan: EnrichedPlan,
    spec: Spec,
    lake: LakeInventory,
    **inputs: pl.LazyFrame,
) -> FrameWrite:
    """Asks one transform for the days that are due, in batches that fit in memory.

    Raises:
        StepError: It reads another transform that this run has planned and not made yet, or its
            code or what it reads is not what its days were planned for.
    """
    table = f"enriched/{name}"
    planned = enriched_plan.transforms[name]
    if not planned.days:
        return FrameWrite(table, request.run_id, ())
    _check_code(planned, request)
    _check_made(name, request, enriched_plan, lake, inputs)
    _check_basis(planned, request, lake)
    from medallion.transforms import TRANSFORMS

    transform = TRANSFORMS[name]
    pruned = _pruned(planned, inputs)
    arguments = {
        **pruned,
        **planned.parameters,
        **_context(transform, enriched_plan, spec),
    }
    batches = tuple(
        (days, transform(days=days, **arguments)) for days in _batches(planned, enriched_plan)
    )
    return FrameWrite(table, request.run_id, batches, planned.made_from, planned.origins, pruned)


def _check_made(
    reader: str,
    request: RunRequest,
    enriched_plan: EnrichedPlan,
    lake: LakeInventory,
    names: Iterable[str],
) -> None:
    missing = unmade(enriched_plan, lake, list(names))
    if missing:
        steps = ",".join(f"enriched.{name}" for name in missing)
        raise StepError(
            f"enriched.{reader} reads tables that run {request.run_id} has planned and not made:",
            details=[f"enriched.{name}: {days} days" for name, days in missing.items()],
            hint=f"run `kedro run --nodes {steps} --params run_id={request.run_id}` first.",
        )


def _check_code(planned: PlannedTransform, request: RunRequest) -> None:
    """What a day is recorded to be made from names the code that makes it."""
    if {made_from[CODE] for made_from in planned.made_from.values()} - {code_of(planned.name)}:
        raise StepError(
            f"The code of enriched.{planned.name} has changed since run {request.run_id} planned"
            " its days.",
            hint=f"plan them for the code that there is now ({_plan_again(request)}), then do"
            " this step again.",
        )


def _check_basis(planned: PlannedTransform, request: RunRequest, lake: LakeInventory) -> None:
    """What a day is recorded to be made from is what it is made from."""
    if found := moved(planned, lake):
        raise StepError(
            f"What enriched.{planned.name} reads is not what run {request.run_id} planned its"
            " days for:",
            details=[
                f"{table}: "
                + (f"{len(gone)} days are gone, {gone[0]} first" if gone else "changed")
                for table, gone in found.items()
            ],
            hint="if somebody took them away, `kedro run` makes them again; if they are to be as"
            f" they are, plan for them ({_plan_again(request)}). Then do this step again.",
        )


def _plan_again(request: RunRequest) -> str:
    return f"`kedro run --nodes enriched.plan --params run_id={request.run_id}`"


def _pruned(
    planned: PlannedTransform, inputs: Mapping[str, pl.LazyFrame]
) -> dict[str, pl.LazyFrame]:
    """Inputs cut down to the partitions that the planned days are computed from."""
    return {
        read: frame.filter(pl.col(INGESTION_DAY).is_in(sorted(planned.reads.get(read, ()))))
        if INGESTION_DAY in frame.collect_schema()
        else frame
        for read, frame in inputs.items()
    }


def _context(
    transform: Callable[..., Any], enriched_plan: EnrichedPlan, spec: Spec
) -> dict[str, Any]:
    available = {
        "horizon": enriched_plan.horizon,
        "first_order_day": enriched_plan.first_order_day,
        "guest_pattern": spec.cleaning.guest_pattern,
    }
    wanted = inspect.signature(transform).parameters
    return {name: value for name, value in available.items() if name in wanted}


def _batches(planned: PlannedTransform, enriched_plan: EnrichedPlan) -> Iterable[tuple[date, ...]]:
    batch: list[date] = []
    rows = 0
    for day in planned.days:
        of_day = sum(
            enriched_plan.rows[read].get(day, 0)
            for read in planned.reads
            if read in enriched_plan.rows
        )
        if batch and rows + of_day > _BATCH_ROWS:
            yield tuple(batch)
            batch, rows = [], 0
        batch.append(day)
        rows += of_day
    yield tuple(batch)


def validate(
    request: RunRequest,
    enriched_plan: EnrichedPlan,
    suites: Suites,
    lake: LakeInventory,
    before: GateResult | None,
    **tables: pl.LazyFrame,
) -> dict[str, object]:
    """Validates the days that no verdict stands on.

    Raises:
        StepError: A table that this run has planned is not made yet.
    """
    _check_made("validate", request, enriched_plan, lake, tables)
    house = Gatehouse(request, suites, lake, before)
    return validate_layer(EnrichedGate(suites.declared, lake), house).as_outputs()
