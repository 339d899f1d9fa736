"""Warehouse: what is published becomes what people and Gold query, by views or by loads."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from medallion.pipelines.warehouse import nodes


def create_pipeline() -> Pipeline:
    """What Gold and people query."""
    return Pipeline(
        [
            Node(
                nodes.register_views,
                ["enriched_passed", "published", "spec", "lake", "trail"],
                "views",
                name="register_views",
            ),
        ],
        namespace="warehouse",
        tags="warehouse",
        inputs={
            "spec": "spec",
            "lake": "lake",
            "trail": "audit.trail",
            "enriched_passed": "enriched.passed",
            "published": "publish.state",
        },
    )
