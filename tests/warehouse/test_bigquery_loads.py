"""What is published stands in BigQuery, each partition by one job, whatever is lost on the way."""

from __future__ import annotations

from tests.warehouse.loading import CARTS, ORDERS, House, day, published

TWO_DAYS = published("r1", orders={1: "a", 2: "b"}, carts={1: "c", 2: "d"})


def test_a_table_of_new_days_is_loaded_by_one_job() -> None:
    house = House()
    assert house.load(TWO_DAYS) == ("base_silver.carts", "base_silver.orders")
    assert house.is_as(TWO_DAYS)
    assert len(house.server.loads) == 2
    assert {job["configuration"]["load"]["writeDisposition"] for job in house.server.loads} == {
        "WRITE_TRUNCATE_DATA"
    }


def test_what_stands_is_not_loaded_again() -> None:
    house = House()
    house.load(TWO_DAYS)
    house.server.forget()
    house.load(TWO_DAYS)
    assert [one for one in house.server.asked if one.load] == []


def test_a_day_that_differs_is_loaded_by_a_job_of_its_own_into_its_partition() -> None:
    house = House()
    house.load(TWO_DAYS)
    before = len(house.server.loads)
    changed = published("r2", orders={1: "a", 2: "x"}, carts={1: "c", 2: "d", 3: "e"})
    house.load(changed)
    assert set(house.holds(ORDERS)) == {day(1), day(2)}
    loads = [job["configuration"]["load"] for job in house.server.loads[before:]]
    assert [load["destinationTable"]["tableId"] for load in loads] == [
        "orders$20251002",
        "carts$20251003",
    ]
    assert {load["writeDisposition"] for load in loads} == {"WRITE_TRUNCATE"}
    assert house.holds(CARTS)[day(3)] == list(changed.tables[CARTS.name][day(3)].uris)
