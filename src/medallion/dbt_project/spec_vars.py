"""The spec as dbt knows it without a run: vars of the project, and the sources' columns.

Both are committed in the dbt project, so that dbt works in a fresh checkout; `python -m
medallion.dbt_project` writes them. A run hands its own spec to dbt as vars.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from medallion.project import DBT
from medallion.spec import Column, Spec, Table
from medallion.spec.types import BRONZE, SQL_ENGINES, in_sql

PROJECT_FILE = DBT / "dbt_project.yml"
SOURCES_FILE = DBT / "models" / "base_silver" / "_sources.yml"
_BY = "by `python -m medallion.dbt_project` from conf/base/spec.yml."
_GENERATED = f"# From here on written {_BY}\n"
_SOURCES = (
    f"# Written {_BY}\n"
    "# In a run the plugin (src/medallion/dbt_project/plugin.py) makes views of these names.\n"
)


def spec_vars(spec: Spec) -> dict[str, Any]:
    """What macros and contracts read, by the name of the var."""
    cleaning = spec.cleaning.model_dump(mode="json")
    tables = {name: _table(spec, name, table) for name, table in spec.tables.items()}
    types = {engine: in_sql(engine) for engine in SQL_ENGINES}
    return {**cleaning, "types": types, "tables": tables}


def sources(spec: Spec) -> dict[str, Any]:
    """What the models of Base Silver read: Bronze, and what earlier runs have left."""
    bronze = [{"name": name, "columns": _columns_of(spec, name)} for name in spec.tables]
    return {
        "sources": [
            {
                "name": "bronze",
                "description": "The rows of the window as they were delivered.",
                "tables": bronze,
            },
            {
                "name": "history",
                "description": "Accepted rows of the days that are not in the window.",
                "tables": [{"name": name} for name in spec.events],
            },
            {
                "name": "known_keys",
                "description": "The keys of dimensions that earlier runs have seen.",
                "tables": [{"name": name} for name in spec.dimensions],
            },
        ]
    }


def project_text(spec: Spec, text: str) -> str:
    """The project file with the vars of a spec.

    Args:
        spec: The spec.
        text: The file as it is.
    """
    written = text.partition(_GENERATED)[0].rstrip("\n")
    return f"{written}\n\n{_GENERATED}{_as_yaml({'vars': spec_vars(spec)})}"


def sources_text(spec: Spec) -> str:
    """The file of the sources of a spec."""
    return _SOURCES + _as_yaml(sources(spec))


def _table(spec: Spec, name: str, table: Table) -> dict[str, Any]:
    said = table.model_dump(mode="json")
    kept = ("kind", "key", "business_date", "foreign_keys", "rules")
    columns = {n: _column(c, is_lineage=n in spec.lineage) for n, c in spec.contract(name).items()}
    return {**{key: said[key] for key in kept}, "columns": columns}


def _column(column: Column, *, is_lineage: bool) -> dict[str, Any]:
    """What is said of a column, with the type that Bronze should hold it in."""
    said = column.model_dump(mode="json", exclude_defaults=True, exclude={"bronze", "personal"})
    held = {"physical": BRONZE[column.bronze].duckdb.upper()}
    return {**held, **said, **({"lineage": True} if is_lineage else {})}


def _columns_of(spec: Spec, name: str) -> list[dict[str, Any]]:
    return [
        {"name": column, "data_type": BRONZE[declared.bronze].duckdb}
        for column, declared in spec.contract(name).items()
    ]


def _as_yaml(said: Mapping[str, Any]) -> str:
    return yaml.safe_dump(
        dict(said), sort_keys=False, default_flow_style=None, width=10_000, allow_unicode=True
    )
