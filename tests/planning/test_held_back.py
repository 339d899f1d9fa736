"""A day far outside the others waits until somebody asks for it by name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medallion.errors import RequestError, UsageError
from medallion.lake.bronze import BronzeInventory, Finding, Listed
from medallion.lake.forgetting import drop_beyond
from medallion.lake.inventory import LakeInventory, write_state
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.planning.held_back import held_back
from medallion.planning.plan import RunPlan, plan_run
from medallion.planning.request import parse_request
from medallion.spec import Spec

FIRST = "2025-10-01"


def bronze(
    *days: str, table: str = "orders", findings: tuple[Finding, ...] = ()
) -> BronzeInventory:
    listed = tuple(Listed(table, "ingest_dt", day, "/b", "first", {"f": 5}) for day in days)
    return BronzeInventory("/bronze", {table: listed}, findings)


def put(lake: LakeInventory, table: str, day: str, key: str = "ingestion_dt") -> None:
    folder = lake.lake.root / table / f"{key}={day}"
    folder.mkdir(parents=True)
    seal(folder, table, {}, {}, inputs={"bronze": "first"})


@pytest.fixture
def lake(tmp_path: Path, spec: Spec) -> LakeInventory:
    return LakeInventory(Lake(tmp_path), spec)


def plan(spec: Spec, lake: LakeInventory, delivered: BronzeInventory, **asked: object) -> RunPlan:
    return plan_run(parse_request(asked), spec, delivered, lake)


def held(spec: Spec, lake: LakeInventory, delivered: BronzeInventory) -> list[str]:
    return [str(day) for day in held_back(spec, delivered, lake)]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ((FIRST, "2025-11-01"), []),
        ((FIRST, "2025-11-02"), ["2025-11-02"]),
        (("1970-01-01", FIRST), ["1970-01-01"]),
        (("1999-12-31", "2000-01-01"), ["1999-12-31"]),
        ((FIRST, "2025-10-02", "2027-10-02", "2027-10-03"), ["2027-10-02", "2027-10-03"]),
        (("2005-01-01", "2025-10-01", "2025-10-02"), ["2005-01-01"]),
        (("2005-01-01", "2025-10-01", "2025-10-02", "2027-01-01"), ["2005-01-01", "2027-01-01"]),
        (("2025-08-01", "2025-10-01", "2025-10-30", "2025-12-01"), ["2025-08-01", "2025-12-01"]),
        (("2025-08-01", "2025-08-02", "2025-10-01", "2025-10-02"), ["2025-10-01", "2025-10-02"]),
        ((FIRST, "9999-12-31"), ["9999-12-31"]),
        (("0001-01-01", FIRST), ["0001-01-01"]),
    ],
)
def test_which_days_are_held_back(
    spec: Spec, lake: LakeInventory, days: tuple[str, ...], expected: list[str]
) -> None:
    assert held(spec, lake, bronze(*days)) == expected


def test_days_of_all_event_tables_count_together(spec: Spec, lake: LakeInventory) -> None:
    tables = {
        **bronze(FIRST, "2025-11-20").tables,
        **bronze("2025-10-25", table="returns").tables,
    }
    assert held(spec, lake, BronzeInventory("/b", tables, ())) == []


def test_a_held_day_is_not_pending_moves_nothing_and_is_named(
    spec: Spec, lake: LakeInventory
) -> None:
    made = plan(spec, lake, bronze(FIRST, "2027-10-02"))
    assert [str(day) for day in made.days] == [FIRST]
    assert str(made.horizon) == FIRST
    (found,) = made.findings
    assert found.critical
    assert str(found).startswith("ingest_dt=2027-10-02: lies 731 days after 2025-10-01")


def test_it_is_still_named_when_nothing_else_is_pending(spec: Spec, lake: LakeInventory) -> None:
    put(lake, "base/orders", FIRST)
    made = plan(spec, lake, bronze(FIRST, "2027-10-02"))
    assert (made.days, str(made.horizon)) == ([], FIRST)
    assert [found.check for found in made.findings] == ["day_held_back"]


def test_of_two_days_alone_the_one_with_more_rows_is_the_shops(
    spec: Spec, lake: LakeInventory
) -> None:
    tables = {
        **bronze("2005-01-01", FIRST).tables,
        **bronze(FIRST, table="returns").tables,
    }
    assert list(held_back(spec, BronzeInventory("/b", tables, ()), lake)) == [date(2005, 1, 1)]


def test_days_without_rows_are_no_days_of_the_shop(spec: Spec, lake: LakeInventory) -> None:
    empty = [Listed("orders", "ingest_dt", f"2026-01-0{n}", "/b", "e", {}) for n in range(1, 5)]
    delivered = (*bronze(FIRST, "2025-10-02").tables["orders"], *empty)
    found = held_back(spec, BronzeInventory("/b", {"orders": delivered}, ()), lake)
    assert [str(day) for day in found] == [one.value for one in empty]


@pytest.mark.parametrize(
    ("far", "where"),
    [("2005-01-01", "lies 7,578 days before"), ("2027-10-02", "lies 730 days after")],
)
def test_a_day_far_from_those_of_the_lake_waits_on_either_side(
    spec: Spec, lake: LakeInventory, far: str, where: str
) -> None:
    put(lake, "base/orders", FIRST)
    made = plan(spec, lake, bronze(FIRST, "2025-10-02", far))
    assert [str(day) for day in made.days] == ["2025-10-02"]
    (found,) = made.findings
    assert str(found).startswith(f"ingest_dt={far}: {where} 2025-10-0")


_DAYS = st.sets(st.dates(date(2000, 1, 1), date(2009, 1, 1)), min_size=2, max_size=30)


def _is_far(day: date, days: Iterable[date], spec: Spec) -> bool:
    return all(abs(day - other) > timedelta(days=spec.max_day_gap) for other in days)


@given(days=_DAYS, stray=st.dates(date(1970, 1, 1), date(2040, 1, 1)), data=st.data())
def test_one_stray_day_never_changes_which_others_are_processed(
    spec: Spec, days: set[date], stray: date, data: st.DataObject
) -> None:
    days |= {min(days) + timedelta(days=n) for n in range(2)}
    reached = data.draw(st.sets(st.sampled_from(sorted(days)), max_size=3))
    assume(_is_far(stray, days, spec))
    without = _held_with(spec, days, reached)
    assert _held_with(spec, days | {stray}, reached) == without | {stray}


def _held_with(spec: Spec, days: Iterable[date], reached: set[date]) -> set[date]:
    lake = Mock(reached_days=lambda: reached)
    return set(held_back(spec, bronze(*map(str, sorted(days))), lake))


@pytest.mark.parametrize(
    "asked", [{"ingest_dt": "2025-12-24"}, {"start": "2025-12-24", "end": "2025-12-24"}]
)
def test_it_is_processed_when_it_is_asked_for(
    spec: Spec, lake: LakeInventory, asked: dict[str, str]
) -> None:
    put(lake, "base/orders", FIRST)
    made = plan(spec, lake, bronze(FIRST, "2025-12-24"), **asked)
    assert [str(day) for day in made.days] == ["2025-12-24"]
    assert str(made.horizon) == "2025-12-24"
    assert made.findings == ()


@pytest.mark.parametrize(
    ("start", "end"),
    [("2005-01-01", "2027-10-02"), ("2000-01-01", "2030-01-01"), (FIRST, "2027-10-02")],
)
@pytest.mark.parametrize("reached", [(), (FIRST,)])
def test_a_window_takes_no_day_along_that_is_held_back_and_names_it(
    spec: Spec, lake: LakeInventory, start: str, end: str, reached: tuple[str, ...]
) -> None:
    for day in reached:
        put(lake, "base/orders", day)
    delivered = bronze("2005-01-01", FIRST, "2025-10-02", "2027-10-02")
    made = plan(spec, lake, delivered, start=start, end=end)
    assert made.days == made.asked_for == [date(2025, 10, 1), date(2025, 10, 2)]
    assert str(made.horizon) == "2025-10-02"
    told = {str(found.partition): found.message for found in made.findings}
    assert list(told) == ["ingest_dt=2005-01-01", "ingest_dt=2027-10-02"]
    assert "left out of the window that spans it" in told["ingest_dt=2027-10-02"]
    assert ("left out" in told["ingest_dt=2005-01-01"]) == (start < FIRST)


def test_a_window_of_days_that_are_all_held_back_is_refused(
    spec: Spec, lake: LakeInventory
) -> None:
    delivered = bronze(FIRST, "2025-10-02", "2027-10-02", "2027-10-03")
    with pytest.raises(RequestError, match="are held back") as refused:
        plan(spec, lake, delivered, start="2027-10-01", end="2027-10-31")
    assert "ingest_dt=2027-10-02" in str(refused.value.hint)


def test_a_window_whose_end_only_a_held_day_reaches_is_refused_as_without_it(
    spec: Spec, lake: LakeInventory
) -> None:
    delivered = bronze(FIRST, "2025-10-02", "2027-10-02")
    with pytest.raises(UsageError, match="ends on 2027-10-01, 729 days after 2025-10-02"):
        plan(spec, lake, delivered, start=FIRST, end="2027-10-01")


@pytest.mark.parametrize("layer", ["base", "quarantine"])
def test_after_it_was_processed_it_and_the_days_behind_it_are_like_any_other(
    spec: Spec, lake: LakeInventory, layer: str
) -> None:
    put(lake, "base/orders", FIRST)
    put(lake, f"{layer}/orders", "2025-12-24")
    made = plan(spec, lake, bronze(FIRST, "2025-12-24", "2025-12-25"))
    assert [str(day) for day in made.days] == ["2025-12-25"]
    assert made.findings == ()


@given(gaps=st.lists(st.integers(1, 31), max_size=40))
def test_a_history_without_long_gaps_holds_nothing_back(spec: Spec, gaps: list[int]) -> None:
    days, day = [], date(2024, 1, 1)
    for gap in gaps:
        day += timedelta(days=gap)
        days.append(day.isoformat())
    assert held_back(spec, bronze(*days), LakeInventory(Lake("/nowhere"), spec)) == {}


def test_a_window_leaves_days_that_left_bronze_as_they_are(spec: Spec, lake: LakeInventory) -> None:
    for day in (FIRST, "2025-10-02"):
        put(lake, "base/orders", day)
    made = plan(spec, lake, bronze("2025-10-02"), start=FIRST, end="2025-10-02")
    assert [str(day) for day in made.days] == ["2025-10-02"]
    (found,) = made.findings
    assert "`kedro lake forget 2025-10-01`" in found.message


def test_a_day_that_left_bronze_is_one_finding(spec: Spec, lake: LakeInventory) -> None:
    for table in ("orders", "returns", "cart_items"):
        put(lake, f"base/{table}", FIRST)
    put(lake, "base/orders", "2025-10-02")
    made = plan(spec, lake, bronze("2025-10-02"))
    assert [(found.partition, found.table) for found in made.findings] == [
        (f"ingest_dt={FIRST}", "")
    ]


class TestForgetting:
    """A day that Bronze no longer holds is taken out."""

    def test_it_is_refused_while_bronze_holds_the_day(
        self, spec: Spec, lake: LakeInventory
    ) -> None:
        put(lake, "base/orders", FIRST)
        with pytest.raises(RequestError, match="still holds 2025-10-01: orders"):
            plan(spec, lake, bronze(FIRST), forget=[FIRST])

    def test_a_folder_that_is_not_complete_is_held_by_bronze(
        self, spec: Spec, lake: LakeInventory
    ) -> None:
        put(lake, "base/orders", FIRST)
        incomplete = Finding("manifest_present", "returns", f"ingest_dt={FIRST}", "no manifest")
        with pytest.raises(RequestError, match="still holds 2025-10-01: returns"):
            plan(spec, lake, bronze("2025-10-02", findings=(incomplete,)), forget=[FIRST])

    def test_it_is_refused_for_a_day_that_the_lake_does_not_hold(
        self, spec: Spec, lake: LakeInventory
    ) -> None:
        put(lake, "base/orders", FIRST)
        with pytest.raises(RequestError, match="holds nothing of 2025-10-07; it has 2025-10-01"):
            plan(spec, lake, bronze("2025-10-02"), forget=["2025-10-07"])

    def test_the_horizon_falls_back_to_the_days_that_remain(
        self, spec: Spec, lake: LakeInventory
    ) -> None:
        put(lake, "base/orders", FIRST)
        put(lake, "base/orders", "2027-10-02")
        put(lake, "quarantine/returns", "2027-10-02")
        made = plan(spec, lake, bronze(FIRST), forget=["2027-10-02"])
        assert {(p.table, str(p.day)) for p in made.partitions} == {
            ("orders", "2027-10-02"),
            ("returns", "2027-10-02"),
        }
        assert str(made.horizon) == FIRST

    def test_what_stood_only_because_the_day_was_the_horizon_goes(
        self, lake: LakeInventory
    ) -> None:
        for day in (FIRST, "2027-10-02"):
            put(lake, "base/orders", day)
            put(lake, "dims/customers", day, "snapshot_dt")
            put(lake, "enriched/daily_business_metrics", day)
        put(lake, "enriched/daily_business_metrics", "2026-05-05")
        made_from = {day: {"events": "x"} for day in (FIRST, "2026-05-05", "2026-05-06")}
        write_state(lake.lake, "daily_business_metrics", made_from)
        drop_beyond(lake, [date(2027, 10, 2)])
        assert lake.enriched_days("daily_business_metrics") == [date(2025, 10, 1)]
        assert list(lake.enriched_state("daily_business_metrics")) == [FIRST]
        assert lake.newest_snapshots() == {"customers": date(2025, 10, 1)}

    def test_a_day_in_the_middle_takes_nothing_beyond_it_along(self, lake: LakeInventory) -> None:
        for day in (FIRST, "2025-10-02", "2025-10-03"):
            put(lake, "base/orders", day)
            put(lake, "enriched/daily_business_metrics", day)
        assert drop_beyond(lake, [date(2025, 10, 2)]) == []


def test_a_window_that_begins_far_before_all_days_is_refused(
    spec: Spec, lake: LakeInventory
) -> None:
    with pytest.raises(UsageError, match="starts on 1925-10-01, 36,525 days before 2025-10-01"):
        plan(spec, lake, bronze(FIRST), start="1925-10-01", end=FIRST)
