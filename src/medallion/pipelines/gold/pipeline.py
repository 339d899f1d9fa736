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
                ["params:run", "views", "spec", "lake", "file"],
                {"build": "build", **{model: model for model in MODELS}, "receipt": "receipt"},
                name="marts",
            ),
            Node(
                nodes.validate,
                [
                    "params:run",
                    "receipt",
                    "suites",
                    "lake",
                    "file",
                    "quality_before",
                ],
                {name: name for name in ("quality", "quality_report", "validated")},
                name="validate",
                tags="gate",
            ),
            Node(gate, ["params:run", "quality", "lake"], "passed", name="gate", tags="gate"),
        ],
        namespace="gold",
        tags="gold",
        inputs={
            "spec": "spec",
            "suites": "suites",
            "lake": "lake",
            "views": "warehouse.views",
            "file": "warehouse.file",
        },
        parameters={"params:run"},
    )
