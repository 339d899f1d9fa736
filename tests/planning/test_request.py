"""What is asked for on the command line is checked before anything runs."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from medallion.errors import RequestError, UsageError
from medallion.planning.request import check_transforms, parse_request
from medallion.spec import Spec


def test_one_day_a_window_or_everything_pending() -> None:
    day, other = date(2025, 10, 1), date(2025, 10, 3)
    assert parse_request({"ingest_dt": "2025-10-01"}).window == (day, day)
    assert parse_request({"start": "2025-10-01", "end": "2025-10-03"}).window == (day, other)
    assert parse_request({"ingest_dt": None}).window is None


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"ingest_dt": "2025-02-30"}, "is not a day of the calendar"),
        ({"ingest_dt": "../../x"}, "is not a day; write it as YYYY-MM-DD"),
        ({"ingest_dt": "2025-10-1"}, "is not a day; write it as YYYY-MM-DD"),
        ({"ingest_dt": 20251001}, "is not a day; write it as YYYY-MM-DD"),
        ({"ingest_dt": "2025-10-01\n"}, "is not a day; write it as YYYY-MM-DD"),
        ({"ingest_dt": "2025-10-01", "start": "2025-10-01"}, "not both"),
        ({"start": "2025-10-01"}, "needs both start and end"),
        ({"start": "2025-10-02", "end": "2025-10-01"}, "after its end"),
        ({"strat": "2025-10-02"}, "allowed are as_of, end, engine, forget, ingest_dt"),
        ({"quality": {"mode": "relaxed"}}, r"quality.mode='relaxed'"),
        ({"snapshots": "first"}, r"snapshots='first'"),
        ({"engine": {"memory_limit": "lots; drop table x"}}, "engine.memory_limit"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(parameters: dict[str, Any], expected: str) -> None:
    with pytest.raises(RequestError, match=expected):
        parse_request(parameters)


@pytest.mark.parametrize("value", [-5, 0, 28.5, float("nan"), float("inf"), 10**9])
def test_a_parameter_of_a_transform_is_refused_where_it_can_be_no_span(
    spec: Spec, value: float
) -> None:
    request = parse_request({"transforms": {"inventory_risk": {"window_days": value}}})
    with pytest.raises(UsageError, match=r"inventory_risk\.window_days must be a whole number"):
        check_transforms(request, spec)
