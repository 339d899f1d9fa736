"""A verdict stands as long as the data and the suite are the same, and no longer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.gates.expectation import Expectation, Severity
from medallion.gates.ledger import Ledger
from medallion.gates.reports.kept import KeptFile
from medallion.gates.result import Due, Failure, finding
from medallion.gates.suite import Suite

FAILURE = replace(finding("base_silver", "key", "orders", "", "7"), severity="critical")
NOTHING = Ledger()


def suite(column: str = "order_id") -> dict[str, Suite]:
    arguments = {"column": column}
    kind = "expect_column_values_to_not_be_null"
    expectation = Expectation(kind, arguments, "critical", "A key.", "here")
    return {"orders": Suite("base_silver", "orders", {"rows": (expectation,)})}


def partitions(**content: str) -> dict[str, dict[str, str]]:
    return {"orders": content}


def after(current: dict[str, dict[str, str]], *failures: Failure) -> Ledger:
    """The ledger after everything that there is was validated."""
    return NOTHING.updated(NOTHING.due(suite(), current), current, failures)


def test_everything_is_due_at_first_and_nothing_afterwards() -> None:
    current = partitions(a="1", b="2")
    (due,) = NOTHING.due(suite(), current)
    assert due.partitions == {"a": "1", "b": "2"}
    assert after(current).due(suite(), current) == []


def test_only_new_and_changed_partitions_are_due() -> None:
    ledger = after(partitions(a="1", b="2"))
    (due,) = ledger.due(suite(), partitions(a="1", b="3", c="4"))
    assert due.partitions == {"b": "3", "c": "4"}


def test_a_changed_suite_makes_all_of_a_table_due() -> None:
    current = partitions(a="1", b="2")
    (due,) = after(current).due(suite("customer_id"), current)
    assert due.partitions == {"a": "1", "b": "2"}


def test_a_failure_stands_until_its_partitions_change() -> None:
    current = partitions(a="1", b="2")
    ledger = after(current, FAILURE)
    assert ledger.due(suite(), current) == []
    (kept,) = ledger.kept([])
    assert kept.observed == "7"


def test_a_failure_of_what_was_not_looked_at_again_stays_once() -> None:
    current = partitions(a="1", b="2")
    ledger = after(current, FAILURE)
    assert ledger.updated([], current, [FAILURE]) == ledger


def test_one_changed_partition_has_all_those_looked_at_again_that_failed_together() -> None:
    ledger = after(partitions(a="1", b="2", c="3"), FAILURE)
    (due,) = ledger.due(suite(), partitions(a="1", b="9", c="3"))
    assert due.partitions == {"a": "1", "b": "9", "c": "3"}
    assert ledger.kept([due]) == []


def test_what_failed_stays_failed_while_others_are_added() -> None:
    ledger = after(partitions(a="1"), FAILURE)
    now = partitions(a="1", b="2")
    due = ledger.due(suite(), now)
    assert [dict(one.partitions) for one in due] == [{"b": "2"}]
    later = ledger.updated(due, now, [])
    assert [failure.partitions for failure in later.tables["orders"].failures] == [{"a": "1"}]


def test_a_partition_that_is_gone_is_forgotten_and_its_companions_are_looked_at() -> None:
    ledger = after(partitions(a="1", b="2"), FAILURE)
    (due,) = ledger.due(suite(), partitions(b="2"))
    assert due.partitions == {"b": "2"}


@pytest.mark.parametrize("severity", ["info"])
def test_what_is_only_recorded_does_not_stand(severity: Severity) -> None:
    ledger = after(partitions(a="1"), replace(FAILURE, severity=severity))
    assert ledger.kept([]) == []


def test_a_table_without_partitions_is_not_due() -> None:
    assert NOTHING.due(suite(), partitions()) == []
    assert NOTHING.updated([Due("orders", "s", {})], partitions(), []) != NOTHING


def test_a_ledger_says_the_same_after_it_was_kept_as_json() -> None:
    ledger = after(partitions(a="1", b="2"), FAILURE)
    kept = Ledger.from_json(ledger.tables_as_json(), ledger.reports_as_json())
    assert kept.tables == ledger.tables
    assert kept.is_told


@given(
    st.dictionaries(
        st.text(),
        st.none() | st.integers() | st.lists(st.text()) | st.dictionaries(st.text(), st.text()),
        min_size=1,
    )
)
def test_what_is_no_ledger_says_nothing(content: dict[str, object]) -> None:
    assert Ledger.from_json(content, {}) == NOTHING
    assert Ledger.from_json({}, content) == NOTHING


class TestReports:
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Ledger:
        (tmp_path / "SILVER_QUALITY.md").write_text("# Base Silver: passed\n", encoding="utf-8")
        return Ledger(reports={"SILVER_QUALITY.md": KeptFile.of("# Base Silver: passed\n")})

    def test_a_report_as_it_was_written_vouches_for_the_verdicts(
        self, ledger: Ledger, tmp_path: Path
    ) -> None:
        assert ledger.changed_reports(tmp_path) == []
        kept = Ledger.from_json(ledger.tables_as_json(), ledger.reports_as_json())
        assert kept.reports == ledger.reports
        assert kept.is_told

    def test_reports_of_a_state_that_was_taken_back_tell_of_other_verdicts(self) -> None:
        before, later = after(partitions(a="1")), after(partitions(a="2"), FAILURE)
        kept = Ledger.from_json(before.tables_as_json(), later.reports_as_json())
        assert kept.tables == before.tables
        assert not kept.is_told
        assert Ledger.from_json(later.tables_as_json(), later.reports_as_json()).is_told

    @pytest.mark.parametrize(
        ("content", "wrong"),
        [
            ("# Base Sil", "has 10 bytes, not 22"),
            ("# Base Silver: pASSED\n", "has another checksum"),
            ("", "has 0 bytes, not 22"),
            (None, "is not there"),
        ],
    )
    def test_one_that_was_cut_short_replaced_or_deleted_is_named(
        self, ledger: Ledger, tmp_path: Path, content: str | None, wrong: str
    ) -> None:
        file = tmp_path / "SILVER_QUALITY.md"
        file.unlink()
        if content is not None:
            file.write_text(content, encoding="utf-8")
        assert ledger.changed_reports(tmp_path) == [f"SILVER_QUALITY.md {wrong}"]
