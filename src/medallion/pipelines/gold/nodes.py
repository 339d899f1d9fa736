"""Gold: dbt builds the marts in the warehouse; totals must be those of Silver."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from medallion.datasets.warehouse import BuiltTable, Warehouse
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import fingerprint
from medallion.pipelines.gates import Gatehouse, validate_layer
from medallion.pipelines.staging import engine_settings
from medallion.planning.request import RunRequest
from medallion.quality.gate import Due
from medallion.quality.measuring import Measurer
from medallion.quality.relations import view_lake, view_warehouse
from medallion.quality.suites import Suite, Suites
from medallion.quality.validating import Batch
from medallion.spec import Spec


def build(
    models: tuple[str, ...],
    request: RunRequest,
    views: list[str],  # noqa: ARG001
    spec: Spec,
    lake: LakeInventory,
    warehouse: Warehouse,
    run_id: str,
) -> dict[str, Any]:
    """Builds the marts, unless they are what the lake says already.

    Returns:
        The tables by model, and the receipt.
    """
    stamp = _stamp(spec, lake)
    receipt: list[dict[str, Any]] = []
    if not warehouse.is_made_from("gold", stamp):
        from medallion.dbt_project import build_gold

        with warehouse.replacing("gold", stamp) as file:
            receipt = build_gold(spec, file, engine_settings(request, lake, run_id)).receipt()
    return {**{model: BuiltTable("gold", model) for model in models}, "receipt": receipt}


def _stamp(spec: Spec, lake: LakeInventory) -> str:
    """A fingerprint of everything Gold is made of: the tables it reads, and its own code."""
    tables = [
        *(f"base/{table}" for table in spec.events),
        *(f"enriched/{name}" for name in spec.transforms),
    ]
    from medallion.dbt_project.code import gold_code

    facts: dict[str, Any] = {"code": gold_code()}
    facts |= {
        table: [(value, m.content_hash) for value, m in lake.lake.partitions(table).items()]
        for table in tables
    }
    for name in spec.dimensions:
        newest = lake.newest_snapshot(name)
        facts[f"dims/{name}"] = newest.content_hash if newest else ""
    return fingerprint(facts)


def validate(
    request: RunRequest,
    receipt: list[dict[str, Any]],
    spec: Spec,
    suites: Suites,
    lake: LakeInventory,
    warehouse: Warehouse,
    run_id: str,
) -> dict[str, Any]:
    """Validates the marts, unless a verdict stands on them."""
    rows = {row["table"]: row["accepted"] for row in receipt}

    def measure(connection: Any, due: Sequence[tuple[Suite, Due]]) -> Iterable[Batch]:
        view_lake(connection, spec, lake, [suite for suite, _ in due])
        view_warehouse(connection, warehouse.path, suites.models)
        counted = warehouse.values({t.table: f"select count(*) from gold.{t.table}"
                                    for _, t in due})  # fmt: skip
        measurer = Measurer(connection, spec, suites.models)
        for suite, table in due:
            yield from measurer.gold(suite, rows.get(table.table, counted[table.table]))

    standing = {model: {"": warehouse.made_from("gold")} for model in suites.models}
    house = Gatehouse(request, suites, lake, run_id)
    return validate_layer("gold", house, standing, measure)
