"""The examples in the docstrings of the reaches hold, and the spec refuses what cannot be."""

from __future__ import annotations

import doctest
from datetime import date, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from medallion.errors import SpecError
from medallion.planning import history
from medallion.spec import parse_spec, reach
from tests.conftest import PROJECT

TEXT = (PROJECT / "conf" / "base" / "spec.yml").read_text(encoding="utf-8")
HOUR = reach.MICROSECONDS_PER_HOUR


class FirstWeekOfOctober:
    """Rows of every day of 2025-10-01 to 2025-10-08; a day's event times are its 24 hours."""

    first = date(2025, 10, 1)

    def parameter(self, name: str) -> int:
        return {"window_days": 3, "tolerance_hours": 48}[name]

    def times(self, day: date) -> tuple[int, int]:
        start = (day - self.first).days * 24 * HOUR
        return start, start + 24 * HOUR - 1

    def overlapping(self, first: int, last: int) -> list[reach.Span]:
        days = (self.first + timedelta(days=t // (24 * HOUR)) for t in (first, last))
        return [tuple(days)]  # type: ignore[list-item]

    def referring(self, day: date) -> list[date]:
        return [day, day + timedelta(days=2)]

    def referred(self, by: str, day: date) -> list[date]:
        return {"returns": [day - timedelta(days=5)]}[by]


@pytest.mark.parametrize("module", [reach, history])
def test_the_examples_in_the_docstrings_hold(module: Any) -> None:
    names = {"history": FirstWeekOfOctober(), "date": date}
    found = doctest.testmod(module, extraglobs=names, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("day", reach.Day()),
        ("up_to", reach.UpTo()),
        ("newest", reach.Newest()),
        ({"trailing": "window_days"}, reach.Trailing(parameter="window_days")),
        ({"near": {"after": "hours"}}, reach.Near(after="hours")),
        ({"referring": "cart_id"}, reach.Referring(column="cart_id")),
        ({"referred": {"by": "a", "via": "b"}}, reach.Referred(by="a", via="b")),
        ({"values": ["category"]}, reach.Values(columns=("category",))),
    ],
)
def test_the_spec_writes_a_reach_as_one_word_or_one_key(written: object, expected: object) -> None:
    parsed: object = TypeAdapter(reach.Reach).validate_python(written)
    assert parsed == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("shopping_carts: day", "shopping_carts: dya", r"reads.shopping_carts: .*'dya'.*'up_to'"),
        ("{trailing: window_days}", "{}", r"reads.order_items: give exactly one of day, up_to"),
        ("{trailing: window_days}", "{trailing: 3}", r"order_items.trailing.parameter: .*string"),
        ("{trailing: window_days}", "trailing", r"order_items.trailing.parameter: Field required"),
        ("{values: [category]}", "{values: []}", r"product_catalog.values.columns: .*at least 1"),
        ("customers: newest", "customers: up_to", r"reads.customers: 'up_to' is not how a dim"),
        ("shopping_carts: day", "shopping_carts: newest", r"'newest' is not how this input is"),
        ("{by: returns,", "{by: customers,", r"'referred' needs an event table, and 'customers'"),
        ("cart_items: day", "cart_items: {near: {}}", r"'near' needs a grain that is the key of"),
    ],
)
def test_a_reach_that_cannot_be_is_refused(old: str, new: str, expected: str) -> None:
    assert old in TEXT
    with pytest.raises(SpecError, match=expected):
        parse_spec(TEXT.replace(old, new))
