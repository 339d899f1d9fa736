"""The SQLAlchemy dialect between Great Expectations and DuckDB; see `engine`."""

from __future__ import annotations

from typing import Any

import duckdb
import duckdb_engine


class SharedConnection(duckdb_engine.ConnectionWrapper):  # type: ignore[misc]
    """A DuckDB connection that its owner closes; every cursor is one of DuckDB's own."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        super().__init__(connection)
        self._connection = connection

    def cursor(self) -> duckdb_engine.CursorWrapper:
        """A cursor whose results outlive those of others."""
        return duckdb_engine.CursorWrapper(self._connection.cursor(), self)

    def close(self) -> None:
        """Leaves the connection open."""


class DuckDialect(duckdb_engine.Dialect):  # type: ignore[misc]
    """DuckDB under a name for which Great Expectations offers all its expectations."""

    name = "postgresql"
    supports_statement_cache = False

    def do_begin(self, connection: Any) -> None:
        """Begins nothing: nothing is written."""

    def do_commit(self, connection: Any) -> None:
        """Commits nothing."""

    def do_rollback(self, connection: Any) -> None:
        """Rolls nothing back."""

    def get_pk_constraint(self, *_: Any, **__: Any) -> dict[str, Any]:
        """Views have no primary key; asking PostgreSQL's catalog for it is dear."""
        return {"constrained_columns": [], "name": None}

    def get_columns(
        self, connection: Any, table_name: str, schema: str | None = None, **_: Any
    ) -> list[dict[str, Any]]:
        """The columns of a view, as DuckDB describes them."""
        quote = self.identifier_preparer.quote
        relation = ".".join(quote(part) for part in (schema, table_name) if part)
        described = connection.exec_driver_sql(f"describe {relation}").fetchall()
        return [
            {"name": name, "type": self.type_of(kind), "nullable": True, "default": None}
            for name, kind, *_ in described
        ]

    def type_of(self, kind: str) -> Any:
        """The SQLAlchemy type of a DuckDB type, such as `DECIMAL(18,2)`."""
        base = kind.partition("(")[0].lower()
        known = {
            "varchar": "text", "bigint": "bigint", "integer": "integer", "double": "float8",
            "boolean": "boolean", "date": "date", "timestamp": "timestamp",
            "decimal": "numeric", "hugeint": "bigint",
        }  # fmt: skip
        chosen = self.ischema_names.get(known.get(base, base))
        from sqlalchemy import types

        return chosen() if chosen else types.NullType()
