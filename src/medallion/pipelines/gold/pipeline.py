"""Gold: three dimensions and ten facts, and the gate behind them."""

from __future__ import annotations

from functools import partial, update_wrapper

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.gates import gate
from medallion.pipelines.gold import nodes

MODELS = (
    "dim_customers",
    "dim_products",
    "dim_dates",
    "fct_orders",
    "fct_customers",
    "fct_finance_revenue",
    "fct_marketing_attribution",
    "fct_sales_operations",
    "fct_cart_abandonment",
    "fct_product_profitability",
    "fct_customer_segments",
    "fct_daily_dashboard",
    "fct_shipping_analysis",
)


def create_pipeline() -> Pipeline:
    """The marts that people ask."""
    build = update_wrapper(partial(nodes.build, MODELS), nodes.build)
    return Pipeline(
        [
            Node(
                build,
                ["run_request", "views", "spec", "lake", "file", "run_id"],
                {**{model: model for model in MODELS}, "receipt": "receipt"},
                name="marts",
            ),
            Node(
                nodes.validate,
                [
                    "run_request",
                    "receipt",
                    "spec",
                    "suites",
                    "lake",
                    "file",
                    "run_id",
                    "quality_before",
                ],
                {name: name for name in ("quality", "quality_report", "validated")},
                name="validate",
            ),
            Node(gate, ["run_request", "quality", "lake"], "passed", name="gate"),
        ],
        namespace="gold",
        inputs={
            "run_request": "run_request",
            "spec": "spec",
            "suites": "suites",
            "lake": "lake",
            "run_id": "run_id",
            "views": "warehouse.views",
            "file": "warehouse.file",
        },
    )
