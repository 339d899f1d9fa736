"""What the tables are declared to be: the spec says it of all layers but Gold, dbt of Gold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from medallion.errors import SuiteError
from medallion.gates.suite_file import NotReadableError, text_of, values_of
from medallion.lake.views import silver_columns, view_columns
from medallion.spec import Spec
from medallion.spec.types import SILVER
from medallion.storage.litter import is_hidden

#: Columns of a relation: name to DuckDB type.
Types = Mapping[str, str]
# How a mart's contract names a type of the spec, for dbt to put in what the engine calls it.
_OF_SPEC = re.compile(r"\{\{ var\('types'\)\[target\.type\]\.(\w+) \}\}")


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
        return {name: SILVER[kind].duckdb for name, kind in declared.items()}

    @cached_property
    def lake(self) -> dict[str, dict[str, str]]:
        """The columns of the views over the lake."""
        return view_columns(self.spec)

    @cached_property
    def hidden(self) -> frozenset[str]:
        """The columns of any table that hold personal data: a query can join tables."""
        tables = self.spec.tables.values()
        return frozenset(n for table in tables for n, c in table.columns.items() if c.personal)


@lru_cache(maxsize=2)
def load_gold_models(folder: str) -> dict[str, GoldModel]:
    """Reads columns and grains of the marts from the files that dbt reads.

    Raises:
        SuiteError: A file is no YAML, or does not describe models.
    """
    models: dict[str, GoldModel] = {}
    for path in sorted(Path(folder).glob("*.yml")):
        if is_hidden(path.name):
            continue
        try:
            models |= {model["name"]: _model(model) for model in _described(path)}
        except (KeyError, TypeError, AttributeError) as error:
            raise SuiteError(
                f"{path} does not describe models with a name, and columns with name and "
                "data_type, as dbt reads them.",
                hint=f"correct {path}.",
            ) from error
    return models


def _model(model: Mapping[str, Any]) -> GoldModel:
    columns = {column["name"]: _type(column["data_type"]) for column in model["columns"]}
    required = [column["name"] for column in model["columns"] if _is_required(column)]
    return GoldModel(model["name"], columns, _grain(model), tuple(required))


def _type(declared: str) -> str:
    of_spec = _OF_SPEC.fullmatch(declared)
    return SILVER[of_spec[1]].duckdb if of_spec else declared


def _described(path: Path) -> Iterable[Mapping[str, Any]]:
    """The models that a file of dbt describes."""
    try:
        content: Any = values_of(text_of(path))
    except NotReadableError as error:
        raise SuiteError(f"{path}: {error}.", hint=f"correct {path}.") from error
    models: Iterable[Mapping[str, Any]] = content["models"]
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
