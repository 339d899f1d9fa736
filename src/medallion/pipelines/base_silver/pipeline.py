"""Base Silver: six tables and their quarantines, and their gate."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.base_silver import nodes
from medallion.pipelines.gates import gate

TABLES = ("orders", "order_items", "shopping_carts", "cart_items", "returns", "return_items")

_WRITES = {
    **{f"base_{table}": f"base_silver.{table}" for table in TABLES},
    **{f"quarantine_{table}": f"quarantine.{table}" for table in TABLES},
}


def create_pipeline() -> Pipeline:
    """Typed, clean, unique rows; what cannot be accepted is put aside with reasons."""
    return Pipeline(
        [
            Node(
                nodes.build,
                [
                    "params:run",
                    "run_plan",
                    "bronze",
                    "dims_passed",
                    "spec",
                    "inventory",
                    "lake",
                ],
                {**{name: name for name in _WRITES}, "receipt": "receipt"},
                name="score",
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
        namespace="base_silver",
        tags="base_silver",
        inputs={
            "run_plan": "run_plan",
            "spec": "spec",
            "suites": "suites",
            "lake": "lake",
            "inventory": "bronze.inventory",
            "bronze": "bronze.accepted",
            "dims_passed": "dims.passed",
        },
        parameters={"params:run"},
        outputs=_WRITES,
    )
