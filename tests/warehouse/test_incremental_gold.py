"""Gold that is built day by day is Gold that is built at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from medallion.dbt_project import build_gold
from medallion.errors import DbtError
from medallion.spec import load_spec
from medallion.warehouse.duckdb import DuckDBWarehouse
from tests.conftest import PROJECT
from tests.warehouse.history import DAYS, Gold, History, day

SPEC = load_spec(PROJECT / "conf" / "base" / "spec.yml")
# A difference names its mart and rows, so there is nothing to shrink: each try is many dbt runs.
LAW = settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate])
TABLES = sorted(History(Path("nowhere"), SPEC).tables)
BY_DAY = {
    "fct_cart_abandonment",
    "fct_customer_segments",
    "fct_daily_dashboard",
    "fct_finance_revenue",
    "fct_marketing_attribution",
    "fct_sales_operations",
    "fct_shipping_analysis",
}


class House:
    """A history, and Gold that follows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.history = History(folder, SPEC)
        self.gold = Gold(folder / "warehouse", self.history)

    def begin(self, *days: int) -> None:
        for n in days:
            self.history.deliver_day(n)
        self.history.snapshot(0)
        self.gold.build()

    def built_at_once(self) -> dict[str, list[str]]:
        with TemporaryDirectory(dir=self.folder) as elsewhere:
            other = Gold(Path(elsewhere), self.history)
            assert other.build().is_whole
            return other.rows()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A house of five days, which tests copy: dbt is the expensive part."""
    made = House(tmp_path_factory.mktemp("house"))
    made.begin(0, 1, 2, 7, 9)
    return made.folder


@pytest.fixture
def house(begun: Path, tmp_path: Path) -> House:
    return House(shutil.copytree(begun, tmp_path / "house"))


CHANGES: dict[str, tuple[Callable[[History], None], list[int]]] = {
    "a new day": (lambda history: history.deliver_day(10), [10]),
    "a day before all others": (lambda history: history.deliver_day(-3), [-3]),
    "a day that comes again": (lambda history: history.deliver_day(1, version=1), [1]),
    "a day that comes out empty": (lambda history: history.empty(history.tables, 1), [1]),
    "two days in one run": (
        lambda history: (history.deliver_day(3), history.empty(history.tables, 9)),
        [3, 9],
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_makes_its_days_and_no_others(house: House, change: str) -> None:
    apply, days = CHANGES[change]
    apply(house.history)
    plan = house.gold.plan()
    assert not plan.is_whole
    for mart in BY_DAY - {"fct_daily_dashboard"}:
        assert (mart, plan.marts[mart].days) == (mart, tuple(map(day, sorted(days))))


def test_days_that_come_in_any_way_make_gold_what_it_is_built_at_once(house: House) -> None:
    for apply, _ in CHANGES.values():
        apply(house.history)
        house.gold.build()
    assert house.gold.rows() == house.built_at_once()


def test_the_dashboard_follows_for_a_week(house: House) -> None:
    house.history.deliver(["enriched/daily_business_metrics"], 1, version=1)
    plan = house.gold.plan()
    # Of the seven days after it only two are there.
    assert plan.marts["fct_daily_dashboard"].days == (day(1), day(2), day(7))
    assert plan.marts.keys() == {"fct_daily_dashboard"}


def test_a_late_return_changes_the_row_of_its_order(house: House) -> None:
    query = "select order_id, refunds from gold.fct_orders order by ingestion_dt, order_id limit 1"
    ((order, refunds),) = house.gold.warehouse.query(query)
    house.history.put("base/returns", 10, order_id=order, refunded_amount=Decimal("7.25"))
    plan = house.gold.build()
    assert "fct_orders" in plan.marts
    assert BY_DAY.isdisjoint(plan.marts)
    assert house.gold.warehouse.query(query) == [(order, refunds + Decimal("7.25"))]


def test_a_new_snapshot_makes_no_day_again(house: House) -> None:
    house.history.snapshot(3)
    plan = house.gold.plan()
    assert BY_DAY.isdisjoint(plan.marts)
    assert {"dim_customers", "dim_products", "fct_product_profitability"} <= plan.marts.keys()


def test_customers_are_made_of_the_newest_day_alone(house: House) -> None:
    house.history.deliver(["enriched/customer_lifetime_value"], 1, version=1)
    assert house.gold.plan().marts.keys() == {"fct_customer_segments"}
    house.history.deliver(["enriched/customer_lifetime_value"], 11)
    plan = house.gold.plan()
    assert plan.marts["fct_customers"].reads["enriched.customer_lifetime_value"] == (day(11),)


def test_nothing_is_built_if_nothing_has_changed(house: House) -> None:
    assert house.gold.plan().marts == {}


def test_a_file_that_others_have_changed_is_built_at_once(house: House) -> None:
    house.gold.warehouse.path.write_bytes(b"garbage")
    house.history.deliver_day(10)
    assert house.gold.plan().is_whole


def test_a_changed_model_builds_gold_at_once(house: House) -> None:
    assert house.gold.plan(code="another").is_whole


def test_a_build_that_is_killed_before_it_stands_is_made_whole(house: House) -> None:
    house.history.deliver_day(10)
    plan = house.gold.plan()
    # What days are made from is noted, and the file is still the old one.
    killed = patch.object(DuckDBWarehouse, "_replace", side_effect=KeyboardInterrupt)
    with killed, pytest.raises(KeyboardInterrupt):
        house.gold.warehouse.accept(house.gold.draft(plan))
    assert house.gold.plan().is_whole


changes = st.lists(
    st.tuples(
        st.lists(st.sampled_from(TABLES), min_size=1, max_size=len(TABLES), unique=True),
        st.integers(0, DAYS - 1),
        st.integers(0, 2) | st.none(),
    ),
    min_size=1,
    max_size=3,
)


@LAW
@given(
    first=st.lists(st.integers(0, DAYS - 1), max_size=4),
    steps=st.lists(changes, min_size=1, max_size=2),
)
def test_any_history_of_days_ends_in_the_same_gold(
    first: list[int], steps: list[list[tuple[list[str], int, int | None]]]
) -> None:
    with TemporaryDirectory() as folder:
        house = House(Path(folder))
        house.begin(*first)
        for step in steps:
            for tables, n, version in step:
                if version is None:
                    house.history.empty(tables, n)
                else:
                    house.history.deliver(tables, n, version)
            house.gold.build()
        assert house.gold.rows() == house.built_at_once()


def revenue(*days: str | None) -> dict[str, str]:
    """Rows of regions for some days, as the lake would show them."""
    columns = SPEC.transforms["regional_financials"].columns
    money = [name for name, kind in columns.items() if kind == "money"]
    amounts = ", ".join(f"cast(1 as decimal(18, 2)) as {name}" for name in money)
    rows = " union all ".join(
        f"select cast({'null' if one is None else repr(one)} as date) as ingestion_dt,"
        f" 'west' as region, 'CA' as state, 1 as orders, 1 as customers, {amounts}"
        for one in days
    )
    return {"enriched.regional_financials": rows}


@pytest.mark.parametrize(
    ("days", "planned", "found"),
    [
        (["2025-10-01", "2025-10-02"], {"days": ["2025-10-01"]}, "2025-10-02"),
        (["2025-10-01", None], {"days": ["2025-10-01"]}, "no day"),
        (["2025-10-01", None], {}, "no day"),
    ],
)
def test_a_row_of_no_day_that_is_built_is_refused(
    house: House, days: list[str | None], planned: dict[str, list[str]], found: str
) -> None:
    path, limits = house.gold.warehouse.path, house.gold._settings
    with pytest.raises(DbtError) as refused:
        build_gold(SPEC, path, revenue(*days), {"fct_finance_revenue": planned}, limits)
    said = f"gold.fct_finance_revenue has a row of {found}, which is not a day that is built"
    assert said in str(refused.value)
    assert "error of the model" in refused.value.hint
