"""What is known about the tables, read once from `conf/base/spec.yml`."""

from medallion.spec.loading import load_spec, parse_spec, read_yaml, yaml_problem
from medallion.spec.models import (
    BRONZE_DAY,
    INGESTION_DAY,
    SNAPSHOT_DAY,
    Column,
    ForeignKey,
    Spec,
    Table,
    Thresholds,
    Transform,
    Volume,
)

__all__ = [
    "BRONZE_DAY",
    "INGESTION_DAY",
    "SNAPSHOT_DAY",
    "Column",
    "ForeignKey",
    "Spec",
    "Table",
    "Thresholds",
    "Transform",
    "Volume",
    "load_spec",
    "parse_spec",
    "read_yaml",
    "yaml_problem",
]
