"""Running dbt inside the process: what it reads, what it writes, what came out."""

from medallion.dbt_project.building import (
    build_base_silver,
    build_dimensions,
    build_gold,
    compile_gold,
    gold_marts,
    run_gold,
)
from medallion.dbt_project.results import BuildResult, StagedPartition, StagedTable
from medallion.dbt_project.settings import EngineSettings

__all__ = [
    "BuildResult",
    "EngineSettings",
    "StagedPartition",
    "StagedTable",
    "build_base_silver",
    "build_dimensions",
    "build_gold",
    "compile_gold",
    "gold_marts",
    "run_gold",
]
