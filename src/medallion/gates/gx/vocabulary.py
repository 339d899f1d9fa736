"""The expectations that can be written down, as Great Expectations describes them itself.

The package ships a JSON schema of every expectation type. They are read as files, so that a
suite is checked at start without the seconds that importing Great Expectations costs.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

from medallion.gates.expectation import Arguments

# What the project says of an expectation itself, or decides for all of them.
_OURS = {
    "id", "meta", "notes", "result_format", "description", "catch_exceptions",
    "rendered_content", "severity", "windows", "batch_id", "metadata",
}  # fmt: skip

# The database whose name the engine goes by; see `engine`.
_DIALECT = "PostgreSQL"
_QUERY = "write an unexpected_rows_expectation, whose query finds the rows that should not be"


def problems(kind: str, arguments: Arguments) -> Iterable[str]:
    """What is wrong with an expectation's type or arguments, a sentence each.

    Args:
        kind: The type, such as `expect_column_values_to_be_between`.
        arguments: Its arguments.
    """
    if kind in _absent():
        yield f"{kind} works on pandas only; {_QUERY}"
        return
    if kind not in _index():
        close = get_close_matches(kind, _index(), n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        yield f"'{kind}' is no expectation of Great Expectations{meant}"
        return
    schema = _schema(kind)
    if _DIALECT not in _index()[kind]["supported_data_sources"]:
        yield f"{kind} does not work on SQL; {_QUERY}"
        return
    unknown = sorted(set(arguments) - set(schema["properties"]))
    for name in unknown:
        allowed = ", ".join(sorted(schema["properties"]))
        yield f"{kind} has no argument '{name}'; it takes {allowed}"
    if not unknown:
        yield from _wrong_values(kind, arguments, schema)


def is_sql(kind: str) -> bool:
    """Whether the expectation is a query of its own."""
    return kind == "unexpected_rows_expectation"


def columns_named(arguments: Arguments) -> Iterable[str]:
    """The columns that an expectation's arguments name."""
    for name in ("column", "column_A", "column_B"):
        if isinstance(arguments.get(name), str):
            yield arguments[name]
    for name in ("column_list", "column_set"):
        listed = arguments.get(name)
        if isinstance(listed, (list, tuple, set, frozenset)):
            yield from (column for column in listed if isinstance(column, str))


def _wrong_values(kind: str, arguments: Arguments, schema: Mapping[str, Any]) -> Iterable[str]:
    from jsonschema import Draft7Validator

    # The schema knows sets of text and of numbers; a set may be of booleans, too.
    given = {
        name: ["true"] if _is_of_booleans(value) else value for name, value in arguments.items()
    }
    for error in Draft7Validator(schema).iter_errors(given):
        where = ".".join(str(part) for part in error.absolute_path)
        yield f"{kind}{'.' if where else ''}{where}: {error.message}"


def _is_of_booleans(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, bool) for v in value)


@lru_cache(maxsize=1)
def _folder() -> Path:
    found = importlib.util.find_spec("great_expectations")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("great_expectations is not installed; run `make setup`.")
    return Path(found.origin).parent / "expectations" / "core" / "schemas"


@lru_cache(maxsize=1)
def _absent() -> frozenset[str]:
    """Expectations that work on pandas alone."""
    index: dict[str, Any] = json.loads((_folder() / "index.json").read_text(encoding="utf-8"))
    return frozenset(index.get("documented_absent", ()))


def arguments_of(kind: str) -> frozenset[str]:
    """The arguments that an expectation takes."""
    return frozenset(_schema(kind)["properties"])


def kinds() -> list[str]:
    """All expectations that Great Expectations describes."""
    return sorted(_index())


@lru_cache(maxsize=1)
def _index() -> Mapping[str, Mapping[str, Any]]:
    index: dict[str, Any] = json.loads((_folder() / "index.json").read_text(encoding="utf-8"))
    known: dict[str, Mapping[str, Any]] = index["expectations"]
    return known


@lru_cache(maxsize=64)
def _schema(kind: str) -> dict[str, Any]:
    file = _folder() / str(_index()[kind]["schema_file"])
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    schema["properties"] = {
        # A share such as 0.995 is as good as one of two digits.
        name: {key: value for key, value in field.items() if key != "multipleOf"}
        for name, field in schema["properties"].items()
        if name not in _OURS
    }
    return schema
