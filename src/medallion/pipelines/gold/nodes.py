"""Gold: dbt builds the marts in the warehouse; totals must be those of Silver."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion.dbt_project.results import Receipt
from medallion.gates.layers.gold import GoldGate
from medallion.gates.result import GateResult
from medallion.gates.suites import Suites
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import Origin, PartitionManifest, fingerprint
from medallion.lake.views import folder_of
from medallion.lake.writes import BuiltTable
from medallion.pipelines.gates import Gatehouse, validate_layer
from medallion.pipelines.staging import engine_settings
from medallion.planning.request import RunRequest
from medallion.spec import Spec
from medallion.warehouse import MartsBuild, MartsPlan, Warehouse, plan_marts

if TYPE_CHECKING:
    from medallion.dbt_project import EngineSettings
    from medallion.dbt_project.declared import Mart

_LOG = logging.getLogger(__name__)
_CODE = "code"


def build(
    models: tuple[str, ...],
    request: RunRequest,
    views: list[str],  # noqa: ARG001
    spec: Spec,
    lake: LakeInventory,
    warehouse: Warehouse,
) -> dict[str, Any]:
    """Builds what of the marts is not what the lake says, where nobody reads it yet.

    Returns:
        The build, whose saving puts the marts in place; the tables by model; the receipt.
    """
    from medallion.dbt_project import gold_marts

    inputs = _inputs(spec, lake)
    stamp = _stamp(inputs)
    made, marts = MartsBuild(stamp), {}
    if warehouse.made_from("gold") != stamp:
        settings = engine_settings(request, lake)
        marts = gold_marts(spec, settings)
        plan = _planned(marts, inputs, lake, warehouse)
        _LOG.info("Gold: %s", plan)
        made = warehouse.build(lake, plan, settings)
    reads = tuple(name for name in inputs if name != _CODE)
    tables = {
        model: BuiltTable(
            "gold",
            model,
            {name: inputs[name] for name in (*marts[model].reads, _CODE) if name in inputs},
            reads,
        )
        for model in made.result.counts
    }
    current = {model: BuiltTable("gold", model, reads=reads) for model in models}
    return {"build": made, **current, **tables, "receipt": made.result.receipt("gold")}


def pending(
    spec: Spec, lake: LakeInventory, warehouse: Warehouse, settings: EngineSettings
) -> MartsPlan:
    """What of the marts is not what the lake says; nothing is changed.

    Args:
        spec: The tables.
        lake: The lake.
        warehouse: What holds the marts.
        settings: Where dbt keeps its own files.
    """
    from medallion.dbt_project import gold_marts

    return _planned(gold_marts(spec, settings), _inputs(spec, lake), lake, warehouse)


def _planned(
    marts: Mapping[str, Mart],
    inputs: Mapping[str, Origin],
    lake: LakeInventory,
    warehouse: Warehouse,
) -> MartsPlan:
    code, before = inputs[_CODE].fingerprint, warehouse.marts_state()
    return plan_marts(marts, lake, _stamp(inputs), code, before)


def are_stale(spec: Spec, lake: LakeInventory, made_from: str) -> bool:
    """Whether marts that stand are made from something else than the lake says now.

    Args:
        spec: The tables.
        lake: The lake.
        made_from: The stamp of the marts; empty if none stand.
    """
    return bool(made_from) and made_from != _stamp(_inputs(spec, lake))


def _stamp(inputs: Mapping[str, Origin]) -> str:
    """What the marts that are made of these inputs are told by."""
    return fingerprint({name: origin.fingerprint for name, origin in inputs.items()})


def _inputs(spec: Spec, lake: LakeInventory) -> dict[str, Origin]:
    """Everything Gold is made of: the tables it may read, and its own code."""
    from medallion.dbt_project.code import gold_code

    names = [f"base_silver.{table}" for table in spec.events]
    names += [f"enriched.{name}" for name in spec.transforms]
    inputs = {name: _origin(lake.lake.partitions(folder_of(name))) for name in names}
    for name in spec.dimensions:
        newest = lake.newest_snapshot(name)
        inputs[f"dims.{name}"] = _origin({newest.value: newest} if newest else {})
    return {**inputs, _CODE: Origin(fingerprint=gold_code(spec))}


def _origin(partitions: Mapping[str, PartitionManifest]) -> Origin:
    return Origin(
        fingerprint=fingerprint([(value, one.content_hash) for value, one in partitions.items()]),
        rows=sum(one.rows for one in partitions.values()),
    )


def validate(
    request: RunRequest,
    receipt: Receipt,
    suites: Suites,
    lake: LakeInventory,
    warehouse: Warehouse,
    before: GateResult | None,
) -> dict[str, object]:
    """Validates the marts, unless a verdict stands on them."""
    built = {row["table"]: row["accepted"] for row in receipt.tables}
    house = Gatehouse(request, suites, lake, before)
    return validate_layer(GoldGate(suites.declared, lake, warehouse, built), house).as_outputs()
