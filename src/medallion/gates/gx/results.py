"""What Great Expectations says of an expectation, and how a person is told of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TypedDict, cast

from pydantic import JsonValue

from medallion.foreign import disclosed_text
from medallion.gates.batch import Batch, Row
from medallion.gates.expectation import Arguments, Expectation
from medallion.gates.gx import vocabulary
from medallion.gates.queries import shows_by_name
from medallion.terminal import counted

Json = dict[str, JsonValue]

#: Rows or values that are shown of what breaks an expectation.
EXAMPLES = 5
_KEPT_ROWS = 50
_NOUNS = {"files": "file", "partitions": "partition", "days": "day"}
_WITH_VALUES = (
    "details",
    "partial_unexpected_list",
    "partial_unexpected_index_list",
    "partial_unexpected_counts",
    "unexpected_list",
    "unexpected_index_list",
    "observed_value",
)


class Found(TypedDict, total=False):
    """What an expectation has found; the keys depend on its type.

    Attributes:
        observed_value: The one value that was compared.
        unexpected_count: Rows, or distinct values, that break it.
        element_count: Rows that were looked at; absent where distinct values were counted.
        partial_unexpected_list: A few of the values that break it.
        partial_unexpected_index_list: A few of the rows that do, by the batch's key.
        details: More, such as the rows that a query has found.
    """

    observed_value: JsonValue
    unexpected_count: int
    element_count: int | None
    partial_unexpected_list: list[JsonValue] | None
    partial_unexpected_index_list: list[Json] | None
    details: Mapping[str, list[Json]] | None


class Configuration(TypedDict, total=False):
    """An expectation, as Great Expectations writes it.

    Attributes:
        type: Its type.
        kwargs: Its arguments.
        severity: How grave it is.
        meta: What this project says of it.
    """

    type: str
    kwargs: Json
    severity: str
    meta: Json


class Result(TypedDict):
    """What came of an expectation.

    Attributes:
        success: Whether it holds.
        expectation_config: The expectation.
        result: What was found.
        meta: Nothing that is used here.
        exception_info: Whether it could not be evaluated, and why; by metric, or once for all.
    """

    success: bool
    expectation_config: Configuration
    result: Found
    meta: Json
    exception_info: Mapping[str, JsonValue]


def raised(configuration: Configuration, message: str) -> Result:
    """The result of an expectation that could not be evaluated."""
    return {
        "success": False,
        "expectation_config": configuration,
        "result": {},
        "meta": {},
        "exception_info": {"raised_exception": True, "exception_message": message},
    }


def exception(result: Result) -> str | None:
    """What went wrong inside Great Expectations, without values; None if nothing did."""
    info = result.get("exception_info") or {}
    entries: list[object] = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            arguments = (result.get("expectation_config") or {}).get("kwargs") or {}
            names = vocabulary.columns_named(arguments)
            return disclosed_text(str(entry.get("exception_message") or "unknown"), names)
    return None


def observed(batch: Batch, expectation: Expectation, found: Found) -> str:
    """What a failed expectation has found, in words."""
    if "unexpected_count" in found:
        return _counted(batch, expectation, found)
    value = found.get("observed_value", "not as expected")
    if "unexpected_rows_query" in expectation.arguments:
        return f"{value:,} rows"
    if set(_columns(expectation)) & batch.hidden:
        return "not as expected (hidden)"
    return _value(value)


def _counted(batch: Batch, expectation: Expectation, found: Found) -> str:
    """How many rows break it, or the only value that does."""
    count, of = found["unexpected_count"], found.get("element_count")
    values = found.get("partial_unexpected_list")
    if of is None:
        # Distinct values were counted, not rows.
        return f"{count:,} other value{'' if count == 1 else 's'}"
    if values and _tells_what(batch, expectation):
        more = f" (and {counted(count - 1, f'more {_NOUNS[batch.subject]}')})" if count > 1 else ""
        return f"{values[0]}{more}"
    if of == 1 and values and not set(_columns(expectation)) & batch.hidden:
        return f"{' and '.join(_columns(expectation))} is {_value(values[0])}"
    if of == 1 and not values:
        return f"there is no {expectation.arguments.get('column')}"
    return f"{count:,} of {counted(of, _NOUNS.get(batch.subject, 'row'))}"


def _tells_what(batch: Batch, expectation: Expectation) -> bool:
    """Whether a value is a description of what is wrong, and should not be there."""
    return batch.subject in _NOUNS and expectation.kind == "expect_column_values_to_be_null"


def _columns(expectation: Expectation) -> list[str]:
    return list(vocabulary.columns_named(expectation.arguments))


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1 else f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, (list, tuple)):
        return " and ".join(_value(part) for part in value)
    return str(value)


def examples(batch: Batch, expectation: Expectation, found: Found) -> Iterable[Row]:
    """A few of the rows or values that break an expectation, personal ones hidden."""
    column = str(expectation.arguments.get("column", "value"))
    listed: list[Json] = (
        (found.get("details") or {}).get("unexpected_rows")
        or found.get("partial_unexpected_index_list")
        or [{column: value} for value in found.get("partial_unexpected_list") or ()]
    )
    hides_all = _hides_all(batch, expectation.arguments)
    for row in listed[:EXAMPLES]:
        yield {
            name: "(hidden)"
            if (hides_all or name.lower() in batch.hidden) and value is not None
            else value
            for name, value in row.items()
        }


def _hides_all(batch: Batch, arguments: Arguments) -> bool:
    """Whether a query may return personal data under other names."""
    query = arguments.get("unexpected_rows_query")
    return isinstance(query, str) and not shows_by_name(query, batch.hidden)


def disclosable(result: Result, batch: Batch) -> Json:
    """The result without traces, and without the values of personal columns."""
    message = exception(result)
    found = cast("Json", dict(result.get("result") or {}))
    arguments = (result.get("expectation_config") or {}).get("kwargs") or {}
    columns = set(vocabulary.columns_named(arguments)) & batch.hidden
    details = (result.get("result") or {}).get("details") or {}
    rows = details.get("unexpected_rows") or ()
    named = {name.lower() for row in rows for name in row}
    if columns or batch.hidden & named or (rows and _hides_all(batch, arguments)):
        for name in _WITH_VALUES:
            found.pop(name, None)
    if rows and "details" in found:
        found["details"] = {"unexpected_rows": list(rows[:_KEPT_ROWS])}
    shown = {
        **result,
        "result": found,
        "exception_info": {
            "raised_exception": message is not None,
            "exception_traceback": None,
            "exception_message": message,
        },
    }
    return cast("Json", shown)


def as_plain_json(value: object) -> JsonValue:
    """A value as JSON can hold it: NumPy's scalars as Python's, what JSON lacks as text."""
    if isinstance(value, Mapping):
        return {str(key): as_plain_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_plain_json(part) for part in value]
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
