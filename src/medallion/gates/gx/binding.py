"""Whether the query of a suite fits the tables that it names; known before any run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from medallion.gates.declared import Types
from medallion.gates.queries import asking_database, on_batch
from medallion.sql import no_rows

if TYPE_CHECKING:
    import duckdb

# DuckDB's driver for SQLAlchemy cannot hand over what has such a type (duckdb 2.0.0).
_CANNOT_BE_SHOWN = re.compile(r"\b(INTERVAL|TIME WITH TIME ZONE)\b")
_numbers = itertools.count()


class Relations:
    """The tables that the queries of a layer can name beside `{batch}`, without rows.

    Args:
        tables: Their columns, by a name such as `base_silver.orders`.
    """

    def __init__(self, tables: Mapping[str, Types]) -> None:
        self._tables = tables
        self._made: set[str] = set()

    def problem(self, query: str, batch: Types) -> str:
        """Why a query cannot be asked, or its rows not be shown; empty if they can.

        Args:
            query: The SQL of an expectation; `{batch}` stands for what it looks at.
            batch: The columns of that.
        """
        import duckdb

        asked = on_batch(query).rstrip(" ;\n")
        statement = f"describe with batch as ({no_rows(batch)}) select * from ({asked}\n)"
        try:
            self._make(name for name in self._tables if name in asked.lower())
            returned = self._database.execute(statement).fetchall()
        except duckdb.Error as error:
            return self._said(error)
        for name, kind, *_ in returned:
            if found := _CANNOT_BE_SHOWN.search(kind):
                return f"{name} is of type {found[0].lower()}; cast it to text (varchar)"
        return ""

    @cached_property
    def _database(self) -> duckdb.DuckDBPyConnection:
        """A database in memory of its own: attaching one is a tenth of connecting anew."""
        cursor, name = asking_database().cursor(), f"relations_{next(_numbers)}"
        cursor.execute(f"attach ':memory:' as {name}")
        cursor.execute(f"use {name}")
        return cursor

    def _make(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._made:
                schema = name.partition(".")[0]
                self._database.execute(f"create schema if not exists {schema}")
                self._database.execute(f"create view {name} as {no_rows(self._tables[name])}")
                self._made.add(name)

    def _said(self, error: duckdb.Error) -> str:
        """What DuckDB says of a query, and which tables there are if it names another one."""
        reason = str(error).partition(": ")[2].partition("\n")[0].partition("!")[0]
        if not reason.startswith("Table with name"):
            return reason
        known = f"{{batch}}, {', '.join(self._tables)}" if self._tables else "{batch} alone"
        return f"{reason}; here a query can name {known}"
