"""What is published stands in BigQuery, each partition by one job, whatever is lost on the way."""

from __future__ import annotations

from typing import Any

from tests.warehouse.bigquery_fake import Asked
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


def test_eight_loads_run_at_a_time_and_never_one_more() -> None:
    days = range(1, 17)
    house = House(workers=8, tables=(ORDERS,))
    house.load(published("r1", orders=dict.fromkeys(days, "a")))
    before = len(house.server.loads)
    # A job goes on for as long as fewer than eight run beside each other and more are to come.
    house.server.looks = 1_000_000
    most = 0

    def watch(_: Asked) -> None:
        nonlocal most
        running = [name for name, job in house.server.jobs.items() if is_running(job)]
        most = max(most, len(running))
        if len(running) == 8 or len(house.server.loads) == before + len(days):
            house.server._waiting |= dict.fromkeys(running, 0)

    house.server.accident = watch
    house.server.is_slow = lambda load: bool(load.get("sourceUris"))
    changed = published("r2", orders=dict.fromkeys(days, "b"))
    house.load(changed)
    assert most == 8
    assert house.is_as(changed)


def is_running(job: dict[str, Any]) -> bool:
    return bool(job["status"]["state"] == "RUNNING")
