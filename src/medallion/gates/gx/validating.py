"""Running suites through Great Expectations, and what came of each expectation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from medallion.foreign import disclosed
from medallion.gates.batch import Batch, Outcome, Row, Validated
from medallion.gates.expectation import Expectation
from medallion.gates.gx import results, vocabulary
from medallion.gates.gx.results import Json, Result, as_plain_json

if TYPE_CHECKING:
    import duckdb
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

_ORIGIN = "the manifests"
_ALL_ROWS: Json = {"result_format": "COMPLETE"}


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
            found = _results(engine, batch)
            outcomes = [
                _is_whole(connection, batch),
                *(
                    _outcome(connection, batch, expectation, result)
                    for expectation, result in zip(batch.expectations, found, strict=True)
                ),
            ]
            yield Validated(batch, outcomes, time.perf_counter() - start)
    finally:
        engine.engine.dispose()


def _is_whole(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Outcome:
    """Whether all rows are there: anything at all holds of an empty relation."""
    rows = int(connection.execute(f"select count(*) from {batch.relation}").fetchall()[0][0])
    arguments: Json = {"value": batch.expected_rows}
    kind, note = "expect_table_row_count_to_equal", "All of it was looked at."
    whole = Expectation(kind, arguments, "critical", note, _ORIGIN)
    success = rows == batch.expected_rows
    raw: Json = {
        "success": success,
        "expectation_config": {
            "type": kind,
            "kwargs": arguments,
            "severity": "critical",
            "meta": {"note": note, "origin": _ORIGIN},
        },
        "result": {"observed_value": rows},
        "meta": {},
        "exception_info": {
            "raised_exception": False,
            "exception_traceback": None,
            "exception_message": None,
        },
    }
    return Outcome(batch, whole, success, f"{rows:,} rows", (), raw)


def _results(engine: Any, batch: Batch) -> list[Result]:
    """What came of each expectation of a batch, with details of those that fail."""
    expectations = batch.expectations
    found = _run(engine, batch, expectations, "BOOLEAN_ONLY")
    failed = [
        n
        for n, result in enumerate(found)
        if not result["success"] and results.exception(result) is None
    ]
    queries = [n for n in failed if vocabulary.is_sql(expectations[n].kind)]
    others = [n for n in failed if n not in queries]
    for chosen, result_format in ((others, _summary(batch)), (queries, _ALL_ROWS)):
        details = _run(engine, batch, [expectations[n] for n in chosen], result_format)
        for n, result in zip(chosen, details, strict=True):
            found[n] = result
    return found


def _summary(batch: Batch) -> Json:
    chosen: Json = {
        "result_format": "SUMMARY",
        "partial_unexpected_count": results.EXAMPLES,
    }
    return {**chosen, "unexpected_index_column_names": list(batch.key)} if batch.key else chosen


def _run(
    engine: Any, batch: Batch, expectations: Sequence[Expectation], result_format: str | Json
) -> list[Result]:
    """Results in the order of the expectations, as plain JSON.

    Great Expectations returns those that raised first, so each carries its number.
    """
    if not expectations:
        return []
    from great_expectations.execution_engine.sqlalchemy_batch_data import SqlAlchemyBatchData

    from medallion.gates.gx.engine import spared_lookups

    data = SqlAlchemyBatchData(
        execution_engine=engine, table_name=batch.relation, create_temp_table=False
    )
    engine.load_batch_data(batch.relation, data)
    configurations = _numbered(expectations)

    def evaluate(chosen: Sequence[ExpectationConfiguration]) -> list[Result]:
        validated = _quiet_validator()(execution_engine=engine).graph_validate(
            configurations=list(chosen),
            runtime_configuration={"result_format": result_format, "catch_exceptions": True},
        )
        return [cast("Result", as_plain_json(one.to_json_dict())) for one in validated]

    with spared_lookups():
        found = _each_if_not_all(evaluate, configurations)
    return _in_order(found, configurations)


def _numbered(expectations: Sequence[Expectation]) -> list[ExpectationConfiguration]:
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

    return [
        ExpectationConfiguration(
            type=expectation.kind,
            kwargs=dict(expectation.arguments),
            severity=expectation.severity,
            meta={"number": number, "note": expectation.note, "origin": expectation.origin},
        )
        for number, expectation in enumerate(expectations)
    ]


def _each_if_not_all(
    evaluate: Callable[[Sequence[ExpectationConfiguration]], list[Result]],
    configurations: Sequence[ExpectationConfiguration],
) -> list[Result]:
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


def _raised(configuration: ExpectationConfiguration, message: str) -> Result:
    written = as_plain_json(configuration.to_json_dict())
    return results.raised(cast("results.Configuration", written), message)


def _in_order(
    found: Iterable[Result], configurations: Sequence[ExpectationConfiguration]
) -> list[Result]:
    """By number; an expectation without exactly one result has failed."""
    by_number = {result["expectation_config"]["meta"]["number"]: result for result in found}
    ordered = [
        by_number.get(number) or _raised(one, "Great Expectations gave no result")
        for number, one in enumerate(configurations)
    ]
    for result in ordered:
        result["expectation_config"]["meta"].pop("number")
    return ordered


@lru_cache(maxsize=1)
def _quiet_validator() -> Any:
    from great_expectations.validator.validator import Validator

    class QuietValidator(Validator):  # type: ignore[misc]
        """Shows no progress bars: a gate is one step of a longer run."""

        def _determine_progress_bars(self) -> bool:
            return False

    return QuietValidator


def _outcome(
    connection: duckdb.DuckDBPyConnection, batch: Batch, expectation: Expectation, result: Result
) -> Outcome:
    raised = results.exception(result)
    success = result["success"] and raised is None
    shown = () if success else tuple(_examples(connection, batch, expectation, result))
    observed = "as expected"
    if raised is not None:
        # Nobody knows whether it holds, so it counts as what must never pass.
        expectation = replace(expectation, severity="critical")
        observed = f"could not be evaluated: {raised}"
    elif not success:
        observed = results.observed(batch, expectation, result.get("result") or {})
    raw = results.disclosable(result, batch)
    return Outcome(batch, expectation, success, observed, shown, raw)


def _examples(
    connection: duckdb.DuckDBPyConnection, batch: Batch, expectation: Expectation, result: Result
) -> Iterable[Row]:
    if batch.subject != "measures":
        return results.examples(batch, expectation, result.get("result") or {})
    # Its one row has been observed already.
    query = batch.evidence.get(str(expectation.arguments.get("column")))
    return _evidence(connection, query) if query else ()


def _evidence(connection: duckdb.DuckDBPyConnection, query: str) -> Iterable[Mapping[str, object]]:
    found = connection.execute(f"{query} limit {results.EXAMPLES}")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
