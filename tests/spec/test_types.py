"""Every type of the spec is one type, whatever engine writes or reads it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest
from google.cloud.bigquery.enums import StandardSqlTypeNames

from medallion.spec import models
from medallion.spec.types import BRONZE, SILVER, EngineTypes
from tests.conftest import PROJECT

VALUES = {
    "text": "'a'",
    "int": "9007199254740993",
    "float": "0.5",
    "money": "1234567890123456.78",
    "bool": "true",
    "date": "'2025-10-01'",
    "timestamp": "'2025-10-01 12:00:00.123456'",
}
TYPES = [pytest.param(kind, name, id=name) for name, kind in SILVER.items()]


def test_the_spec_can_name_these_types_and_no_others() -> None:
    assert set(get_args(models.BronzeType)) == BRONZE.keys()
    assert set(get_args(models.EnrichedType)) == SILVER.keys()
    assert set(get_args(models.SilverType)) == SILVER.keys() - {"float"}


@pytest.mark.parametrize(("kind", "name"), TYPES)
def test_what_duckdb_writes_is_read_as_the_same_type_by_all(
    kind: EngineTypes, name: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "duckdb.parquet", tmp_path / "polars.parquet"
    with duckdb.connect() as connection:
        value = f"cast({VALUES[name]} as {kind.duckdb})"
        connection.execute(f"copy (select {value} as x) to '{first}' (format parquet)")
        assert str(pq.read_schema(first).field("x").type) == kind.arrow
        frame = pl.read_parquet(first)
        assert frame.schema["x"] == kind.as_polars()
        frame.write_parquet(second)
        read = f"select {value} = x, typeof(x) from '{second}'"
        same, typed = connection.execute(read).fetchall()[0]
    assert same
    assert typed.lower().replace(" ", "") == kind.duckdb.replace(" ", "")


@pytest.mark.parametrize(("kind", "name"), TYPES)
def test_bigquery_knows_the_name(kind: EngineTypes, name: str) -> None:
    assert kind.bigquery in StandardSqlTypeNames.__members__, name


def test_no_other_module_keeps_a_list_of_them() -> None:
    found = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Dict)
        if {"int64", "money"} & {key.value for key in node.keys if isinstance(key, ast.Constant)}
    }
    assert found == {"src/medallion/spec/types.py"}


def test_names_and_values_are_quoted_in_one_place() -> None:
    doubled = ('replace("\'", "\'\'")', "replace('\"', '\"\"')")
    found = {
        str(path.relative_to(PROJECT))
        for path in (PROJECT / "src").rglob("*.py")
        if any(text in path.read_text(encoding="utf-8") for text in doubled)
    }
    assert found == {"src/medallion/sql.py"}
