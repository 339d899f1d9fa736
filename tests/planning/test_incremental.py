"""A change finds the days it reaches, and no others."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from medallion.lake.inventory import LakeInventory, write_state
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.planning.incremental import EnrichedPlan, EnrichedRequest, moved, plan_enriched
from medallion.spec import Spec

MONDAY = date(2025, 10, 6)
WEEK = range(7)


def day(n: int) -> date:
    return MONDAY + timedelta(days=n)


class History:
    """A lake whose partitions are only manifests; content is a word."""

    def __init__(self, root: Path, spec: Spec) -> None:
        self.inventory = LakeInventory(Lake(root), spec)
        self.spec = spec

    def put(self, table: str, n: int, content: str = "a", **refers: tuple[str, ...]) -> None:
        folder = self.inventory.lake.root / "base" / table / f"ingestion_dt={day(n)}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "part-0000.parquet").write_text(content, encoding="utf-8")
        business = self.spec.tables[table].business_date
        times = (f"{day(n)}T08:00:00", f"{day(n)}T20:00:00")
        seal(
            folder,
            f"base/{table}",
            {"part-0000.parquet": 1},
            {},
            bounds={business.source: times} if business else {},
            refers=refers,
        )

    def put_day(self, n: int, content: str = "a") -> None:
        for table in self.spec.events:
            self.put(table, n, content)

    def plan(self, end: int, *, asked: tuple[int, ...] = (), **overrides: object) -> EnrichedPlan:
        days = [day(n) for n in asked]
        horizon = max([day(end), *self.inventory.base_days()])
        return plan_enriched(
            EnrichedRequest(days, day(end), horizon, "last"),
            self.spec,
            self.inventory,
            {},
            overrides or {},
        )

    def due(self, end: int, *, asked: tuple[int, ...] = ()) -> dict[str, list[int]]:
        plan = self.plan(end, asked=asked)
        return {
            name: [(d - MONDAY).days for d in planned.days]
            for name, planned in plan.transforms.items()
            if planned.days
        }

    def make(self, end: int) -> dict[str, list[int]]:
        """Makes what is due and returns it."""
        plan = self.plan(end)
        made = self.due(end)
        for name, planned in plan.transforms.items():
            for d in planned.days:
                folder = self.inventory.lake.root / "enriched" / name / f"ingestion_dt={d}"
                folder.mkdir(parents=True, exist_ok=True)
                seal(folder, f"enriched/{name}", {}, {})
            write_state(self.inventory.lake, name, planned.made_from)
        return made


@pytest.fixture
def history(tmp_path: Path, spec: Spec) -> History:
    return History(tmp_path, spec)


@pytest.fixture
def week(history: History) -> History:
    for n in WEEK:
        history.put_day(n)
    history.make(6)
    return history


def test_a_first_run_makes_every_day_and_one_snapshot(history: History) -> None:
    for n in WEEK:
        history.put_day(n)
    made = history.make(6)
    assert made["shipping_economics"] == list(WEEK)
    assert made["inventory_risk"] == list(WEEK)
    assert made["customer_lifetime_value"] == [6]


def test_nothing_is_due_when_nothing_changed(week: History) -> None:
    assert week.due(6) == {}


def test_a_new_day_also_makes_the_days_whose_carts_it_can_still_convert(week: History) -> None:
    week.put_day(7)
    made = week.make(7)
    assert made["cart_attribution"] == [5, 6, 7]
    assert made["daily_business_metrics"] == [5, 6, 7]
    assert made["attributed_purchases"] == [7]
    assert made["shipping_economics"] == [7]
    assert made["sales_velocity"] == [7]
    assert made["customer_retention_signals"] == [7]


def test_a_superseded_order_reaches_its_trailing_windows_and_later_snapshots(
    week: History,
) -> None:
    week.put("orders", 3, "b")
    due = week.due(6)
    assert due["shipping_economics"] == [3]
    assert due["regional_financials"] == [3]
    assert due["customer_lifetime_value"] == [6]
    # Who is a new customer later on depends on who ordered on that day.
    assert due["daily_business_metrics"][-4:] == [3, 4, 5, 6]
    assert "sales_velocity" not in due


def test_changed_order_items_reach_the_days_that_look_back_on_them(week: History) -> None:
    week.put("order_items", 3, "b")
    due = week.due(6)
    assert due["sales_velocity"] == [3, 4, 5, 6]
    assert due["inventory_risk"] == [3, 4, 5, 6]
    assert due["product_performance"] == [3]


def test_a_line_added_after_midnight_reaches_the_day_of_its_cart(week: History) -> None:
    week.put("cart_items", 4, "b", shopping_carts=(str(day(3)), str(day(4))))
    assert week.due(6)["cart_attribution"] == [3, 4]


def test_a_return_makes_its_day_depend_on_the_day_of_its_order(week: History) -> None:
    week.put("returns", 5, "b", orders=(str(day(1)),))
    assert week.make(6)["regional_financials"] == [5]
    week.put("orders", 1, "c")
    assert week.due(6)["regional_financials"] == [1, 5]


def test_an_earlier_first_day_lengthens_the_windows_that_were_cut_short(week: History) -> None:
    week.put_day(-1)
    assert week.due(6)["sales_velocity"] == [-1, *WEEK]


def test_a_day_without_data_inside_the_history_is_a_day_too(week: History) -> None:
    week.put_day(9)
    assert week.due(9)["daily_business_metrics"][-3:] == [7, 8, 9]


def test_days_that_were_asked_for_are_made_again(week: History) -> None:
    due = week.due(4, asked=(3, 4))
    assert due["shipping_economics"] == [3, 4]
    assert due["customer_lifetime_value"] == [4]


def test_a_changed_parameter_makes_every_day_again(week: History) -> None:
    plan = week.plan(6, cart_attribution={"attribution_tolerance_hours": 24})
    assert len(plan.transforms["cart_attribution"].days) == 7
    assert plan.transforms["attributed_purchases"].days == ()


def test_work_that_a_crash_cut_short_is_still_due(week: History) -> None:
    week.put_day(7)
    assert week.due(7) == week.due(7)
    state = week.inventory.lake.root / "enriched/_state/shipping_economics.json"
    state.unlink()
    assert week.due(7)["shipping_economics"] == [*WEEK, 7]


@pytest.mark.parametrize(
    ("transform", "read", "expected"),
    [
        ("attributed_purchases", "shopping_carts", {4, 5, 6}),
        ("attributed_purchases", "orders", {6}),
        ("sales_velocity", "order_items", set(WEEK)),
    ],
)
def test_a_day_reads_only_the_partitions_it_needs(
    week: History, transform: str, read: str, expected: set[int]
) -> None:
    plan = week.plan(6, asked=(6,))
    reads = {(d - MONDAY).days for d in plan.transforms[transform].reads[read]}
    assert reads == expected


def test_days_that_went_after_they_were_planned_for_are_named(history: History) -> None:
    for n in WEEK:
        history.put_day(n)
    planned = history.plan(6).transforms
    assert not any(moved(one, history.inventory) for one in planned.values())
    shutil.rmtree(history.inventory.lake.root / f"base/orders/ingestion_dt={day(3)}")
    gone = {name: moved(one, history.inventory) for name, one in planned.items()}
    assert "orders" in planned["shipping_economics"].basis
    assert all(
        found == ({"orders": [day(3)]} if "orders" in planned[name].basis else {})
        for name, found in gone.items()
    )


def test_days_that_others_replaced_after_they_were_planned_for_are_noticed(
    history: History,
) -> None:
    for n in WEEK:
        history.put_day(n)
    planned = history.plan(6).transforms
    history.put("orders", 3, "another content")
    found = {name: moved(one, history.inventory) for name, one in planned.items()}
    assert {name for name, tables in found.items() if tables == {"orders": []}} == {
        name for name, one in planned.items() if "orders" in one.basis
    }


def test_what_a_day_does_not_read_may_come_after_it_was_planned_for(history: History) -> None:
    for n in WEEK:
        history.put_day(n)
    planned = history.plan(6).transforms
    history.put_day(9)
    assert not any(moved(one, history.inventory) for one in planned.values())
