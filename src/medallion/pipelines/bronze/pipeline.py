"""Bronze: plan the run, then open and check what it will read."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.bronze import nodes
from medallion.pipelines.gates import gate


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
                nodes.open_partitions, ["run_plan", "inventory"], "opened", name="open_partitions"
            ),
            Node(
                nodes.validate,
                [
                    "run_request",
                    "run_plan",
                    "opened",
                    "spec",
                    "suites",
                    "inventory",
                    "lake",
                    "run_id",
                    "quality_before",
                ],
                {name: name for name in ("quality", "quality_report")},
                name="validate",
            ),
            Node(gate, ["run_request", "quality", "lake"], "passed", name="gate"),
        ],
        namespace="bronze",
        inputs={"spec", "suites", "lake", "run_id"},
        outputs={"run_request", "run_plan"},
        parameters={"parameters"},
        prefix_datasets_with_namespace=True,
    )
