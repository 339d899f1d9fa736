"""What Gold asks BigQuery is GoogleSQL, and what it would cost is known before."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest

from medallion.dbt_project.declared import Mart
from medallion.errors import WarehouseError
from medallion.gates.declared import load_gold_models
from medallion.spec.types import SILVER
from medallion.warehouse.bigquery import statements, taking
from medallion.warehouse.bigquery.budget import Estimate, estimate, expect_affordable
from medallion.warehouse.bigquery.dbt import _reason_of
from medallion.warehouse.bigquery.failures import CallError, Kind, of_job, of_text
from medallion.warehouse.bigquery.marts import mart_shapes
from medallion.warehouse.bigquery.notes import MARTS, SHAPE, confirm, days_query, newest_query
from medallion.warehouse.bigquery.settings import DRAFTS, GOLD
from medallion.warehouse.bigquery.shapes import kinds
from medallion.warehouse.bigquery.taking import Taken
from tests.conftest import PROJECT
from tests.dbt_project.googlesql import GoogleSql
from tests.warehouse.bigquery_marts import DAILY, House

_OF_DUCKDB = {one.duckdb: one.bigquery for one in SILVER.values()}


def marts() -> dict[str, Mart]:
    """The marts of the project, as they are declared for BigQuery."""
    models = load_gold_models(str(PROJECT / "dbt" / "models" / "gold"))
    return {
        name: Mart(
            name=name,
            columns={column: _OF_DUCKDB[kind] for column, kind in model.columns.items()},
            grain=model.grain,
            reads=(),
            description='It "is" a mart.',
        )
        for name, model in models.items()
    }


def test_every_statement_is_accepted_by_googles_analyzer() -> None:
    settings = House().calls.settings
    shapes, notes = mart_shapes(marts()), settings.table(MARTS)
    by_day = {name for name, one in shapes.items() if one.partitioned_by}
    assert len(by_day) == 7
    days = ("2025-10-01", "2025-10-02")
    listed = [Taken(n, one, days if n in by_day else None) for n, one in shapes.items()]
    whole = [Taken(name, one) for name, one in shapes.items()]
    tables = {notes: kinds(SHAPE.columns)}
    for name, one in shapes.items():
        for dataset in (GOLD, DRAFTS):
            tables[settings.table(f"{dataset}.{name}")] = kinds(one.columns)
    done = confirm(notes, 7)
    asked = [
        *(statements.create_table(settings.table(one.name), one) for one in shapes.values()),
        statements.create_table(notes, SHAPE),
        newest_query(notes),
        days_query(notes),
        *(taking.take_over(settings, some, done) for some in (listed, whole)),
        *(taking.count_marts(settings, some) for some in (listed, whole)),
        taking.count_taken(settings, whole),
    ]
    analyzer = GoogleSql(tables)
    assert [analyzer.analyse(sql).kind for sql in asked]


def test_a_statement_changes_no_more_partitions_than_a_job_may() -> None:
    days = tuple(f"{2000 + n // 336}-{n % 336 // 28 + 1:02}-{n % 28 + 1:02}" for n in range(4_001))
    settings = House().calls.settings
    sql = taking.take_over(settings, [Taken("fct_daily", DAILY, days)], "select 1")
    deleted = [line for line in sql.splitlines() if line.startswith("delete")]
    assert [line.count("date ") for line in deleted] == [4_000, 1]
    assert len(sql) < 2**20


def test_a_dry_run_that_says_nothing_is_not_taken_for_free() -> None:
    calls: Any = mock.Mock(scanned={"a": 0, "b": None, "c": 2_048}.__getitem__)
    queries = {"fct_a": "a", "fct_b": "b", "fct_c": "c"}
    told = str(estimate(calls, queries, holds_rows=True))
    assert told == "to scan: 2.0 KiB, and unknown for fct_a, fct_b"
    assert str(estimate(calls, queries, holds_rows=False)).endswith("unknown for fct_b")
    assert str(estimate(calls, {"fct_b": "b"}, holds_rows=True)) == "to scan: unknown"


def test_over_the_budget_nothing_is_built_and_the_largest_is_named_first() -> None:
    found = Estimate({"fct_a": 1, "fct_b": 3 * 2**30, "fct_c": None})
    with pytest.raises(WarehouseError, match=r"3.0 GiB .* allows 2.0 GiB; nothing was") as refused:
        expect_affordable(found, 2 * 2**30)
    assert refused.value.details == ["fct_b: 3.0 GiB", "fct_a: 1 B"]
    assert "warehouse.gold_bytes" in refused.value.hint
    expect_affordable(found, 4 * 2**30)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Exceeded rate limits: too many table update operations for this table.", Kind.PASSES),
        ("Quota exceeded: Your project exceeded quota for concurrent queries.", Kind.QUOTA),
        ("503 POST https://bigquery.googleapis.com/: Visibility check failed", Kind.PASSES),
        ("Transaction is aborted due to concurrent update against table t.", Kind.PASSES),
        ("Division by zero", None),
        ("No matching signature for operator = at 503 [3:1]", None),
    ],
)
def test_what_dbt_hands_on_is_known_by_its_words(text: str, kind: Kind | None) -> None:
    found = of_text(f"Database Error in model fct_orders (models/gold/fct_orders.sql)\n  {text}")
    assert (found.kind if found else None) == kind


def test_a_disturbed_transaction_passes_and_another_invalid_query_does_not() -> None:
    disturbed = "Transaction is aborted due to concurrent update against table shop.gold.t"
    assert of_job("invalidQuery", disturbed).passes
    assert not of_job("invalidQuery", "Syntax error").passes


def test_a_model_that_is_wrong_stays_an_error_of_dbt() -> None:
    from medallion.errors import DbtError

    error = DbtError("dbt could not build all models:")
    error.texts = {"fct_a": "Exceeded rate limits: too many", "fct_b": "Division by zero"}
    assert _reason_of(error) is error
    error.texts = {"fct_a": "Exceeded rate limits: too many"}
    reason = _reason_of(error)
    assert isinstance(reason, CallError)
    assert reason.passes
