"""Gold: dbt builds the marts in the warehouse; totals must be those of Silver."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from medallion.datasets.warehouse import BuiltTable, Warehouse
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import fingerprint
from medallion.pipelines.staging import engine_settings
from medallion.planning.request import RunRequest
from medallion.quality.gate import Check, decide
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


def check(
    request: RunRequest,
    receipt: list[dict[str, Any]],
    fct_orders: Any,
    fct_finance_revenue: Any,
    fct_daily_dashboard: Any,
    fct_customers: Any,
) -> dict[str, Any]:
    """Checks that the marts tell one story: their totals agree to the cent."""
    checks: list[Check] = []
    if receipt:
        marts = {
            "fct_finance_revenue": fct_finance_revenue.net_revenue,
            "fct_daily_dashboard": fct_daily_dashboard.net_revenue,
            "fct_customers": fct_customers.net_revenue,
        }
        expected = fct_orders.net_total.sum().to_pyarrow().as_py() or 0
        checks.extend(_same_total(marts, expected))
    return decide("gold", request.quality.mode, checks)


def _same_total(marts: dict[str, Any], expected: Any) -> Iterable[Check]:
    for mart, column in marts.items():
        observed = column.sum().to_pyarrow().as_py() or 0
        yield Check(
            "net_revenue",
            mart,
            "",
            success=observed == expected,
            severity="blocking",
            observed=f"{observed:,}",
            expected=f"the {expected:,} of fct_orders",
        )
