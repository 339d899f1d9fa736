"""Bronze: plan the run, then open and check what it will read."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.bronze import nodes


def create_pipeline() -> Pipeline:
    """The first layer of every run."""
    return Pipeline(
        [
            Node(nodes.read_request, "parameters", "run_request", name="read_request"),
            Node(
                nodes.plan,
                ["run_request", "spec", "inventory", "lake"],
                "run_plan",
                name="plan_run",
            ),
            Node(
                nodes.check,
                ["run_request", "run_plan", "spec", "inventory"],
                ["checked", "quality"],
                name="gate",
            ),
        ],
        namespace="bronze",
        inputs={"spec", "lake"},
        outputs={"run_request", "run_plan"},
        parameters={"parameters"},
        prefix_datasets_with_namespace=True,
    )
