"""Enriched Silver: a plan, ten transforms that can be run one by one, and their gate."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.base_silver.pipeline import TABLES
from medallion.pipelines.enriched import nodes
from medallion.pipelines.gates import gate

DIMENSIONS = ("customers", "product_catalog")

# The inputs of each transform; the spec says how far each of them reaches.
TRANSFORMS = {
    "attributed_purchases": ("orders", "shopping_carts"),
    "cart_attribution": ("shopping_carts", "orders", "cart_items", "product_catalog"),
    "customer_lifetime_value": ("customers", "orders", "returns"),
    "customer_retention_signals": ("customers", "orders"),
    "inventory_risk": ("product_catalog", "order_items", "return_items"),
    "product_performance": ("product_catalog", "order_items", "return_items", "cart_items"),
    "sales_velocity": ("product_catalog", "order_items"),
    "regional_financials": ("orders", "returns"),
    "daily_business_metrics": (
        "orders",
        "order_items",
        "returns",
        "shopping_carts",
        "attributed_purchases",
        "cart_attribution",
    ),
    "shipping_economics": ("orders",),
}


def create_pipeline() -> Pipeline:
    """What happened, and the state of customers and stock, by day."""
    return Pipeline(
        [
            Node(
                nodes.plan,
                {
                    "request": "params:run",
                    "run_plan": "run_plan",
                    "base_silver_passed": "base_silver_passed",
                    "spec": "spec",
                    "lake": "lake",
                    **{name: name for name in DIMENSIONS},
                },
                "plan",
                name="plan",
            ),
            *(_transform_node(name, inputs) for name, inputs in TRANSFORMS.items()),
            Node(
                nodes.validate,
                {
                    "request": "params:run",
                    "enriched_plan": "plan",
                    "suites": "suites",
                    "lake": "lake",
                    "before": "quality_before",
                    **{name: name for name in TRANSFORMS},
                },
                {name: name for name in ("quality", "quality_report", "validated")},
                name="validate",
                tags="gate",
            ),
            Node(gate, ["params:run", "quality", "lake"], "passed", name="gate", tags="gate"),
        ],
        namespace="enriched",
        tags="enriched",
        inputs={
            "run_plan": "run_plan",
            "spec": "spec",
            "suites": "suites",
            "lake": "lake",
            "base_silver_passed": "base_silver.passed",
            **{table: f"base_silver.{table}" for table in TABLES},
            **{name: f"dims.{name}" for name in DIMENSIONS},
        },
        parameters={"params:run"},
    )


def _transform_node(name: str, inputs: tuple[str, ...]) -> Node:
    run = update_wrapper(partial(nodes.run_transform, name), nodes.run_transform)
    run.__name__ = name
    arguments = {
        "request": "params:run",
        "enriched_plan": "plan",
        "spec": "spec",
        "lake": "lake",
    }
    return Node(
        run, {**arguments, **{read: read for read in inputs}}, name, name=name, tags="transform"
    )
