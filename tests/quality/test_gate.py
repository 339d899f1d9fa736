"""A gate warns or stops, and says what, where and what to do."""

from __future__ import annotations

import logging
from typing import Any

import polars as pl
import pytest

from medallion.errors import GateError
from medallion.quality.gate import Check, Severity, decide
from medallion.quality.native import conservation, key_is_unique, required_present


def failing(severity: Severity, partition: str = "ingest_dt=2025-10-01") -> Check:
    return Check(
        "rows", "orders", partition, success=False, severity=severity, observed="7", expected="8"
    )


PASSING = Check("rows", "orders", "", success=True, severity="blocking")


@pytest.mark.parametrize(
    ("mode", "severity", "stops"),
    [
        ("warn", "warning", False),
        ("warn", "critical", False),
        ("warn", "blocking", True),
        ("strict", "warning", False),
        ("strict", "critical", True),
        ("strict", "blocking", True),
    ],
)
def test_what_stops_a_run(mode: str, severity: Severity, stops: bool) -> None:
    checks = [PASSING, failing(severity)]
    if stops:
        with pytest.raises(GateError, match=r"1 of 2 checks failed(.|\n)*7 \(expected: 8\)"):
            decide("bronze", mode, checks)
    else:
        result = decide("bronze", mode, checks)
        assert (result["success"], result["evaluated"], result["failed"]) == (False, 2, 1)


def test_alike_failures_are_told_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    many = [failing("warning", f"ingest_dt=2025-10-{day:02}") for day in range(1, 31)]
    with caplog.at_level(logging.WARNING):
        result = decide("bronze", "warn", many)
    assert [record.getMessage() for record in caplog.records] == [
        "bronze gate: orders/ingest_dt=2025-10-01: rows: 7 (expected: 8) (and 29 more partitions)"
    ]
    assert result["failed"] == 30


def test_a_screenful_is_shown_of_many_different_failures() -> None:
    many = [
        Check("rows", f"table_{n}", "", success=False, severity="blocking", observed=str(n))
        for n in range(40)
    ]
    with pytest.raises(GateError) as raised:
        decide("bronze", "warn", many)
    assert len(str(raised.value).splitlines()) < 20
    assert "... and 28 more" in str(raised.value)


@pytest.mark.parametrize(("accepted", "success"), [(6, True), (5, False), (7, False)])
def test_conservation(accepted: int, success: bool) -> None:
    row: dict[str, Any] = {"table": "orders", "bronze_rows": 10, "accepted": accepted}
    assert conservation(row | {"quarantined": 3, "superseded": 1}).success is success


def test_a_repeated_key_is_counted() -> None:
    frame = pl.LazyFrame({"a": [1, 1, 2], "b": ["x", "x", "x"]})
    check = key_is_unique("orders", ("a", "b"), frame)
    assert (check.success, check.observed) == (False, "1 rows repeat a key")
    assert key_is_unique("orders", ("a", "b"), frame.unique()).success


def test_a_null_in_a_required_column_is_named() -> None:
    frame = pl.LazyFrame({"a": [1, None], "b": ["x", "y"]})
    checks = list(required_present("orders", ("a", "b"), frame))
    assert [(check.success, check.observed) for check in checks] == [
        (False, "a is null in 1 rows"),
        (True, "b is null in 0 rows"),
    ]
