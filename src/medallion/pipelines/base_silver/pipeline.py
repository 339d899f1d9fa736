"""Base Silver: six tables and their quarantines, and their gate."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.base_silver import nodes

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
                    "run_request",
                    "run_plan",
                    "checked",
                    "dims_quality",
                    "spec",
                    "inventory",
                    "lake",
                    "run_id",
                ],
                {**{name: name for name in _WRITES}, "receipt": "receipt"},
                name="score",
            ),
            Node(
                nodes.check,
                {
                    "request": "run_request",
                    "receipt": "receipt",
                    "spec": "spec",
                    "lake": "lake",
                    **{table: f"base_{table}" for table in TABLES},
                },
                "quality",
                name="gate",
            ),
        ],
        namespace="base_silver",
        inputs={
            "run_request": "run_request",
            "run_plan": "run_plan",
            "spec": "spec",
            "lake": "lake",
            "run_id": "run_id",
            "inventory": "bronze.inventory",
            "checked": "bronze.checked",
            "dims_quality": "dims.quality",
        },
        outputs=_WRITES,
    )
