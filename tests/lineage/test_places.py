"""How datasets are named, which columns they promise, and what gates say of them."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from medallion.gates.expectation import Severity
from medallion.gates.result import Failure, finding
from medallion.runs.lineage.assertions import assertions_of, of_table
from medallion.runs.lineage.places import Place, columns_of, place_of
from medallion.spec import Spec
from medallion.storage.layout import Layout

LAYOUT = Layout.below("/lake/data")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/lake/data/silver/base/orders", Place("file", "silver/base/orders")),
        ("/elsewhere/bronze/orders", Place("file", "/elsewhere/bronze/orders")),
        ("gs://shop-dev/silver/base/orders", Place("gs://shop-dev", "silver/base/orders")),
    ],
)
def test_a_dataset_is_named_by_where_it_lies(path: str, place: Place) -> None:
    assert place_of(SimpleNamespace(place=path), LAYOUT) == place


def test_what_is_only_in_memory_has_no_place() -> None:
    assert place_of(SimpleNamespace(), LAYOUT) is None


@pytest.mark.parametrize(
    ("dataset", "column", "last"),
    [
        ("bronze.orders", ("gross_total", "double", False), "ingest_dt"),
        ("base_silver.orders", ("gross_total", "money", False), "ingestion_dt"),
        ("base_silver.orders", ("email", "text", True), "ingestion_dt"),
        ("quarantine.orders", ("gross_total", "text", False), "ingestion_dt"),
        ("quarantine.customers", ("invalid_reason", "text", False), "snapshot_dt"),
        ("dims.customers_history", ("email", "text", True), "snapshot_dt"),
    ],
)
def test_columns_are_those_of_the_spec(
    spec: Spec, dataset: str, column: tuple[str, str, bool], last: str
) -> None:
    columns = columns_of(spec, dataset)
    assert column in columns
    assert columns[-1] == (last, "date", False)


def test_a_transform_has_the_columns_it_promises(spec: Spec) -> None:
    names = [name for name, _, _ in columns_of(spec, "enriched.sales_velocity")]
    assert names == list(spec.transforms["sales_velocity"].columns)


@pytest.mark.parametrize("dataset", ["gold.fct_orders", "base_silver.receipt", "run_plan"])
def test_other_datasets_promise_no_columns(spec: Spec, dataset: str) -> None:
    assert columns_of(spec, dataset) == []


def failure(table: str, name: str, severity: Severity = "warning") -> Failure:
    made = finding("base_silver", name, table, "", "the address is 12 Elm Street")
    return replace(made, severity=severity)


def test_a_failure_is_an_assertion_of_its_table_without_what_was_observed() -> None:
    (assertion,) = assertions_of([failure("orders", "required", "critical")])["orders"]
    assert (assertion.assertion, assertion.success) == ("required", False)
    assert assertion.severity == "error"
    assert "Elm" not in str(assertion)


def test_what_fails_in_several_partitions_is_one_assertion() -> None:
    failures = [failure("orders", "schema_drift"), failure("orders", "schema_drift")]
    assert len(assertions_of(failures)["orders"]) == 1


def test_what_is_only_information_is_no_assertion() -> None:
    assert assertions_of([failure("orders", "reasons", "info")]) == {}


def test_a_table_without_failures_passed_all_checks() -> None:
    found = assertions_of([failure("orders", "required")])
    assert [(a.assertion, a.success) for a in of_table(found, "returns")] == [("all_checks", True)]
    assert [a.success for a in of_table(found, "orders")] == [False, False]
