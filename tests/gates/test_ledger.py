"""A verdict stands as long as the data and the suite are the same, and no longer."""

from __future__ import annotations

from typing import Any

import pytest

from medallion.gates.expectation import Expectation
from medallion.gates.gate import Due
from medallion.gates.ledger import due_tables, standing_failures, updated
from medallion.gates.suites import Suite

FAILURE = {"table": "orders", "severity": "critical", "observed": "7"}


def suite(column: str = "order_id") -> dict[str, Suite]:
    arguments = {"column": column}
    kind = "expect_column_values_to_not_be_null"
    expectation = Expectation(kind, arguments, "critical", "A key.", "here")
    return {"orders": Suite("base_silver", "orders", {"rows": (expectation,)})}


def partitions(**content: str) -> dict[str, dict[str, str]]:
    return {"orders": content}


def after(
    standing: dict[str, dict[str, str]], *failures: dict[str, Any], ledger: Any = None
) -> dict[str, Any]:
    """The ledger after everything that stands was validated."""
    due = due_tables(ledger or {}, suite(), standing)
    return updated(ledger or {}, due, standing, failures)


def test_everything_is_due_at_first_and_nothing_afterwards() -> None:
    standing = partitions(a="1", b="2")
    (due,) = due_tables({}, suite(), standing)
    assert due.partitions == {"a": "1", "b": "2"}
    assert due_tables(after(standing), suite(), standing) == []


def test_only_new_and_changed_partitions_are_due() -> None:
    ledger = after(partitions(a="1", b="2"))
    (due,) = due_tables(ledger, suite(), partitions(a="1", b="3", c="4"))
    assert due.partitions == {"b": "3", "c": "4"}


def test_a_changed_suite_makes_all_of_a_table_due() -> None:
    standing = partitions(a="1", b="2")
    (due,) = due_tables(after(standing), suite("customer_id"), standing)
    assert due.partitions == {"a": "1", "b": "2"}


def test_a_failure_stands_until_its_partitions_change() -> None:
    standing = partitions(a="1", b="2")
    ledger = after(standing, FAILURE)
    assert due_tables(ledger, suite(), standing) == []
    (kept,) = standing_failures(ledger, [])
    assert kept["observed"] == "7"


def test_one_changed_partition_has_all_those_looked_at_again_that_failed_together() -> None:
    ledger = after(partitions(a="1", b="2", c="3"), FAILURE)
    now = partitions(a="1", b="9", c="3")
    (due,) = due_tables(ledger, suite(), now)
    assert due.partitions == {"a": "1", "b": "9", "c": "3"}
    assert standing_failures(ledger, [due]) == []


def test_what_failed_stays_failed_while_others_are_added() -> None:
    ledger = after(partitions(a="1"), FAILURE)
    now = partitions(a="1", b="2")
    due = due_tables(ledger, suite(), now)
    assert [dict(one.partitions) for one in due] == [{"b": "2"}]
    later = updated(ledger, due, now, [])
    assert [failure["partitions"] for failure in later["orders"]["failures"]] == [{"a": "1"}]


def test_a_partition_that_is_gone_is_forgotten_and_its_companions_are_looked_at() -> None:
    ledger = after(partitions(a="1", b="2"), FAILURE)
    (due,) = due_tables(ledger, suite(), partitions(b="2"))
    assert due.partitions == {"b": "2"}


@pytest.mark.parametrize("severity", ["info"])
def test_what_is_only_recorded_does_not_stand(severity: str) -> None:
    ledger = after(partitions(a="1"), {**FAILURE, "severity": severity})
    assert standing_failures(ledger, []) == []


def test_a_table_without_partitions_is_not_due() -> None:
    assert due_tables({}, suite(), partitions()) == []
    assert updated({}, [Due("orders", "s", {})], partitions(), []) != {}
