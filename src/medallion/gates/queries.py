"""The queries of suites: what they are about, and which columns they can see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# Joins that look at no column but those that are named.
_PLAIN_JOINS = ("REGULAR", "CROSS", "DEPENDENT")
# Parts of a query that mean all columns, whatever they are called.
_OF_ALL = ("STAR", "PIVOT", "SHOW_REF")


def on_batch(query: str) -> str:
    """A query as Great Expectations fills it in, about a relation `batch`.

    Raises:
        KeyError, IndexError, ValueError, AttributeError: It has braces beside `{batch}`.
    """
    return query.format(batch="batch")


def columns_named(
    connection: duckdb.DuckDBPyConnection, queries: Iterable[str]
) -> frozenset[str] | None:
    """The columns that queries name, in lower case.

    Args:
        connection: Any database: nothing is run.
        queries: The SQL of the expectations; `{batch}` stands for what they look at.

    Returns:
        None if a query may see columns that it does not name.
    """
    named: set[str] = set()
    for query in queries:
        found = _named(connection, query)
        if found is None:
            return None
        named |= found
    return frozenset(named)


def _named(connection: duckdb.DuckDBPyConnection, query: str) -> set[str] | None:
    asked = [on_batch(query)]
    parsed = connection.execute("select json_serialize_sql(?)", asked).fetchall()[0][0]
    parts = list(_parts(json.loads(parsed)))
    tables = {str(part.get(n, "")).lower() for part in parts for n in ("alias", "table_name")}
    named: set[str] = set()
    for part in parts:
        if part.get("error") or _means_all(part):
            return None
        columns = [name.lower() for name in _columns(part)]
        # A table's name alone is the whole row.
        if len(columns) == 1 and columns[0] in tables and "column_names" in part:
            return None
        named.update(columns)
    return named


def _parts(node: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _parts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _parts(value)


def _means_all(part: Mapping[str, Any]) -> bool:
    return (
        part.get("type") in _OF_ALL
        or part.get("setop_type") == "UNION_BY_NAME"
        or bool(part.get("column_name_alias"))
        or (part.get("type") == "JOIN" and part.get("ref_type") not in _PLAIN_JOINS)
    )


def _columns(part: Mapping[str, Any]) -> Iterator[str]:
    for key in ("column_names", "using_columns"):
        names = part.get(key)
        yield from (name for name in names or () if isinstance(name, str))
