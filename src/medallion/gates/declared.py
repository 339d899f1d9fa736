"""What the tables are declared to be: the spec says it of all layers but Gold, dbt of Gold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from medallion.errors import SuiteError
from medallion.lake.views import DUCKDB_TYPES, silver_columns
from medallion.spec import Spec, read_yaml, yaml_problem

#: Columns of a relation: name to DuckDB type.
Types = Mapping[str, str]


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
    columns: Types = field(hash=False)
    grain: tuple[str, ...]
    required: tuple[str, ...]


@dataclass(frozen=True)
class Declared:
    """The tables of all layers, as they should be.

    Attributes:
        spec: The tables of Bronze and Silver.
        models: The marts, by name.
    """

    spec: Spec = field(repr=False)
    models: Mapping[str, GoldModel] = field(repr=False, hash=False)

    def silver(self, table: str, day: str) -> Types:
        """The columns of a dimension or a table of Base Silver, and of its partition day."""
        return {**silver_columns(self.spec, table), day: "date"}

    def enriched(self, transform: str) -> Types:
        """The columns of an enriched table."""
        declared = self.spec.transforms[transform].columns
        return {name: DUCKDB_TYPES[kind] for name, kind in declared.items()}

    def hidden(self, table: str) -> frozenset[str]:
        """The columns of a table that hold personal data, by the names they have in the spec."""
        known = self.spec.tables.get(table)
        if known is None:
            return self._personal
        return frozenset(name for name, column in known.columns.items() if column.personal)

    @cached_property
    def _personal(self) -> frozenset[str]:
        return frozenset().union(*(self.hidden(table) for table in self.spec.tables))


@lru_cache(maxsize=2)
def load_gold_models(folder: str) -> dict[str, GoldModel]:
    """Reads columns and grains of the marts from the files that dbt reads.

    Raises:
        SuiteError: A file is no YAML, or repeats a key.
    """
    models: dict[str, GoldModel] = {}
    for path in sorted(Path(folder).glob("[!_]*.yml")):
        for model in _described(path):
            columns = {column["name"]: column["data_type"] for column in model["columns"]}
            required = [c["name"] for c in model["columns"] if _is_required(c)]
            name = model["name"]
            models[name] = GoldModel(name, columns, _grain(model), tuple(required))
    return models


def _described(path: Path) -> Iterable[Mapping[str, Any]]:
    """The models that a file of dbt describes."""
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
