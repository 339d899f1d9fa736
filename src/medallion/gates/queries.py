"""The queries of suites: what they are about, and which columns they can see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb

# Joins that look at no column but those that are named.
_PLAIN_JOINS = ("REGULAR", "CROSS", "DEPENDENT")
# Parts of a query that mean all columns, whatever they are called; or one by its number.
_OF_ALL = ("STAR", "PIVOT", "SHOW_REF", "POSITIONAL_REFERENCE")
# Functions in place of a table that read none: others may, as `query('select ...')` does.
_OF_NO_TABLE = ("generate_series", "range", "unnest")


@lru_cache(maxsize=1)
def asking_database() -> duckdb.DuckDBPyConnection:
    """An empty database that is asked about SQL, and holds no data; opening one takes time."""
    import duckdb

    return duckdb.connect()


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


@lru_cache(maxsize=1024)
def shows_by_name(query: str, personal: frozenset[str]) -> bool:
    """Whether what a query returns can be told to be personal by the names of its columns.

    That is so if it names no personal column; or if it is one plain SELECT from one table, in
    which a personal column stands as it is and under its own name.

    Args:
        query: The SQL of an expectation.
        personal: The names of the columns with personal data, in lower case.
    """
    parsed = _without_counts(_parsed(asking_database(), query))
    named = _names_in(parsed)
    return (named is not None and not named & personal) or _is_plain(parsed, personal)


def _without_counts(node: Any) -> Any:
    """A query without the stars of `count(*)`, which see no column."""
    if isinstance(node, list):
        return [_without_counts(part) for part in node]
    if not isinstance(node, dict):
        return node
    inside = node.get("children") or []
    if str(node.get("function_name")).startswith("count") and all(
        part.get("type") == "STAR" for part in inside
    ):
        return {**node, "children": []}
    return {name: _without_counts(part) for name, part in node.items()}


def _is_plain(parsed: Mapping[str, Any], personal: frozenset[str]) -> bool:
    if parsed.get("error") or len(parsed["statements"]) != 1:
        return False
    select = parsed["statements"][0]["node"]
    source = select.get("from_table") or {}
    if source.get("type") != "BASE_TABLE" or source["column_name_alias"]:
        return False
    if select["cte_map"]["map"]:
        return False
    return all(
        _keeps_its_name(column, {_called(source)}, personal) for column in select["select_list"]
    )


def _keeps_its_name(column: Mapping[str, Any], table: set[str], personal: frozenset[str]) -> bool:
    """Whether a returned column is not personal, or has the name of the personal one."""
    changed = ("columns", "expr", "replace_list", "rename_list")
    if column["type"] == "STAR":
        return not any(column[name] for name in changed)
    named = {name.lower() for part in _parts(column) for name in _columns(part)}
    if column["type"] == "COLUMN_REF" and column["alias"] in ("", column["column_names"][-1]):
        return not named <= table
    inside = list(_parts(column))
    # A query inside of it looks at tables of its own.
    asks = any(part.get("class") == "SUBQUERY" for part in inside)
    return not asks and not named & (personal | table) and not any(map(_means_all, inside))


def _parsed(connection: duckdb.DuckDBPyConnection, query: str) -> dict[str, Any]:
    asked = [on_batch(query)]
    parsed = connection.execute("select json_serialize_sql(?)", asked).fetchall()[0][0]
    return dict(json.loads(parsed))


def _named(connection: duckdb.DuckDBPyConnection, query: str) -> set[str] | None:
    return _names_in(_parsed(connection, query))


def _names_in(parsed: object) -> set[str] | None:
    parts = list(_parts(parsed))
    # Parts that are no expression are relations, or what is put together of them.
    relations = [part for part in parts if "class" not in part]
    tables = {name for part in relations for name in _names_of_row(part)}
    named: set[str] = set()
    for part in parts:
        if part.get("error") or _means_all(part):
            return None
        columns = [name.lower() for name in _columns(part)]
        # A table's name alone is the whole row.
        if tuple(columns) in tables and "column_names" in part:
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


def _called(relation: Mapping[str, Any]) -> str:
    """The name that stands for a row of a relation: its alias hides that of the table."""
    return str(relation.get("alias") or relation.get("table_name") or "").lower()


def _names_of_row(relation: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """What stands for a row of a relation, with the names of its schema and database or without."""
    yield (_called(relation),)
    path = [str(name).lower() for name in (relation.get("qualified_name") or {}).get("path", ())]
    if not relation.get("alias"):
        yield from (tuple(path[start:]) for start in range(len(path)))


def _means_all(part: Mapping[str, Any]) -> bool:
    reads = part.get("type") == "TABLE_FUNCTION" and (
        part["function"]["function_name"].lower() not in _OF_NO_TABLE
    )
    return (
        reads
        or part.get("type") in _OF_ALL
        or part.get("setop_type") == "UNION_BY_NAME"
        or bool(part.get("column_name_alias"))
        or (part.get("type") == "JOIN" and part.get("ref_type") not in _PLAIN_JOINS)
    )


def _columns(part: Mapping[str, Any]) -> Iterator[str]:
    for key in ("column_names", "using_columns"):
        names = part.get(key)
        yield from (name for name in names or () if isinstance(name, str))
