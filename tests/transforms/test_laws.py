"""What holds of all ten transforms, whatever the shop."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from medallion.spec import INGESTION_DAY, Spec
from medallion.transforms import TRANSFORMS
from tests.transforms.shops import LAST_DAY, Shop, shops
from tests.transforms.tables import Row, day, enriched_schema, frame, transform

WEEK = [day(number) for number in range(1, LAST_DAY + 1)]
LAW = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def tables(spec: Spec, shop: Shop, seed: int | None = None) -> dict[str, pl.LazyFrame]:
    """All inputs of all transforms, rows shuffled by a seed."""
    frames = {}
    for name, given_rows in shop.items():
        rows = list(given_rows)
        if seed is not None:
            random.Random(seed).shuffle(rows)  # noqa: S311
        frames[name] = frame(spec, name, rows)
    for name in ("attributed_purchases", "cart_attribution"):
        made = transform(spec, name, WEEK, frames).collect()
        frames[name] = (
            made if seed is None else made.sample(fraction=1, shuffle=True, seed=seed)
        ).lazy()
    return frames


def made(spec: Spec, name: str, days: list[date], inputs: dict[str, pl.LazyFrame]) -> pl.LazyFrame:
    return transform(spec, name, days, inputs, horizon=WEEK[-1], first_order_day=day(2))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_result_has_the_columns_and_types_of_the_spec(spec: Spec, name: str) -> None:
    assert transform(spec, name, WEEK, {}).collect_schema() == pl.Schema(
        enriched_schema(spec, name)
    )


@pytest.mark.parametrize("name", TRANSFORMS)
def test_no_days_make_no_rows(spec: Spec, name: str) -> None:
    result = transform(spec, name, [], {}, horizon=day(1)).collect()
    assert result.is_empty()
    assert result.schema == pl.Schema(enriched_schema(spec, name))


def test_there_is_a_transform_for_every_enriched_table_of_the_spec(spec: Spec) -> None:
    assert set(TRANSFORMS) == set(spec.transforms)


@LAW
@given(shop=shops())
def test_rows_are_sorted_by_day_and_grain_and_unique(spec: Spec, shop: Shop) -> None:
    inputs = tables(spec, shop)
    for name in TRANSFORMS:
        grain = [INGESTION_DAY, *spec.transforms[name].grain]
        keys = made(spec, name, WEEK, inputs).select(grain).collect()
        assert_frame_equal(keys, keys.unique().sort(grain, nulls_last=True))


@LAW
@given(shop=shops(), seed=st.integers(0, 9))
def test_the_order_of_the_input_rows_does_not_matter(spec: Spec, shop: Shop, seed: int) -> None:
    plain, shuffled = tables(spec, shop), tables(spec, shop, seed)
    for name in TRANSFORMS:
        expected = made(spec, name, WEEK, plain).collect()
        assert_frame_equal(made(spec, name, WEEK, shuffled).collect(), expected, check_exact=True)


@LAW
@given(shop=shops(), days=st.sets(st.sampled_from(WEEK), min_size=2))
def test_a_window_is_its_days_one_by_one(spec: Spec, shop: Shop, days: set[date]) -> None:
    inputs = tables(spec, shop)
    for name in TRANSFORMS:
        window = made(spec, name, sorted(days), inputs).collect()
        one_by_one = [made(spec, name, [day], inputs).collect() for day in sorted(days)]
        assert_frame_equal(window, pl.concat(one_by_one), check_exact=True)


@LAW
@given(shop=shops())
def test_both_engines_give_the_same(spec: Spec, shop: Shop) -> None:
    inputs = tables(spec, shop)
    for name in TRANSFORMS:
        query = made(spec, name, WEEK, inputs)
        streamed, in_memory = query.collect(engine="streaming"), query.collect(engine="in-memory")
        assert_frame_equal(streamed, in_memory, check_exact=True)


@LAW
@given(shop=shops())
def test_flags_are_never_null(spec: Spec, shop: Shop) -> None:
    inputs = tables(spec, shop)
    for name, described in spec.transforms.items():
        flags = [c for c, kind in described.columns.items() if kind == "bool"]
        # whether an order is expedited is a fact of the order, not derived here
        derived = [flag for flag in flags if flag != "is_expedited"]
        nulls = made(spec, name, WEEK, inputs).select(pl.col(derived).null_count()).collect()
        assert not sum(nulls.row(0)) if derived else True


def total(rows: list[Row], column: str) -> object:
    return sum(row[column] or 0 for row in rows)


@LAW
@given(shop=shops())
def test_rows_and_money_are_conserved(spec: Spec, shop: Shop) -> None:
    inputs = tables(spec, shop)

    def result(name: str) -> pl.DataFrame:
        return made(spec, name, WEEK, inputs).collect()

    orders, carts, returns = shop["orders"], shop["shopping_carts"], shop["returns"]
    assert result("attributed_purchases").height == len(orders)
    assert result("shipping_economics").height == len(orders)
    assert result("cart_attribution").height == len(carts)
    regional, daily = result("regional_financials"), result("daily_business_metrics")
    for sums in (regional, daily):
        assert sums["orders"].sum() == len(orders)
        assert sums["net_revenue"].sum() == total(orders, "net_total")
        assert sums["refunds"].sum() == total(returns, "refunded_amount")
    ends = ["converted_carts", "abandoned_carts", "open_carts", "emptied_carts"]
    assert sum(daily[name].sum() for name in ends) == daily["carts"].sum() == len(carts)
    assert daily["new_customers"].sum() == len({row["customer_id"] for row in orders})
    products = result("product_performance")
    assert products["units_sold"].sum() == total(shop["order_items"], "quantity")
    assert products["refunds"].sum() == total(shop["return_items"], "refunded_amount")
    assert products["units_in_carts"].sum() == total(shop["cart_items"], "quantity")
    assert result("sales_velocity")["units_day"].sum() == total(shop["order_items"], "quantity")
    worth = made(spec, "customer_lifetime_value", WEEK[-1:], inputs).collect()
    assert worth["net_revenue"].sum() == total(orders, "net_total")


def test_the_number_of_threads_does_not_matter(tmp_path: Path) -> None:
    child = Path(__file__).with_name("threads_child.py")
    written = []
    for threads in ("1", "2", "5"):
        folder = tmp_path / threads
        folder.mkdir()
        environment = {**os.environ, "POLARS_MAX_THREADS": threads}
        subprocess.run([sys.executable, str(child), str(folder)], env=environment, check=True)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert len(written[0]) == len(TRANSFORMS)
    assert written[0] == written[1] == written[2]
