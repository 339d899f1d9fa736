"""Dims: snapshots of the dimensions that are due, and their gate."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.dims import nodes
from medallion.pipelines.gates import gate

_WRITES = {
    "dims_customers": "dims.customers",
    "dims_product_catalog": "dims.product_catalog",
    "keys_customers": "dims.customers_keys",
    "keys_product_catalog": "dims.product_catalog_keys",
    "quarantine_customers": "quarantine.customers",
    "quarantine_product_catalog": "quarantine.product_catalog",
}


def create_pipeline() -> Pipeline:
    """The newest state of customers and products."""
    return Pipeline(
        [
            Node(
                nodes.snapshot,
                ["params:run", "run_plan", "bronze", "spec", "lake"],
                {**{name: name for name in _WRITES}, "receipt": "receipt"},
                name="snapshot",
            ),
            Node(
                nodes.validate,
                ["params:run", "receipt", "suites", "lake", "quality_before"],
                {name: name for name in ("quality", "quality_report", "validated")},
                name="validate",
                tags="gate",
            ),
            Node(gate, ["params:run", "quality", "lake"], "passed", name="gate", tags="gate"),
        ],
        namespace="dims",
        tags="dims",
        inputs={
            "run_plan": "run_plan",
            "spec": "spec",
            "suites": "suites",
            "lake": "lake",
            "bronze": "bronze.accepted",
        },
        parameters={"params:run"},
        outputs=_WRITES,
    )
