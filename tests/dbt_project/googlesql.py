"""Google's own analyzer of GoogleSQL, and the reference implementation that computes it.

It runs in this process, as WebAssembly, and reaches nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from threading import Lock
from typing import Any
from unittest import mock

import wasmtime
from zetasql.api import Analyzer, CatalogBuilder, PreparedQuery, TableBuilder
from zetasql.core import ZetaSqlLocalService, wasm_client
from zetasql.types import (
    AnalyzerOptions,
    LanguageFeature,
    LanguageOptions,
    ParseResumeLocation,
    ProductMode,
    SimpleCatalog,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)

Columns = Mapping[str, str]
Row = Mapping[str, object]

_KINDS = {
    "BOOL": TypeKind.TYPE_BOOL,
    "INT64": TypeKind.TYPE_INT64,
    "FLOAT64": TypeKind.TYPE_DOUBLE,
    "NUMERIC": TypeKind.TYPE_NUMERIC,
    "BIGNUMERIC": TypeKind.TYPE_BIGNUMERIC,
    "STRING": TypeKind.TYPE_STRING,
    "DATE": TypeKind.TYPE_DATE,
    "DATETIME": TypeKind.TYPE_DATETIME,
    "TIMESTAMP": TypeKind.TYPE_TIMESTAMP,
}
_NAMES = {int(kind): name for name, kind in _KINDS.items()}
# What the analyzer knows and BigQuery does not: a type with parameters in a cast, and filters in
# aggregates. (A parameter is allowed where a column is declared; no statement here has one.)
_NOT_IN_BIGQUERY = {
    LanguageFeature.FEATURE_PARAMETERIZED_TYPES,
    LanguageFeature.FEATURE_AGGREGATE_FILTERING,
}
# The service is one instance of WebAssembly, which one thread at a time may call.
_one_at_a_time = Lock()


class RefusedError(Exception):
    """What GoogleSQL says against a statement."""


@dataclass(frozen=True)
class Analysed:
    """A statement that is GoogleSQL.

    Attributes:
        kind: Of statement, such as `Query` or `CreateTableAsSelect`; of several, `Script`.
        columns: Its columns, name to type.
    """

    kind: str
    columns: Columns


class GoogleSql:
    """GoogleSQL over some tables.

    Args:
        tables: Columns, name to type, by project, dataset and table, such as `shop.gold.orders`.
    """

    def __init__(self, tables: Mapping[str, Columns] | None = None) -> None:
        self._tables = dict(tables or {})

    def add(self, table: str, columns: Columns) -> None:
        """Knows another table, or other columns of one."""
        self._tables[table] = dict(columns)

    def drop(self, table: str) -> None:
        """Knows a table no longer."""
        self._tables.pop(table, None)

    def tables(self) -> list[str]:
        """The tables that it knows."""
        return list(self._tables)

    def columns(self, table: str) -> Columns | None:
        """The columns of a table, if there is one."""
        return self._tables.get(table)

    def analyse(self, sql: str) -> Analysed:
        """What a statement is, or several with semicolons between them.

        Raises:
            RefusedError: It is no GoogleSQL, or names what is not there.
        """
        with _one_at_a_time:
            try:
                analyzer = Analyzer(_options(), self._catalog(sql))
                place = ParseResumeLocation(input=sql, byte_position=0)
                found = [analyzer.analyze_next_statement(place)]
                while place.byte_position < len(sql.encode()):
                    found.append(analyzer.analyze_next_statement(place))
            except Exception as error:
                raise RefusedError(str(error)) from error
        if len(found) > 1:
            return Analysed("Script", {})
        kind = type(found[0]).__name__.removeprefix("Resolved").removesuffix("Stmt")
        columns = getattr(found[0], "output_column_list", ())
        return Analysed(kind, {c.name: _NAMES[int(c.column.type.type_kind)] for c in columns})

    def rows(self, sql: str) -> list[dict[str, object]]:
        """What a query gives that names no tables, in the types of Python.

        Raises:
            RefusedError: It is no query, or it cannot be computed.
        """
        columns = self.analyse(sql).columns
        whole = f"select to_json_string(one_row) from (\n{sql}\n) as one_row"
        with _one_at_a_time:
            builder = PreparedQuery.builder().set_sql(whole).set_analyzer_options(_options())
            try:
                with builder.set_catalog(self._catalog(sql)).prepare() as query:
                    answer = query.execute()
            except Exception as error:
                raise RefusedError(str(error)) from error
        data = answer.content.table_data
        texts = [row.cell[0].string_value for row in data.row] if data else []
        found = [json.loads(text, parse_float=str) for text in texts]
        return [{c: _value(row[c], kind) for c, kind in columns.items()} for row in found]

    def _catalog(self, sql: str) -> SimpleCatalog:
        """The tables that a statement names: all of them take longer than the rest."""
        functions = ZetaSQLBuiltinFunctionOptions(language_options=_options().language_options)
        root = CatalogBuilder("root").with_builtin_functions(functions).build()
        for name, columns in list(self._tables.items()):
            if quoted(name) in sql:
                project, dataset, table = name.split(".")
                builder = TableBuilder(table)
                for column, kind in columns.items():
                    builder.add_column(column, _KINDS[kind])
                _inner(_inner(root, project), dataset).table.append(builder.build())
        return root


def quoted(table: str) -> str:
    """A table such as `shop.gold.orders` as dbt-bigquery writes it."""
    return ".".join(f"`{part}`" for part in table.split("."))


def inline(columns: Columns, rows: Sequence[Row]) -> str:
    """A query that gives some rows."""
    kinds = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    written = ", ".join(
        f"({', '.join(_literal(row.get(name), kind) for name, kind in columns.items())})"
        for row in rows
    )
    return f"select * from unnest(array<struct<{kinds}>>[{written}])"


@cache
def _options() -> AnalyzerOptions:
    _start()
    language = LanguageOptions.maximum_features()
    language.product_mode = ProductMode.PRODUCT_EXTERNAL
    language.reserved_keywords = ["QUALIFY"]
    without = {int(feature) for feature in _NOT_IN_BIGQUERY}
    language.enabled_language_features = [
        feature for feature in language.enabled_language_features if int(feature) not in without
    ]
    return AnalyzerOptions(language_options=language, default_timezone="UTC")


def _start() -> None:
    """Starts the service; compiling takes half a minute, so what is compiled is kept."""

    class Remembering(wasmtime.Config):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.cache = True

    with mock.patch.object(wasm_client, "Config", Remembering):
        ZetaSqlLocalService.get_instance()


def _inner(outer: SimpleCatalog, name: str) -> SimpleCatalog:
    found = [catalog for catalog in outer.catalog if catalog.name == name]
    if not found:
        found = [CatalogBuilder(name).build()]
        outer.catalog.append(found[0])
    return found[0]


def _literal(value: object, kind: str) -> str:
    if value is None:
        return f"cast(null as {kind})"
    if kind in ("DATE", "DATETIME", "TIMESTAMP", "NUMERIC", "BIGNUMERIC"):
        return f"{kind.lower()} '{value}'"
    if kind == "STRING":
        return json.dumps(value)
    if kind == "FLOAT64":
        return f"cast('{value!r}' as float64)"
    return str(value).lower()


def _value(value: Any, kind: str) -> object:
    """A value as Python holds it, of the one that stands in JSON."""
    if value is None or kind in ("BOOL", "STRING"):
        return value
    if kind == "FLOAT64":
        return math.nan if value == "NaN" else float(value)
    if kind in ("NUMERIC", "BIGNUMERIC"):
        return Decimal(str(value))
    if kind == "INT64":
        return int(value)
    return date.fromisoformat(value) if kind == "DATE" else datetime.fromisoformat(value)
