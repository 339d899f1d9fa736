"""What a suite can look at: the rows of a table, and facts that are measured of it.

Every subject is a relation with known columns. `rows` are the rows themselves; the others are
small tables that `measuring` fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from medallion.errors import SuiteError
from medallion.lake.views import silver_columns
from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec, read_yaml, yaml_problem
from medallion.spec.types import SILVER

LAYERS = ("bronze", "dims", "base_silver", "enriched", "gold")

# One row per partition folder of Bronze that the run reads, or that is not complete.
BRONZE_PARTITIONS = {
    "partition": "varchar",
    "has_manifest": "boolean",
    "manifest_problem": "varchar",  # null if it can be read
    "unlisted_files": "varchar",  # null if there are none
}
# One row per file that a manifest lists.
BRONZE_FILES = {
    "partition": "varchar",
    "file": "varchar",
    "problem": "varchar",  # null if it can be read
    "manifest_rows": "bigint",
    "footer_rows": "bigint",
    "missing_required_columns": "varchar",  # names; null if none
    "ambiguous_columns": "varchar",  # names that stand twice in the file; null if none
    "schema_drift": "varchar",  # all other differences from the contract; null if none
}
# One row per ingest day of the run's window.
BRONZE_DAYS = {
    "day": "date",
    "is_delivered": "boolean",
    "row_count": "bigint",
    "trailing_rows": "double",  # median of the delivered days before
    "volume_ratio": "double",  # null while there is too little to compare with
}
# How the schema of the stored files differs from the declared one, by name; null if not at all.
_SCHEMA = {"schema_differences": "varchar"}
_OUTCOME = {
    "bronze_rows": "bigint",
    "accepted_rows": "bigint",
    "quarantined_rows": "bigint",
    "unaccounted_rows": "bigint",
    "lost_share": "double",  # rows that ended nowhere, of the Bronze rows
    "quarantine_share": "double",
    "pass_rate": "double",
    "repeated_keys": "bigint",  # rows whose key another row has
}
DIMS_MEASURES = {
    "snapshot_dt": "date",
    **_OUTCOME,
    "superseded_rows": "bigint",
    "rows_of_last_snapshot": "bigint",
    "share_of_last_snapshot": "double",  # null for the first one
    **_SCHEMA,
}
SILVER_PARTITIONS = {
    "partition": "varchar",
    "bronze_rows": "bigint",
    "accepted_rows": "bigint",
    "quarantined_rows": "bigint",
    "unaccounted_rows": "bigint",
}
REASONS = {"reason": "varchar", "row_count": "bigint", "share": "double"}
NULLIFIED = {"column_name": "varchar", "row_count": "bigint", "share": "double"}
ENRICHED_MEASURES = {
    "row_count": "bigint",
    "repeated_grains": "bigint",
    "source_rows": "bigint",  # of the table with the same grain; null where there is none
    "unmatched_rows": "bigint",
    **_SCHEMA,
}
GOLD_MEASURES = {
    "row_count": "bigint",
    "repeated_grains": "bigint",
    **_SCHEMA,
}


@dataclass(frozen=True)
class GoldModel:
    """A mart as dbt describes it.

    Attributes:
        name: The model.
        columns: Name to type.
        grain: What one row is; from its uniqueness test.
        required: Columns that the model's contract holds to be there in every row.
    """

    name: str
    columns: Mapping[str, str] = field(hash=False)
    grain: tuple[str, ...]
    required: tuple[str, ...]


@lru_cache(maxsize=2)
def load_gold_models(folder: str) -> dict[str, GoldModel]:
    """Reads columns and grains of the marts from the files that dbt reads."""
    models: dict[str, GoldModel] = {}
    for path in sorted(Path(folder).glob("[!_]*.yml")):
        for model in _described(path):
            columns = {column["name"]: column["data_type"] for column in model["columns"]}
            required = [c["name"] for c in model["columns"] if _is_required(c)]
            name = model["name"]
            models[name] = GoldModel(name, columns, _grain(model), tuple(required))
    return models


def _described(path: Path) -> Iterable[Mapping[str, Any]]:
    """The models that a file of dbt describes.

    Raises:
        SuiteError: It is no YAML, or repeats a key.
    """
    try:
        models: Iterable[Mapping[str, Any]] = read_yaml(path.read_text(encoding="utf-8"))["models"]
    except yaml.YAMLError as error:
        raise SuiteError(f"{path}: {yaml_problem(error)}.", hint=f"correct {path}.") from error
    return models


def _is_required(column: Mapping[str, Any]) -> bool:
    return any(rule["type"] == "not_null" for rule in column.get("constraints") or ())


def _grain(model: Mapping[str, Any]) -> tuple[str, ...]:
    for test in model.get("data_tests") or ():
        if isinstance(test, dict) and "grain_is_unique" in test:
            return tuple(test["grain_is_unique"]["arguments"]["columns"])
    return tuple(
        column["name"]
        for column in model["columns"]
        if "unique" in (column.get("data_tests") or ())
    )


def tables_of(layer: str, spec: Spec, models: Mapping[str, GoldModel]) -> tuple[str, ...]:
    """The tables of a layer, in the order in which they are checked."""
    return {
        "bronze": tuple(spec.tables),
        "dims": tuple(spec.dimensions),
        "base_silver": tuple(spec.events),
        "enriched": tuple(spec.transforms),
        "gold": tuple(models),
    }[layer]


def columns_of(
    layer: str, table: str, spec: Spec, models: Mapping[str, GoldModel]
) -> dict[str, tuple[str, ...]]:
    """The subjects of a table, and the columns of each."""
    return {subject: tuple(types) for subject, types in schemas(layer, table, spec, models).items()}


def schemas(
    layer: str, table: str, spec: Spec, models: Mapping[str, GoldModel]
) -> dict[str, Mapping[str, str]]:
    """The subjects of a table, and the type of each of their columns."""
    if layer == "bronze":
        days = {"days": BRONZE_DAYS} if spec.tables[table].kind == "event" else {}
        return {"partitions": BRONZE_PARTITIONS, "files": BRONZE_FILES, **days}
    rows = rows_schema(layer, table, spec, models)
    if layer == "dims":
        measures = {**DIMS_MEASURES}
        return {"rows": rows, "measures": measures, "reasons": REASONS, "nullified": NULLIFIED}
    if layer == "base_silver":
        shares = {f"{fk.column}_found_share": "double" for fk in spec.tables[table].foreign_keys}
        return {
            "rows": rows,
            "partitions": SILVER_PARTITIONS,
            "measures": {**_OUTCOME, **shares, **_SCHEMA},
            "reasons": REASONS,
            "nullified": NULLIFIED,
        }
    measures = ENRICHED_MEASURES if layer == "enriched" else GOLD_MEASURES
    return {"rows": rows, "measures": measures}


def rows_schema(
    layer: str, table: str, spec: Spec, models: Mapping[str, GoldModel]
) -> Mapping[str, str]:
    """The declared columns of a table's rows, with their DuckDB types."""
    if layer == "gold":
        return models[table].columns
    if layer == "enriched":
        declared = spec.transforms[table].columns
        return {name: SILVER[kind].duckdb for name, kind in declared.items()}
    day = SNAPSHOT_DAY if layer == "dims" else INGESTION_DAY
    return {**silver_columns(spec, table), day: "date"}


def key_of(layer: str, table: str, spec: Spec, models: Mapping[str, GoldModel]) -> tuple[str, ...]:
    """The columns by which a person finds a row of a table."""
    if layer == "gold":
        return models[table].grain
    if layer == "enriched":
        return (INGESTION_DAY, *spec.transforms[table].grain)
    return spec.tables[table].key
