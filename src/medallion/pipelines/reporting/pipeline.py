"""Reporting: the run report."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.reporting import nodes

_GATES = ("bronze", "dims", "base_silver", "enriched", "gold")


def create_pipeline() -> Pipeline:
    """What a person reads after a run."""
    return Pipeline(
        [
            Node(
                nodes.describe,
                [
                    "run_plan",
                    "dims",
                    "base_silver",
                    "gold",
                    "passed",
                    *(f"{g}_quality" for g in _GATES),
                ],
                "run_report",
                name="describe_run",
            ),
        ],
        namespace="reporting",
        tags="reporting",
        inputs={
            "run_plan": "run_plan",
            "dims": "dims.receipt_if_any",
            "base_silver": "base_silver.receipt_if_any",
            "gold": "gold.receipt_if_any",
            "passed": "gold.passed",
            **{f"{gate}_quality": f"{gate}.quality" for gate in _GATES},
        },
    )
