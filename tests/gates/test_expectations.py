"""Great Expectations on DuckDB decides as it does on pandas, for every kind in use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from medallion.gates.batch import Batch, Outcome
from medallion.gates.expectation import Expectation
from medallion.gates.gx.validating import validate
from medallion.gates.suites import load_suites
from medallion.spec import Spec
from tests.gates.test_suites import FOLDER, MODELS

# Per case: the expectation, the rows of (id, a, b, t) for which it holds, and for which not.
Rows = list[tuple[int, float | None, float | None, str | None]]
CASES: list[tuple[str, dict[str, Any], Rows, Rows]] = [
    (
        "expect_column_values_to_not_be_null",
        {"column": "a"},
        [(1, 0.0, None, None), (2, 1.0, 1.0, "x")],
        [(1, 0.0, None, None), (2, None, 1.0, "x")],
    ),
    (
        "expect_column_values_to_not_be_null",
        {"column": "t", "mostly": 0.5},
        [(1, 1.0, 1.0, "x"), (2, 1.0, 1.0, None)],
        [(1, 1.0, 1.0, "x"), (2, 1.0, 1.0, None), (3, 1.0, 1.0, None)],
    ),
    (
        "expect_column_values_to_be_null",
        {"column": "t"},
        [(1, 1.0, 1.0, None)],
        [(1, 1.0, 1.0, None), (2, 1.0, 1.0, "drift")],
    ),
    (
        "expect_column_values_to_be_between",
        {"column": "a", "min_value": 0, "max_value": 1},
        [(1, 0.0, None, None), (2, 1.0, None, None), (3, None, None, None)],
        [(1, 0.0, None, None), (2, 1.01, None, None), (3, -0.5, None, None)],
    ),
    (
        "expect_column_values_to_be_between",
        {"column": "a", "max_value": 0.05, "strict_max": True},
        [(1, 0.049, None, None)],
        [(1, 0.05, None, None)],
    ),
    (
        "expect_column_values_to_be_in_set",
        {"column": "t", "value_set": ["open", "closed"]},
        [(1, 1.0, 1.0, "open"), (2, 1.0, 1.0, None)],
        [(1, 1.0, 1.0, "open"), (2, 1.0, 1.0, "Open")],
    ),
    (
        "expect_column_values_to_not_be_in_set",
        {"column": "t", "value_set": ["unknown"], "mostly": 0.5},
        [(1, 1.0, 1.0, "CA"), (2, 1.0, 1.0, "unknown")],
        [(1, 1.0, 1.0, "CA"), (2, 1.0, 1.0, "unknown"), (3, 1.0, 1.0, "unknown")],
    ),
    (
        "expect_column_values_to_match_regex",
        {"column": "t", "regex": "part-[0-9]{4}[.]parquet"},
        [(1, 1.0, 1.0, "part-0001.parquet")],
        [(1, 1.0, 1.0, "part-0001.parquet"), (2, 1.0, 1.0, "rows.parquet")],
    ),
    (
        "expect_column_pair_values_to_be_equal",
        {"column_A": "a", "column_B": "b"},
        [(1, 1.0, 1.0, None), (2, 2.0, 2.0, None)],
        [(1, 1.0, 1.0, None), (2, 2.0, 3.0, None)],
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "a", "column_B": "b", "or_equal": True},
        [(1, 1.0, 1.0, None), (2, 2.0, 1.0, None)],
        [(1, 1.0, 1.0, None), (2, 1.0, 2.0, None)],
    ),
    (
        "expect_column_pair_values_a_to_be_greater_than_b",
        {"column_A": "a", "column_B": "b", "ignore_row_if": "either_value_is_missing"},
        [(1, 2.0, 1.0, None), (2, None, 1.0, None), (3, 1.0, None, None)],
        [(1, 1.0, 1.0, None), (2, None, 1.0, None)],
    ),
]
QUERY = (
    "unexpected_rows_expectation",
    {"unexpected_rows_query": "select id, a from {batch} where a > b order by id"},
    [(1, 1.0, 1.0, None)],
    [(1, 1.0, 1.0, None), (2, 3.0, 1.0, None)],
)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("create table m__rows (id bigint, a double, b double, t varchar)")
        yield connection


def decided(
    connection: duckdb.DuckDBPyConnection,
    rows: Rows,
    *expectations: Expectation,
    subject: str = "rows",
    **batch: Any,
) -> list[Outcome]:
    """What came of expectations on a small table."""
    if rows:
        connection.executemany("insert into m__rows values (?, ?, ?, ?)", rows)
    expected = batch.pop("expected_rows", len(rows))
    one = Batch("m", subject, "m__rows", expectations, expected, ("id",), **batch)
    (validated,) = validate(connection, [one])
    return list(validated.outcomes)


def expectation(kind: str, arguments: dict[str, Any]) -> Expectation:
    return Expectation(kind, arguments, "critical", "A test.", "here")


def on_pandas(kind: str, arguments: dict[str, Any], rows: Rows) -> bool:
    """What Great Expectations says of the same rows in a pandas frame."""
    from medallion.gates.gx.engine import load_great_expectations

    gx = load_great_expectations()
    import pandas as pd

    frame = pd.DataFrame(rows, columns=["id", "a", "b", "t"]).astype({"a": float, "b": float})
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("m")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    name = "".join(part.capitalize() for part in kind.split("_"))
    # GX: its own spelling of the pair expectation.
    name = name.replace("ValuesAToBe", "ValuesAToBe").replace("ThanB", "ThanB")
    return bool(batch.validate(getattr(gx.expectations, name)(**arguments)).success)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "arguments", "good", "bad"), CASES)
def test_it_holds_or_fails_as_on_pandas(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    arguments: dict[str, Any],
    good: Rows,
    bad: Rows,
) -> None:
    for rows, holds in ((good, True), (bad, False)):
        connection.execute("truncate m__rows")
        whole, outcome = decided(connection, rows, expectation(kind, arguments))
        assert whole.success
        assert outcome.success is holds
        assert on_pandas(kind, arguments, rows) is holds


def test_a_query_that_finds_rows_fails_and_shows_them(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    kind, arguments, good, bad = QUERY
    assert decided(connection, good, expectation(kind, arguments))[1].success
    connection.execute("truncate m__rows")
    outcome = decided(connection, bad, expectation(kind, arguments))[1]
    assert not outcome.success
    assert outcome.observed == "1 rows"
    assert outcome.examples == ({"id": 2, "a": 3.0},)


def test_every_kind_in_use_is_tried_here(spec: Spec) -> None:
    suites = load_suites(FOLDER, spec, MODELS)
    used = {
        one.kind
        for tables in suites.suites.values()
        for suite in tables.values()
        for expectations in suite.subjects.values()
        for one in expectations
    }
    assert used == {case[0] for case in CASES} | {QUERY[0]}


def test_a_failure_counts_and_names_a_few_rows(connection: duckdb.DuckDBPyConnection) -> None:
    rows: Rows = [(n, float(n), None, None) for n in range(20)]
    at_most = expectation("expect_column_values_to_be_between", {"column": "a", "max_value": 9})
    outcome = decided(connection, rows, at_most)[1]
    assert outcome.observed == "10 of 20 rows"
    assert len(outcome.examples) == 5
    assert {row["id"] for row in outcome.examples} <= set(range(10, 20))


def test_personal_values_are_not_repeated(connection: duckdb.DuckDBPyConnection) -> None:
    rows: Rows = [(1, 1.0, 1.0, "ada@example.com")]
    hidden = frozenset({"t"})
    of_column = expectation("expect_column_values_to_be_null", {"column": "t"})
    of_query = expectation(
        "unexpected_rows_expectation", {"unexpected_rows_query": "select id, t from {batch}"}
    )
    outcomes = decided(connection, rows, of_column, of_query, hidden=hidden)
    assert [outcome.success for outcome in outcomes] == [True, False, False]
    assert "ada@" not in str([(one.observed, one.examples, one.raw) for one in outcomes])
    assert outcomes[2].examples == ({"id": 1, "t": "(hidden)"},)


@pytest.mark.parametrize(
    "query",
    [
        "select id, t as x from {batch}",
        "select id, T from {batch}",
        "select id, lower(t) from {batch}",
        "select id, lower(t) as id_too from {batch}",
        "select * rename (t as x) from {batch}",
        "select * replace (t as id) from {batch}",
        "select columns('t') as x from {batch}",
        "select x from {batch} as renamed (w, x, y, z) cross join {batch} as other",
        "select * from {batch} as renamed (w, x, y, z)",
        "with found as (select t as x from {batch}) select * from found",
        "select x from (select t as x from {batch})",
        "select 'none' as x where false union all select t from {batch}",
        "select whole from {batch} as whole",
        "select to_json(whole) as x from {batch} as whole",
        "select {{'x': t}} as y from {batch}",
        "select (select max(t) from {batch}) as x",
        "from {batch}",
    ],
)
def test_personal_values_are_hidden_wherever_a_query_puts_them(
    connection: duckdb.DuckDBPyConnection, query: str
) -> None:
    rows: Rows = [(1, 1.0, 1.0, "ada@example.com")]
    of_query = expectation("unexpected_rows_expectation", {"unexpected_rows_query": query})
    outcome = decided(connection, rows, of_query, hidden=frozenset({"t"}))[1]
    assert not outcome.success
    assert outcome.observed == "1 rows"
    assert "(hidden)" in str(outcome.examples)
    assert "ada@" not in str([outcome.observed, outcome.examples, outcome.raw])


@pytest.mark.parametrize(
    "query",
    [
        "select id, a + 1 as more from {batch} where t is not null",
        "select count(*) as rows, max(a) as a from (select id, a from {batch})",
        "select * exclude (t) from {batch}",
    ],
)
def test_a_query_that_returns_nothing_personal_is_shown(
    connection: duckdb.DuckDBPyConnection, query: str
) -> None:
    of_query = expectation("unexpected_rows_expectation", {"unexpected_rows_query": query})
    outcome = decided(connection, [(1, 1.0, 1.0, "a")], of_query, hidden=frozenset({"t"}))[1]
    assert outcome.examples
    assert "(hidden)" not in str(outcome.examples)


class TestAGateIsNotPassedByAccident:
    def test_an_expectation_that_cannot_be_evaluated_has_failed(
        self, connection: duckdb.DuckDBPyConnection
    ) -> None:
        unknown = expectation("expect_column_values_to_not_be_null", {"column": "nowhere"})
        broken = expectation(
            "unexpected_rows_expectation", {"unexpected_rows_query": "select no from {batch}"}
        )
        fine = expectation("expect_column_values_to_not_be_null", {"column": "id"})
        outcomes = decided(connection, [(1, 1.0, 1.0, None)], unknown, broken, fine)[1:]
        assert [outcome.success for outcome in outcomes] == [False, False, True]
        assert all("could not be evaluated" in one.observed for one in outcomes[:2])
        assert "nowhere" in outcomes[0].observed
        assert all(one.raw["exception_info"]["raised_exception"] for one in outcomes[:2])

    def test_a_relation_that_lost_its_rows_has_failed(
        self, connection: duckdb.DuckDBPyConnection
    ) -> None:
        present = expectation("expect_column_values_to_not_be_null", {"column": "id"})
        whole, vacuous = decided(connection, [], present, expected_rows=3)
        assert vacuous.success
        assert not whole.success
        assert (whole.observed, whole.expectation.says) == ("0 rows", "3 rows")

    def test_an_expectation_without_a_result_has_failed(
        self, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from medallion.gates.gx.engine import load_great_expectations

        load_great_expectations()
        from great_expectations.validator.validator import Validator

        monkeypatch.setattr(Validator, "graph_validate", lambda *_, **__: [])
        present = expectation("expect_column_values_to_not_be_null", {"column": "id"})
        outcome = decided(connection, [(1, 1.0, 1.0, None)], present)[1]
        assert not outcome.success
        assert "gave no result" in outcome.observed
