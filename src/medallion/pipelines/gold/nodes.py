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

# Totals of Base Silver, and the marts and columns that must add up to the same.
_TOTALS = {
    "net_revenue": (
        "select coalesce(sum(net_total), 0) from base_silver.orders",
        {
            "fct_orders": "net_total",
            "fct_finance_revenue": "net_revenue",
            "fct_daily_dashboard": "net_revenue",
            "fct_customers": "net_revenue",
        },
    ),
    "refunds": (
        "select coalesce(sum(refunded_amount), 0) from base_silver.returns",
        {
            "fct_orders": "refunds",
            "fct_finance_revenue": "refunds",
            "fct_daily_dashboard": "refunds",
            "fct_customers": "refund_total",
        },
    ),
    "carts": (
        "select count(*) from base_silver.shopping_carts",
        {"fct_cart_abandonment": "carts", "fct_daily_dashboard": "carts"},
    ),
}


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
    request: RunRequest, receipt: list[dict[str, Any]], warehouse: Warehouse
) -> dict[str, Any]:
    """Checks that the marts tell one story: their totals are those of Silver, to the cent."""
    checks = list(_same_totals(warehouse)) if receipt else []
    return decide("gold", request.quality.mode, checks)


def _same_totals(warehouse: Warehouse) -> Iterable[Check]:
    asked = {name: source for name, (source, _) in _TOTALS.items()} | {
        f"{name}/{mart}": f"select coalesce(sum({column}), 0) from gold.{mart}"
        for name, (_, marts) in _TOTALS.items()
        for mart, column in marts.items()
    }
    found = warehouse.values(asked)
    for name, (_, marts) in _TOTALS.items():
        for mart in marts:
            observed, expected = found[f"{name}/{mart}"], found[name]
            yield Check(
                name,
                mart,
                "",
                success=observed == expected,
                severity="blocking",
                observed=f"{observed:,}",
                expected=f"the {expected:,} of Base Silver",
            )
