"""Bronze: plan the run, then open and check what it will read."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.bronze import nodes


def create_pipeline() -> Pipeline:
    """The first layer of every run."""
    return Pipeline(
        [
            Node(
                nodes.plan,
                ["params:run", "spec", "inventory", "lake", "run_plan_before"],
                "run_plan",
                name="plan_run",
            ),
            Node(
                nodes.open_partitions, ["run_plan", "inventory"], "opened", name="open_partitions"
            ),
            Node(
                nodes.validate,
                [
                    "params:run",
                    "run_plan",
                    "opened",
                    "spec",
                    "suites",
                    "inventory",
                    "lake",
                    "quality_before",
                ],
                {name: name for name in ("quality", "quality_report", "validated")},
                name="validate",
                tags="gate",
            ),
            Node(
                nodes.gate,
                ["params:run", "quality", "opened", "lake"],
                "accepted",
                name="gate",
                tags="gate",
            ),
        ],
        namespace="bronze",
        tags="bronze",
        inputs={"spec", "suites", "lake", "run_plan_before"},
        outputs={"run_plan"},
        parameters={"params:run"},
        prefix_datasets_with_namespace=True,
    )
