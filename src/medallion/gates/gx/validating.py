"""Running suites through Great Expectations, and what came of each expectation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from medallion.foreign import disclosed, disclosed_text
from medallion.gates.expectation import Expectation
from medallion.gates.gx import vocabulary

if TYPE_CHECKING:
    import duckdb

_EXAMPLES = 5
_ORIGIN = "the manifests"


@dataclass(frozen=True)
class Batch:
    """A relation, and what is expected of it.

    Attributes:
        table: The table it belongs to.
        subject: What of the table it shows: `rows`, `measures`, ...
        relation: The view or table of the connection.
        expectations: What must hold.
        expected_rows: Rows it must have.
        key: The columns by which a person finds a row.
        hidden: Columns with personal data; their values are not repeated.
        explain: Finds rows that explain a failure of measured facts.
    """

    table: str
    subject: str
    relation: str
    expectations: tuple[Expectation, ...] = field(repr=False)
    expected_rows: int
    key: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    explain: Callable[[Expectation], Sequence[Mapping[str, Any]]] | None = field(
        default=None, repr=False, compare=False
    )


@dataclass(frozen=True)
class Outcome:
    """What came of one expectation.

    Attributes:
        batch: Of what.
        expectation: Which.
        success: Whether it holds.
        observed: What was found, in words.
        examples: A few of the rows or values that break it, by name.
        raw: The result in Great Expectations' own format.
    """

    batch: Batch
    expectation: Expectation
    success: bool
    observed: str
    examples: tuple[Mapping[str, Any], ...]
    raw: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Validated:
    """A batch that was looked at.

    Attributes:
        batch: The batch.
        outcomes: One per expectation, and one for its completeness.
        seconds: How long it took.
    """

    batch: Batch
    outcomes: Sequence[Outcome]
    seconds: float = 0.0


def validate(
    connection: duckdb.DuckDBPyConnection, batches: Sequence[Batch]
) -> Iterable[Validated]:
    """Runs the expectations of every batch.

    All expectations of a batch are first only decided, in one pass over it where they allow;
    what fails is asked again for counts and examples.

    Args:
        connection: An open connection that knows the relations.
        batches: What to validate.

    Yields:
        Each batch with what came of it. An expectation that could not be evaluated has failed.
    """
    from medallion.gates.gx.engine import execution_engine

    engine = execution_engine(connection)
    try:
        for batch in batches:
            start = time.perf_counter()
            outcomes = [_is_whole(connection, batch), *_outcomes(engine, batch)]
            yield Validated(batch, outcomes, time.perf_counter() - start)
    finally:
        engine.engine.dispose()


def _is_whole(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Outcome:
    """Whether all rows are there: anything at all holds of an empty relation."""
    rows = int(connection.execute(f"select count(*) from {batch.relation}").fetchall()[0][0])
    arguments = {"value": batch.expected_rows}
    kind, note = "expect_table_row_count_to_equal", "All of it was looked at."
    whole = Expectation(kind, arguments, "critical", note, _ORIGIN)
    success = rows == batch.expected_rows
    raw = {
        "success": success,
        "expectation_config": {"type": kind, "kwargs": arguments, "severity": "critical",
                               "meta": {"note": note, "origin": _ORIGIN}},
        "result": {"observed_value": rows},
        "meta": {},
        "exception_info": {"raised_exception": False, "exception_traceback": None,
                           "exception_message": None},
    }  # fmt: skip
    return Outcome(batch, whole, success, f"{rows:,} rows", (), raw)


def _outcomes(engine: Any, batch: Batch) -> list[Outcome]:
    expectations = batch.expectations
    found = _run(engine, batch, expectations, "BOOLEAN_ONLY")
    failed = [n for n, result in enumerate(found) if not result["success"] and _ran(result)]
    queries = [n for n in failed if vocabulary.is_sql(expectations[n].kind)]
    others = [n for n in failed if n not in queries]
    for chosen, result_format in ((others, _summary(batch)), (queries, _all_rows())):
        details = _run(engine, batch, [expectations[n] for n in chosen], result_format)
        found = _replaced(found, dict(zip(chosen, details, strict=True)))
    return [
        _outcome(batch, expectation, result)
        for expectation, result in zip(expectations, found, strict=True)
    ]


def _replaced(results: list[Any], new: Mapping[int, Any]) -> list[Any]:
    return [new.get(n, result) for n, result in enumerate(results)]


def _summary(batch: Batch) -> dict[str, Any]:
    chosen: dict[str, Any] = {"result_format": "SUMMARY", "partial_unexpected_count": _EXAMPLES}
    return {**chosen, "unexpected_index_column_names": list(batch.key)} if batch.key else chosen


def _all_rows() -> dict[str, Any]:
    return {"result_format": "COMPLETE"}


def _run(
    engine: Any,
    batch: Batch,
    expectations: Sequence[Expectation],
    result_format: str | dict[str, Any],
) -> list[dict[str, Any]]:
    """Results in the order of the expectations, as plain JSON.

    Great Expectations returns those that raised first, so each carries its number.
    """
    if not expectations:
        return []
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

    from medallion.gates.gx.engine import spared_lookups

    data = SqlAlchemyBatchData(
        execution_engine=engine, table_name=batch.relation, create_temp_table=False
    )
    engine.load_batch_data(batch.relation, data)
    configurations = [
        ExpectationConfiguration(
            type=expectation.kind,
            kwargs=dict(expectation.arguments),
            severity=expectation.severity,
            meta={"number": number, "note": expectation.note, "origin": expectation.origin},
        )
        for number, expectation in enumerate(expectations)
    ]

    def evaluate(chosen: Sequence[Any]) -> list[dict[str, Any]]:
        results = _quiet_validator()(execution_engine=engine).graph_validate(
            configurations=list(chosen),
            runtime_configuration={"result_format": result_format, "catch_exceptions": True},
        )
        return [as_plain_json(result.to_json_dict()) for result in results]

    with spared_lookups():
        results = _each_if_not_all(evaluate, configurations)
    return _in_order(results, configurations)


def _each_if_not_all(
    evaluate: Callable[[Sequence[Any]], list[dict[str, Any]]], configurations: Sequence[Any]
) -> list[dict[str, Any]]:
    """The results of all; if one ends them all, that one alone has failed.

    Great Expectations catches what metrics raise, and not what expectations do.
    """
    try:
        return evaluate(configurations)
    # Whatever it is, it becomes a critical failure of the expectation that raised it.
    except Exception as error:  # noqa: BLE001
        if len(configurations) == 1:
            return [_raised(configurations[0], disclosed(error))]
        return [r for one in configurations for r in _each_if_not_all(evaluate, [one])]


def _raised(configuration: Any, message: str) -> dict[str, Any]:
    return {
        "success": False,
        "expectation_config": as_plain_json(configuration.to_json_dict()),
        "result": {},
        "meta": {},
        "exception_info": {"raised_exception": True, "exception_message": message},
    }


def _in_order(
    results: Iterable[dict[str, Any]], configurations: Sequence[Any]
) -> list[dict[str, Any]]:
    """By number; an expectation without exactly one result has failed."""
    by_number = {result["expectation_config"]["meta"]["number"]: result for result in results}
    found = [
        by_number.get(number) or _raised(one, "Great Expectations gave no result")
        for number, one in enumerate(configurations)
    ]
    for result in found:
        result["expectation_config"]["meta"].pop("number")
    return found


def as_plain_json(value: Any) -> Any:
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


@lru_cache(maxsize=1)
def _quiet_validator() -> Any:
    from great_expectations.validator.validator import Validator

    class QuietValidator(Validator):  # type: ignore[misc]
        """Shows no progress bars: a gate is one step of a longer run."""

        def _determine_progress_bars(self) -> bool:
            return False

    return QuietValidator


def _ran(result: Mapping[str, Any]) -> bool:
    return _exception(result) is None


def _exception(result: Mapping[str, Any]) -> str | None:
    """What went wrong inside Great Expectations, if anything did."""
    info = result.get("exception_info") or {}
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if entry.get("raised_exception"):
            arguments = (result.get("expectation_config") or {}).get("kwargs") or {}
            names = vocabulary.columns_named(arguments)
            return disclosed_text(str(entry.get("exception_message") or "unknown"), names)
    return None


def _outcome(batch: Batch, expectation: Expectation, result: dict[str, Any]) -> Outcome:
    raised = _exception(result)
    success = bool(result["success"]) and raised is None
    details = result.get("result") or {}
    examples = () if success else tuple(_examples(batch, expectation, details))
    observed = "as expected"
    if raised is not None:
        # Nobody knows whether it holds, so it counts as what must never pass.
        expectation = replace(expectation, severity="critical")
        observed = f"could not be evaluated: {raised}"
    elif not success:
        observed = _observed(batch, expectation, details)
    return Outcome(batch, expectation, success, observed, examples, _disclosable(result, batch))


_NOUNS = {"files": "files", "partitions": "partitions", "days": "days"}


def _observed(batch: Batch, expectation: Expectation, details: Mapping[str, Any]) -> str:
    if "unexpected_count" in details:
        return _counted(batch, expectation, details)
    observed = details.get("observed_value", "not as expected")
    if "unexpected_rows_query" in expectation.arguments:
        return f"{observed:,} rows"
    if set(_columns(expectation)) & batch.hidden:
        return "not as expected (hidden)"
    return _value(observed)


def _counted(batch: Batch, expectation: Expectation, details: Mapping[str, Any]) -> str:
    """How many rows break it, or the only value that does."""
    count, of = details["unexpected_count"], details.get("element_count")
    values = details.get("partial_unexpected_list")
    if of is None:
        # Distinct values were counted, not rows.
        return f"{count:,} other value{'' if count == 1 else 's'}"
    if values and _tells_what(batch, expectation):
        more = f" (and {count - 1:,} more {_NOUNS[batch.subject]})" if count > 1 else ""
        return f"{values[0]}{more}"
    if of == 1 and values and not set(_columns(expectation)) & batch.hidden:
        return f"{_named(expectation)} {_value(values[0])}"
    if of == 1 and not values:
        return f"there is no {expectation.arguments.get('column')}"
    return f"{count:,} of {of:,} {_NOUNS.get(batch.subject, 'rows')}"


def _tells_what(batch: Batch, expectation: Expectation) -> bool:
    """Whether a value is a description of what is wrong, and should not be there."""
    return batch.subject in _NOUNS and expectation.kind == "expect_column_values_to_be_null"


def _named(expectation: Expectation) -> str:
    return f"{' and '.join(_columns(expectation))} is"


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


def _examples(
    batch: Batch, expectation: Expectation, details: Mapping[str, Any]
) -> Iterable[Mapping[str, Any]]:
    if batch.subject == "measures":
        # Its one row has been observed already.
        yield from batch.explain(expectation) if batch.explain else ()
        return
    rows = (details.get("details") or {}).get("unexpected_rows")
    listed = (
        rows
        or details.get("partial_unexpected_index_list")
        or [{_column(expectation): value} for value in details.get("partial_unexpected_list") or ()]
    )
    for row in listed[:_EXAMPLES]:
        yield {
            name: "(hidden)" if name in batch.hidden and value is not None else value
            for name, value in row.items()
        }


def _column(expectation: Expectation) -> str:
    return str(expectation.arguments.get("column", "value"))


def _disclosable(result: dict[str, Any], batch: Batch) -> dict[str, Any]:
    """The result without traces, and without the values of personal columns."""
    raised = _exception(result)
    info = {"raised_exception": raised is not None, "exception_traceback": None}
    details = dict(result.get("result") or {})
    arguments = (result.get("expectation_config") or {}).get("kwargs") or {}
    columns = set(vocabulary.columns_named(arguments)) & batch.hidden
    rows = (details.get("details") or {}).get("unexpected_rows") or ()
    if columns or any(batch.hidden & set(row) for row in rows):
        for name in _WITH_VALUES:
            details.pop(name, None)
    if rows and "details" in details:
        details["details"] = {"unexpected_rows": list(rows[:50])}
    return {
        **result,
        "result": details,
        "exception_info": {**info, "exception_message": raised},
    }


_WITH_VALUES = (
    "details", "partial_unexpected_list", "partial_unexpected_index_list",
    "partial_unexpected_counts", "unexpected_list", "unexpected_index_list", "observed_value",
)  # fmt: skip
