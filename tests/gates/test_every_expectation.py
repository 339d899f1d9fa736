"""Every expectation of Great Expectations gives a verdict, or is refused when it is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from medallion.gates.batch import Batch, Validated
from medallion.gates.decision import line
from medallion.gates.expectation import Expectation
from medallion.gates.gx import vocabulary
from medallion.gates.gx.applicability import unusable
from medallion.gates.gx.binding import Relations
from medallion.gates.gx.validating import validate
from medallion.gates.result import Due, failure_of, result_of

TYPES = {
    "id": "bigint", "i": "bigint", "x": "double", "nan": "double", "m": "decimal(18, 2)",
    "h": "hugeint", "t": "varchar", "nothing": "varchar", "b": "boolean", "d": "date",
    "ts": "timestamp",
}  # fmt: skip
ROWS: list[tuple[Any, ...]] = [
    (1, 1, 1.5, float("nan"), 1.25, 10, "a", None, True, "2025-01-01", "2025-01-01 10:00:00"),
    (2, 2, 2.5, 1.0, 2.5, 20, "b", None, False, "2025-01-02", "2025-01-02 10:00:00"),
    (3, None, None, None, None, None, None, None, None, None, None),
    (4, 4, 400.5, 2.0, 9.99, 30, "dddd", None, True, "2025-02-01", "2025-02-01 10:00:00"),
]
VALUES: dict[str, list[Any]] = {
    "number": [1, 2], "text": ["a", "NO"], "bool": [True],
    "date": ["2025-01-01"], "timestamp": ["2025-01-01T10:00:00"],
}  # fmt: skip
QUANTILES = {"quantiles": [0.1, 0.5], "value_ranges": [[0, 1], [None, 3]]}
# How each is written; a column, where one is needed, is added.
WRITTEN: dict[str, list[dict[str, Any]]] = {
    "expect_column_kl_divergence_to_be_less_than": [
        {"partition_object": {"values": ["a", "b"], "weights": [0.5, 0.5]}, "threshold": 0.1},
        {"partition_object": {"bins": [0, 2, 500], "weights": [0.5, 0.5]}, "threshold": 0.1},
    ],
    "expect_column_pair_values_to_be_in_set": [{"value_pairs_set": [[1, 1], [2, 2]]}],
    "expect_column_quantile_values_to_be_between": [{"quantile_ranges": QUANTILES}],
    "expect_column_to_exist": [{}, {"column_index": 0}],
    "expect_column_type_to_be": [{"type_": "BIGINT"}],
    "expect_column_values_to_be_of_type": [{"type_": "BIGINT"}],
    "expect_column_values_to_be_in_type_list": [{"type_list": ["BIGINT"]}],
    "expect_column_value_lengths_to_equal": [{"value": 1}],
    "expect_column_value_z_scores_to_be_less_than": [
        {"threshold": 3, "double_sided": True}, {"threshold": 0.1, "double_sided": False},
    ],
    "expect_column_values_to_match_strftime_format": [{"strftime_format": "%Y"}],
    "expect_column_values_to_not_be_outliers": [{}, {"method": "std", "multiplier": 1}],
    "expect_multicolumn_sum_to_equal": [{"sum_total": 2}],
    "expect_query_results_to_match_comparison": [
        {"base_query": "select 1", "comparison_data_source_name": "x",
         "comparison_query": "select 1"},
    ],
    "expect_table_column_count_to_equal": [{"value": len(TYPES)}, {"value": 1}],
    "expect_table_row_count_to_equal": [{"value": 4}, {"value": 0}],
    "expect_table_row_count_to_equal_other_table": [{"other_table_name": "m__rows"}],
    "expect_table_columns_to_match_ordered_list": [
        {"column_list": list(TYPES)}, {"column_list": ["id"]},
    ],
    "expect_table_columns_to_match_set": [{"column_set": list(TYPES)}, {"column_set": ["id"]}],
    "unexpected_rows_expectation": [
        {"unexpected_rows_query": "select id, t from {batch}"},
        {"unexpected_rows_query": "select id from {batch} where false"},
    ],
}  # fmt: skip
# By an argument's name, for all the others.
BY_ARGUMENT: dict[str, list[Any]] = {
    "min_value": [0, 10**6, "2025-01-02", "2025-01-02T00:00:00"],
    "regex": ["^a", "."], "regex_list": [["^a", "b"]],
    "like_pattern": ["%a%"], "like_pattern_list": [["%a%", "z"]],
}  # fmt: skip


def written(kind: str, column: str, held: str) -> list[dict[str, Any]]:
    """Ways to write an expectation about a column, which hold or fail."""
    taken = vocabulary.arguments_of(kind)
    base: dict[str, Any] = {}
    if "column" in taken:
        base["column"] = column
    if "column_A" in taken:
        base |= {"column_A": column, "column_B": "i"}
    if "column_list" in taken and kind not in WRITTEN:
        base["column_list"] = [column, "id"]
    if kind == "expect_multicolumn_sum_to_equal":
        base["column_list"] = [column, "id"]
    if kind in WRITTEN:
        return [base | more for more in WRITTEN[kind]]
    if "value_set" in taken:
        return [base | {"value_set": VALUES[held]}]
    for name, values in BY_ARGUMENT.items():
        if name in taken:
            return [base | {name: value} for value in values]
    return [base]


def cases(kind: str) -> Iterator[dict[str, Any]]:
    """Each way once, of every type of column."""
    from medallion.gates.gx.applicability import class_of

    seen: list[dict[str, Any]] = []
    for column, duckdb_type in TYPES.items():
        for arguments in written(kind, column, class_of(duckdb_type)):
            if arguments not in seen:
                seen.append(arguments)
                yield arguments


def quantiles(of: list[float], ranges: list[list[float]]) -> dict[str, Any]:
    return {"quantile_ranges": {"quantiles": of, "value_ranges": ranges}}


def distribution(column: str, expected: dict[str, Any]) -> dict[str, Any]:
    return {"column": column, "partition_object": expected}


def problems(kind: str, arguments: dict[str, Any]) -> list[str]:
    return list(vocabulary.problems(kind, arguments)) or list(
        unusable(kind, arguments, TYPES, Relations({}))
    )


@pytest.fixture(scope="module", params=["rows", "empty", "nulls"])
def table(request: pytest.FixtureRequest) -> Iterator[tuple[duckdb.DuckDBPyConnection, int]]:
    """A table with a column of every type: with rows, without, and of nulls alone."""
    nulls = [(n, *[None] * (len(TYPES) - 1)) for n in range(3)]
    rows = {"rows": ROWS, "empty": [], "nulls": nulls}[request.param]
    with duckdb.connect() as connection:
        fields = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
        connection.execute(f"create table m__rows ({fields})")
        if rows:
            marks = ", ".join("?" for _ in TYPES)
            connection.executemany(f"insert into m__rows values ({marks})", rows)
        yield connection, len(rows)


def looked_at(
    connection: duckdb.DuckDBPyConnection, count: int, expectations: list[Expectation]
) -> Validated:
    batch = Batch("m", "rows", "m__rows", tuple(expectations), count, ("id",))
    (validated,) = validate(connection, [batch])
    return validated


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", vocabulary.kinds())
def test_it_gives_a_verdict_or_is_refused_with_what_to_write_instead(
    table: tuple[duckdb.DuckDBPyConnection, int], kind: str
) -> None:
    connection, count = table
    usable = []
    for arguments in cases(kind):
        refused = problems(kind, arguments)
        assert all(kind in problem for problem in refused)
        if not refused:
            usable.append(Expectation(kind, arguments, "warning", "A test.", "here"))
    if not usable:
        return
    validated = looked_at(connection, count, usable)
    result = result_of("base_silver", "warn", [Due("m", "", {"d": "x"})], [validated])
    json.dumps(result.as_json(), allow_nan=False)
    for outcome in validated.outcomes[1:]:
        if not outcome.success:
            assert line(failure_of("base_silver", outcome))
        # What only the rows can tell is a failure that nobody overlooks.
        unclear = "could not be evaluated" in outcome.observed
        assert not unclear or outcome.expectation.severity == "critical"
        assert not unclear or kind in MAY_BE_UNDECIDED, (outcome.observed, outcome.expectation)


# Statistics of no values are no numbers, and Great Expectations does not say so itself.
MAY_BE_UNDECIDED = {
    "expect_column_kl_divergence_to_be_less_than", "expect_column_values_to_not_be_outliers",
    "expect_column_value_z_scores_to_be_less_than", "expect_column_quantile_values_to_be_between",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_a_kind_that_great_expectations_knows_is_in_its_description() -> None:
    from medallion.gates.gx.engine import load_great_expectations

    load_great_expectations()
    import great_expectations.expectations.core  # noqa: F401
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    known = {kind for kind in list_registered_expectation_implementations() if "_" in kind}
    described = set(vocabulary.kinds())
    refused = {kind for kind in known - described if problems(kind, {"column": "t"})}
    assert known <= described | refused


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        ("expect_column_values_to_match_regex", {"column": "m", "regex": "1"}, "not text"),
        ("expect_column_values_to_match_regex", {"column": "t", "regex": "("}, "no regular"),
        ("expect_column_mean_to_be_between", {"column": "d", "min_value": 1}, "not numbers"),
        ("expect_column_values_to_be_between", {"column": "m"}, "give min_value, max_value"),
        ("expect_column_values_to_be_between", {"column": "d", "min_value": 1}, "a date such as"),
        ("expect_column_max_to_be_between", {"column": "i", "min_value": "2025-01-01"}, "a number"),
        ("expect_column_values_to_be_in_set", {"column": "t", "value_set": [1]}, "in quotes"),
        ("expect_column_values_to_be_in_set", {"column": "b", "value_set": ["on"]}, "true or fal"),
        ("expect_column_values_to_be_json_parseable", {"column": "t"}, "pandas only"),
        ("expect_column_type_to_be", {"column": "i", "type_": "INT"}, "schema_differences"),
        ("expect_column_pair_values_to_be_equal", {"column_A": "t", "column_B": "i"}, "different"),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "selec"}, "no SQL"),
        ("unexpected_rows_expectation", {"unexpected_rows_query": "drop table x"}, "one query"),
        (
            "unexpected_rows_expectation",
            {"unexpected_rows_query": "select * from {batch} where t ~ '[0-9]{3}'"},
            "double them",
        ),
        (
            "expect_column_max_to_be_between",
            {"column": "i", "max_value": 10**400},
            "at most 38 digits",
        ),
        (
            "expect_column_values_to_not_match_like_pattern",
            {"column": "t", "like_pattern": r"50\%"},
            "LIKE knows no escape in DuckDB",
        ),
        ("expect_column_values_to_be_unique", {"column": "t", "meta": {}}, "no argument 'meta'"),
        ("expect_column_values_to_be_unique", {"column": "t", "mostly": 1.5}, "mostly"),
        (
            "expect_column_values_to_be_unique",
            {"column": "t", "row_condition": "i > 1", "condition_parser": "pandas"},
            "write great_expectations",
        ),
        (
            "expect_column_values_to_be_unique",
            {"column": "t", "row_condition": "i > 1", "condition_parser": "great_expectations"},
            "names no column",
        ),
        (
            "expect_table_row_count_to_equal",
            {
                "value": 1,
                "row_condition": 'col("zz") > 1',
                "condition_parser": "great_expectations",
            },
            "there is no column 'zz'",
        ),
        (
            "expect_column_values_to_be_in_set",
            {"column": "t", "value_set": {"$PARAMETER": "x"}},
            "write the value itself",
        ),
        *(
            ("unexpected_rows_expectation", {"unexpected_rows_query": query}, said)
            for query, said in (
                ("select * from {batch} where t ~ '(?:a|b)'", "in place of (?: in a pattern"),
                ("select * from {batch} where t = ':x'", ":x is taken for a parameter"),
                ("select * from {batch} order by id -- newest last", "its last line is a comment"),
                ("select nowhere from {batch}", 'Referenced column "nowhere" not found'),
                ("select id + t as both from {batch} where d > 5", "Cannot compare values"),
                ("select id from base_silver.orders", "here a query can name {batch} alone"),
                ("select id, ts - ts as age from {batch}", "age is of type interval; cast"),
            )
        ),
        *(
            ("expect_column_values_to_be_between", {"column": column, **bounds}, "nothing between")
            for column, bounds in (
                ("i", {"min_value": 5, "max_value": 1}),
                ("x", {"min_value": 1.5, "max_value": 1.5, "strict_min": True}),
                ("d", {"min_value": "2025-02-01", "max_value": "2025-01-31"}),
                ("ts", {"min_value": "2025-02-01T00:00:00", "max_value": "2025-01-31"}),
            )
        ),
        (
            "expect_column_value_lengths_to_be_between",
            {"column": "t", "min_value": 5, "max_value": 1},
            "nothing between",
        ),
        *(
            ("expect_column_quantile_values_to_be_between", {"column": "x", **ranges}, said)
            for ranges, said in (
                (quantiles([2], [[2, 3]]), "between 0 and 1"),
                (quantiles([0.5, 0.9], [[2, 3]]), "each of quantiles"),
                (quantiles([0.5], [[3, 2]]), "write [least, greatest]"),
            )
        ),
        *(
            ("expect_column_kl_divergence_to_be_less_than", {"threshold": 1, **given}, said)
            for given, said in (
                (
                    distribution("t", {"values": ["a", "b"], "weights": [0.5, 0.6]}),
                    "their sum is 1",
                ),
                (
                    distribution("t", {"values": ["a", "b"], "weights": [1.5, -0.5]}),
                    "none is negative",
                ),
                (
                    distribution("t", {"values": ["a", "b"], "weights": [1]}),
                    "1 weights for 2 values",
                ),
                (distribution("x", {"bins": [1, 0], "weights": [1]}), "from the least"),
                (distribution("x", {"bins": [0, 1, 2], "weights": [1]}), "1 weights for 2 bins"),
                (distribution("x", {}), "give weights"),
                (
                    distribution("t", {"values": ["a"], "weights": [1]})
                    | {"internal_weight_holdout": 0.1},
                    "only bins have",
                ),
            )
        ),
        ("expect_compound_columns_to_be_unique", {"column_list": ["t"]}, "at least two"),
        ("expect_multicolumn_sum_to_equal", {"column_list": ["i"], "sum_total": 1}, "at least two"),
        (
            "expect_column_pair_values_to_be_in_set",
            {"column_A": "t", "column_B": "b", "value_pairs_set": []},
            "it is empty",
        ),
        *(
            (
                "expect_column_values_to_be_unique",
                {
                    "column": "t",
                    "row_condition": condition,
                    "condition_parser": "great_expectations",
                },
                "row_condition: ",
            )
            for condition in (
                'col("b") == True',
                'col("t") == "it\'s"',
                'col("i") > 1 and col("x") > 2',
                "col('i') > 1",
                'col("i") > ',
            )
        ),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(
    kind: str, arguments: dict[str, Any], said: str
) -> None:
    assert said in " ".join(problems(kind, arguments))


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (
            "unexpected_rows_expectation",
            {
                "unexpected_rows_query": "select id -- the key\n"
                "from {batch} /* all */ where id > 3;\n"
            },
        ),
        (
            "unexpected_rows_expectation",
            {
                "unexpected_rows_query": "select id::varchar from {batch}"
                " where ts > '2025-01-31 10:00:00'"
            },
        ),
        *(
            (
                "expect_column_values_to_be_between",
                {
                    "column": "id",
                    "max_value": 3,
                    "row_condition": condition,
                    "condition_parser": "great_expectations",
                },
            )
            for condition in (
                'col("t").notNull()',
                'col("t") == "dddd"',
                'col("x") >= -1.5e0',
                "col(\"t\") != 'é (x)'",
                'col("d") > date("2025-01-31")',
            )
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_looks_alike_and_works_is_read_and_gives_its_verdict(
    kind: str, arguments: dict[str, Any]
) -> None:
    assert problems(kind, arguments) == []
    with duckdb.connect() as connection:
        columns = ", ".join(f"{name} {held}" for name, held in TYPES.items())
        connection.execute(f"create table m__rows ({columns})")
        marks = ", ".join("?" * len(TYPES))
        connection.executemany(f"insert into m__rows values ({marks})", ROWS)
        one = Expectation(kind, arguments, "warning", "A note.", "here")
        outcome = looked_at(connection, len(ROWS), [one]).outcomes[1]
    assert not outcome.success
    assert "could not be evaluated" not in outcome.observed


@pytest.mark.filterwarnings("ignore")
def test_a_broken_query_is_critical_whatever_its_severity(
    table: tuple[duckdb.DuckDBPyConnection, int],
) -> None:
    query = {"unexpected_rows_query": "select nowhere from {batch}"}
    broken = Expectation("unexpected_rows_expectation", query, "info", "A test.", "here")
    outcome = looked_at(*table, [broken]).outcomes[1]
    assert not outcome.success
    assert outcome.expectation.severity == "critical"
    assert "nowhere" in outcome.observed


@pytest.mark.filterwarnings("ignore")
def test_one_that_raises_takes_no_other_with_it(
    table: tuple[duckdb.DuckDBPyConnection, int],
) -> None:
    # Great Expectations raises when it is made, before it catches anything.
    wrong = Expectation("expect_column_values_to_be_between", {"column": "i"}, "info", "N.", "here")
    fine = Expectation("expect_column_to_exist", {"column": "i"}, "info", "N.", "here")
    first, second = looked_at(*table, [wrong, fine]).outcomes[1:]
    assert "could not be evaluated" in first.observed
    assert second.success
