"""A gate warns or stops, and says where, what, what was expected and what to do."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import pytest

from medallion.errors import GateError, LakeError
from medallion.gates.batch import Batch, Outcome, Validated
from medallion.gates.decision import decide, line
from medallion.gates.declared import Declared
from medallion.gates.expectation import Expectation, Severity
from medallion.gates.reports import markdown
from medallion.gates.result import Due, GateResult, Mode, finding, result_of
from medallion.gates.suite import Suite
from medallion.gates.suites import Suites
from medallion.pipelines.gates import Gatehouse, with_earlier
from medallion.planning.request import RunRequest
from medallion.spec import Spec

ORDERS = Due("orders", "suite", {"2025-10-01": "content"})


def validated(
    severity: Severity = "critical",
    *,
    success: bool = False,
    always_stops: bool = False,
    examples: tuple[dict[str, Any], ...] = ({"order_id": "ORD-1", "net_total": -1},),
) -> Validated:
    """A batch with one expectation, and what came of it."""
    arguments = {"column": "net_total", "min_value": 0}
    kind = "expect_column_values_to_be_between"
    expected = Expectation(kind, arguments, severity, "A price.", "spec.yml", always_stops)
    batch = Batch("orders", "rows", "orders__rows", (expected,), 7)
    return Validated(batch, [Outcome(batch, expected, success, "1 of 7 rows", examples, {})])


def result(*batches: Validated, mode: Mode = "warn", **more: Any) -> GateResult:
    return result_of("base_silver", mode, [ORDERS], batches, **more)


@pytest.mark.parametrize(
    ("mode", "batch", "verdict"),
    [
        ("warn", validated("info"), "passed"),
        ("warn", validated("warning"), "warned"),
        ("warn", validated("critical"), "warned"),
        ("warn", validated("critical", always_stops=True), "stopped"),
        ("strict", validated("info"), "passed"),
        ("strict", validated("warning"), "warned"),
        ("strict", validated("critical"), "stopped"),
        ("strict", validated("critical", success=True), "passed"),
    ],
)
def test_what_stops_a_run(mode: Mode, batch: Validated, verdict: str) -> None:
    found = result(batch, mode=mode)
    assert found.verdict == verdict
    if verdict == "stopped":
        with pytest.raises(GateError):
            decide(found, mode)
    else:
        decide(found, mode)


def test_the_message_names_table_observed_expected_keys_and_report() -> None:
    with pytest.raises(GateError) as raised:
        decide(result(validated(), mode="strict"), "strict", "/reports/SILVER_QUALITY.md")
    said = str(raised.value)
    assert "The base_silver gate stopped the run: 1 check failed" in said
    assert "orders: 1 of 7 rows (expected: net_total >= 0)" in said
    assert "e.g. order_id ORD-1, net_total -1" in said
    assert "kedro quarantine summary" in said
    assert "/reports/SILVER_QUALITY.md" in said


def test_warn_tells_the_same_as_warnings(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        decide(result(validated()), "warn")
    assert caplog.messages == [
        "base_silver gate: orders: 1 of 7 rows (expected: net_total >= 0); "
        "e.g. order_id ORD-1, net_total -1"
    ]


def test_a_strict_gate_stops_at_what_an_earlier_run_let_pass_with_a_warning() -> None:
    before = result(validated()).failures
    now = result_of("base_silver", "warn", [], [], earlier=before)
    decide(now, "warn")
    with pytest.raises(GateError, match="1 check failed"):
        decide(now, "strict")


@pytest.mark.parametrize(
    "batches",
    [
        (),
        (Validated(Batch("orders", "rows", "orders__rows", (), 7), []),),
        (Validated(Batch("orders", "reasons", "r", (), 0), validated(success=True).outcomes),),
    ],
    ids=["nothing was validated", "a result without outcomes", "a suite without expectations"],
)
def test_a_table_that_was_not_validated_has_failed(batches: tuple[Validated, ...]) -> None:
    found = result(*batches, mode="strict")
    assert found.verdict == "stopped"
    assert found.failures[0].observed == "was not validated"
    with pytest.raises(GateError, match="orders: was not validated"):
        decide(found, "strict")


def test_a_gate_with_nothing_due_passes_and_says_that_it_looked_at_nothing() -> None:
    found = result_of("gold", "strict", [], [])
    assert (found.verdict, found.evaluated, found.tables) == ("passed", 0, ())
    decide(found, "strict")


def test_the_gravest_comes_first_and_results_are_those_of_great_expectations() -> None:
    found = result(validated("warning"), validated("critical"))
    assert [failure.severity for failure in found.failures] == ["critical", "warning"]
    (suite, _) = found.suites
    assert suite.as_json()["suite_name"] == "base_silver.orders.rows"
    assert suite.as_json()["statistics"] == {
        "evaluated_expectations": 1,
        "successful_expectations": 0,
        "unsuccessful_expectations": 1,
        "success_percent": 0.0,
    }


def test_alike_findings_are_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    odd = [finding("bronze", "layout", "orders", f"p={n}", "is odd") for n in range(3)]
    with caplog.at_level(logging.WARNING):
        decide(result(validated(success=True), findings=odd), "warn")
    assert caplog.messages == ["base_silver gate: orders/p=0: is odd (and in 2 more partitions)"]


def test_a_line_is_short_whatever_it_tells() -> None:
    failure = result(validated(examples=({"order_id": "ORD-1"},) * 20)).failures[0]
    assert line(failure).count("ORD-1") == 3


class TestWhatEarlierRunsLookedAt:
    @pytest.fixture
    def suites(self, spec: Spec) -> Suites:
        tables = {name: Suite("base_silver", name, {}) for name in ("orders", "returns")}
        return Suites({"base_silver": tables}, Declared(spec, {}))

    def house(self, suites: Suites, before: GateResult | None) -> Gatehouse:
        return Gatehouse(RunRequest(run_id="second"), suites, None, before)  # type: ignore[arg-type]

    def test_a_run_that_looks_at_nothing_shows_the_last_validation_of_everything(
        self, suites: Suites
    ) -> None:
        first = with_earlier(result(validated(), run_id="first"), self.house(suites, None))
        nothing = result_of("base_silver", "warn", [], [])
        again = with_earlier(nothing, self.house(suites, first))
        assert again.suites == first.suites != ()
        assert {suite.run_id for suite in again.suites} == {"first"}
        assert again.as_json()["last"] == {"evaluated": 1, "failed": 1}

    def test_a_run_that_looks_at_one_table_keeps_the_others_and_replaces_its_own(
        self, suites: Suites
    ) -> None:
        old = result(validated())
        (orders,) = old.suites
        other = replace(orders, name="base_silver.returns.rows")
        gone = replace(orders, name="base_silver.dropped.rows")
        before = replace(old, suites=(orders, other, gone))
        now = with_earlier(result(validated(success=True)), self.house(suites, before))
        assert [(suite.name, suite.success) for suite in now.suites] == [
            ("base_silver.orders.rows", True),
            ("base_silver.returns.rows", False),
        ]


def test_an_info_failure_is_in_the_report_and_does_not_warn() -> None:
    found = result(validated("info"))
    assert found.verdict == "passed"
    text = markdown(found)
    assert "0 critical, 0 warnings, 1 for information" in text
    assert "## For information" in text
    assert "**orders** (info): 1 of 7 rows" in text


def test_what_was_only_counted_is_no_finding() -> None:
    counted = replace(finding("base_silver", "reasons", "orders", "", "3 reasons"), severity="info")
    assert "For information" not in markdown(result(findings=[counted]))


def test_a_result_says_the_same_after_it_was_kept_as_json() -> None:
    before = [replace(one, partitions={"2025-10-01": "x"}) for one in result(validated()).failures]
    found = result(
        validated("warning"), validated(success=True), earlier=before, run_id="one", mode="strict"
    )
    kept = json.loads(json.dumps(found.as_json()))
    assert GateResult.from_json(kept) == found
    assert list(kept)[:6] == ["layer", "mode", "verdict", "success", "evaluated", "failed"]
    assert (kept["verdict"], kept["success"]) == ("stopped", False)


@pytest.mark.parametrize(
    "content",
    [None, [], "text", {}, {"layer": "gold"}, {"suites": 1}, {"suites": [1], "standing": []}],
)
def test_what_no_gate_has_written_is_refused(content: object) -> None:
    with pytest.raises(LakeError, match="is not what a gate writes"):
        GateResult.from_json(content)
