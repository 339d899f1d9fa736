"""SQL text: how names and values are quoted, whatever they hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

#: What the id of a project of Google Cloud looks like; one of a domain begins with that.
GOOGLE_PROJECT = r"([a-z0-9.-]{1,80}:)?[a-z][a-z0-9-]{4,28}[a-z0-9]"


def identifier(name: str) -> str:
    """A name of a column, table or schema as SQL writes it: in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A text, or the text of a path or a day, as SQL writes it: in single quotes."""
    return "'" + str(value).replace("'", "''") + "'"


def identifiers(names: Iterable[str]) -> str:
    """Names, separated by commas."""
    return ", ".join(map(identifier, names))


def literals(values: Iterable[object]) -> str:
    """Literals, separated by commas."""
    return ", ".join(map(literal, values))


def no_rows(columns: Mapping[str, str]) -> str:
    """A SELECT that gives no row, but columns with types.

    Args:
        columns: Type by name; names are plain, as those of the spec are.
    """
    nulls = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in columns.items())
    return f"select {nulls} where false"


def google_name(name: str) -> str:
    """A name as GoogleSQL writes it, each part in backticks; a project may hold dots.

    >>> google_name("shop.silver.orders"), google_name("example.com:shop.silver.orders")
    ('`shop`.`silver`.`orders`', '`example.com:shop`.`silver`.`orders`')
    """
    return ".".join(f"`{part}`" for part in name.replace("`", "").rsplit(".", 2))


def google_text(value: str) -> str:
    """A text as GoogleSQL writes it: in double quotes, with the escapes of JSON."""
    return json.dumps(value, ensure_ascii=False)
