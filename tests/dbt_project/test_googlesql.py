"""Whatever dbt says to BigQuery about Gold is GoogleSQL, as Google's own analyzer reads it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from medallion.gates.declared import load_gold_models
from medallion.spec.types import SILVER
from tests.conftest import PROJECT
from tests.dbt_project.analysed_bigquery import DAYS, LISTED
from tests.dbt_project.googlesql import GoogleSql, RefusedError

MODELS = PROJECT / "dbt" / "models" / "gold"
MARTS = sorted(path.stem for path in MODELS.glob("*.sql"))


@pytest.mark.parametrize("mart", [*MARTS, ""], ids=lambda mart: mart or "several marts")
def test_a_mart_its_contract_and_its_tests_are_googlesql(built: dict[str, Any], mart: str) -> None:
    results = [result for result in built["results"] if result["mart"] == mart]
    nodes = {result["name"] for result in results}
    said = [one for one in built["said"] if one["node"] in nodes]
    assert {one["node"] for one in said} == nodes
    assert [(one["sql"], one["refusal"]) for one in said if one["refusal"]] == []
    assert {result["status"] for result in results} <= {"success", "pass"}, results


def test_no_other_statement_is_refused(built: dict[str, Any]) -> None:
    assert [one for one in built["said"] if one["refusal"]] == []
    assert len(built["said"]) > len(built["results"]) > len(MARTS)


def test_days_are_replaced_by_their_literal_dates(built: dict[str, Any]) -> None:
    dates = ", ".join(f"date '{day}'" for day in DAYS)
    assert [one for one in built["said_of_days"] if one["refusal"]] == []
    merges = {
        one["node"]: one["sql"] for one in built["said_of_days"] if "merge into" in one["sql"]
    }
    assert merges.keys() == {name for name, mart in LISTED.items() if mart.days}
    for sql in merges.values():
        replaced = re.search(
            r"when not matched by source\s+and (.*?)\s+then delete", sql, re.DOTALL
        )
        assert replaced
        assert f"in ( {dates} )" in " ".join(replaced[1].split())
        # Days that are found out only while it runs would not clear one that came out empty.
        assert "declare" not in sql.lower()


def test_a_mart_reads_only_the_days_of_the_plan(built: dict[str, Any]) -> None:
    for name, planned in LISTED.items():
        sql = built["compiled"]["listed"]["bigquery"][name]
        for days in planned.reads.values():
            assert ", ".join(f"date '{day}'" for day in days) in sql
        assert "is not null)" not in sql


def test_tables_and_columns_are_described(built: dict[str, Any]) -> None:
    described = built["descriptions"]
    assert {name.rpartition(".")[2] for name in described} == set(MARTS)
    assert all(told[""] for told in described.values())
    assert described["shop.gold.dim_dates"]["day_of_week"] == "1 is Monday."


@pytest.mark.parametrize("mart", MARTS)
def test_a_table_has_the_types_of_the_spec(built: dict[str, Any], mart: str) -> None:
    of_duckdb = {kind.duckdb: kind.bigquery for kind in SILVER.values()}
    declared = load_gold_models(str(MODELS))[mart].columns
    wanted = {name: of_duckdb[kind] for name, kind in declared.items()}
    assert built["tables"][f"shop.gold.{mart}"] == wanted


def test_no_type_has_parameters_and_every_name_is_quoted_by_its_parts(
    built: dict[str, Any],
) -> None:
    parameters = re.compile(r"\b(numeric|bignumeric|decimal|string)\s*\(\s*\d", re.IGNORECASE)
    together = re.compile(r"`[\w-]+\.[\w.-]+`")
    for one in built["said"]:
        assert not parameters.search(one["sql"]), one["sql"]
        assert not together.search(one["sql"]), one["sql"]


@pytest.mark.parametrize(
    "sql",
    [
        "select 1::int64",
        "select cast('1' as varchar)",
        "select cast(1 as double)",
        "select cast(1 as bigint)",
        "select cast(1 as decimal(18, 2))",
        "select cast(1 as decimal(38, 18))",
        "select list_value(1, 2)",
        "select strftime(date '2025-10-01', '%Y')",
        "select 'a' ilike 'A'",
        "select date '2025-10-01' + interval '1 day'",
        "select unnest([1, 2])",
        "select * exclude (a) from (select 1 as a, 2 as b)",
        "select regexp_full_match('a', 'a')",
        "select 7 // 2",
        "select sum(x) filter (where x > 1) from unnest([1, 2]) as x",
        "select isodow from unnest([extract(isodow from date '2025-10-01')]) as isodow",
        "from (select 1 as a) select a, count(*) group by all having",
        'select "a" from (select 1 as a) where "a" = 1',
        "select 1 as rows",
        "select 1 qualify true",
        "select * from generate_series(1, 3)",
    ],
)
def test_what_only_duckdb_understands_is_refused(sql: str) -> None:
    with pytest.raises(RefusedError):
        GoogleSql().analyse(sql)


def test_a_column_that_is_not_there_is_refused() -> None:
    sql = GoogleSql({"shop.gold.fct_orders": {"order_id": "STRING"}})
    assert sql.analyse("select order_id from `shop`.`gold`.`fct_orders`").columns == {
        "order_id": "STRING"
    }
    with pytest.raises(RefusedError, match="Unrecognized name: order"):
        sql.analyse("select orders from `shop`.`gold`.`fct_orders`")
    with pytest.raises(RefusedError, match="Table not found"):
        sql.analyse("select order_id from `shop`.`gold`.`fct_order`")


def test_a_query_is_computed_as_google_would() -> None:
    found = GoogleSql().rows("select round(2.5) as up, round(-2.5) as down, mod(-7, 3) as rest")
    assert found == [{"up": 3.0, "down": -3.0, "rest": -1}]
