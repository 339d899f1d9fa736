"""What is loaded by which job, within the limits of BigQuery."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.errors import WarehouseError
from medallion.warehouse.bigquery import planning
from medallion.warehouse.bigquery.ledger import Entry, Known
from medallion.warehouse.bigquery.pacing import Pace
from medallion.warehouse.bigquery.planning import Load, TablePlan, plan_table
from medallion.warehouse.bigquery.wanted import Wanted
from tests.warehouse.loading import ORDERS, day, partition

TABLE = "shop-test.shop_base_silver.orders"


def plan(wanted: list[Wanted], known: dict[date, Known] | None = None, birth: int = 1) -> TablePlan:
    return plan_table(ORDERS, TABLE, {one.day: one for one in wanted}, known or {}, birth)


def standing(number: int, content: str, attempts: int = 1) -> Known:
    entry = Entry(
        number=1,
        event="loaded",
        table_name=ORDERS.name,
        day=day(number),
        run_id="r1",
        content=content,
    )
    return Known(stands=entry, attempts=attempts)


def days_of(load: Load | None) -> list[date]:
    return [one.day for one in load.partitions] if load else []


def test_days_of_one_run_are_one_job_and_those_of_others_are_added() -> None:
    found = plan([partition(ORDERS, n, "a" if n < 4 else "a2") for n in range(1, 6)])
    assert found.whole
    assert days_of(found.whole) == [day(1), day(2), day(3)]
    assert found.whole.disposition == "WRITE_TRUNCATE_DATA"
    (other,) = found.loads
    assert (days_of(other), other.disposition) == ([day(4), day(5)], "WRITE_APPEND")


def test_a_day_alone_is_loaded_into_its_partition_also_if_the_table_is_new() -> None:
    found = plan([partition(ORDERS, 1, "a")])
    assert found.whole is None
    assert [(one.destination, one.disposition) for one in found.loads] == [
        (f"{TABLE}$20251001", "WRITE_TRUNCATE")
    ]


def test_days_with_other_columns_are_loaded_by_another_job() -> None:
    narrow = [partition(ORDERS, n, "a") for n in (1, 2, 3)]
    wide = [
        Wanted(one.day, one.rows, one.uris, ("order_id", "units"), one.content)
        for one in (partition(ORDERS, n, "a") for n in (4, 5))
    ]
    found = plan([*narrow, *wide])
    assert [len(one.partitions) for one in found.all_loads] == [3, 2]


@pytest.mark.parametrize(
    ("most", "name", "pieces"),
    [
        (2, "MOST_PARTITIONS_OF_A_JOB", [2, 2, 1]),
        (3, "MOST_FILES_OF_A_JOB", [3, 2]),
    ],
)
def test_a_table_that_is_too_large_for_a_job_is_split(
    most: int, name: str, pieces: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, name, most)
    found = plan([partition(ORDERS, n, "a") for n in range(1, 6)])
    assert [len(one.partitions) for one in found.all_loads] == pieces
    assert [one.disposition for one in found.all_loads][:2] == [
        "WRITE_TRUNCATE_DATA",
        "WRITE_APPEND",
    ]


def test_the_limits_are_those_of_bigquery() -> None:
    assert planning.MOST_PARTITIONS_OF_A_JOB == 4_000
    assert planning.MOST_FILES_OF_A_JOB == 10_000
    assert planning.MOST_PARTITIONS_OF_A_TABLE == 10_000
    assert planning.CHANGES_OF_A_DAY == 30_000


def test_more_days_than_a_table_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MOST_PARTITIONS_OF_A_TABLE", 2)
    with pytest.raises(WarehouseError, match="has 3 days, and a table of BigQuery holds at most 2"):
        plan([partition(ORDERS, n, "a") for n in (1, 2, 3)])


def test_each_partition_says_why_it_is_loaded() -> None:
    unknown = Known(
        stands=Entry(
            number=2, event="unknown", table_name=ORDERS.name, day=day(4), run_id="r", content="d"
        )
    )
    found = plan(
        [partition(ORDERS, n, content) for n, content in ((1, "a"), (2, "b2"), (4, "d"), (5, "e"))],
        {
            day(1): standing(1, "a"),
            day(2): standing(2, "b"),
            day(3): standing(3, "c"),
            day(4): unknown,
        },
    )
    assert found.why == {day(2): "changed", day(3): "removed", day(4): "unknown", day(5): "new"}
    assert found.emptied == (day(3),)
    assert str(found) == ("base_silver.orders: 1 changed, 1 removed, 1 unknown, 1 new; 3 load jobs")


def test_the_next_attempt_follows_the_last_that_is_known_of_the_day() -> None:
    found = plan(
        [partition(ORDERS, 1, "a2"), partition(ORDERS, 2, "b")], {day(1): standing(1, "a", 4)}
    )
    assert [one.attempt for one in found.loads] == [5, 1]


def test_the_id_follows_table_day_files_and_content_and_the_birth_of_the_table_of_loads() -> None:
    (one,) = plan([partition(ORDERS, 1, "a")]).loads
    same = plan([partition(ORDERS, 1, "a")]).loads[0]
    others = [
        plan([partition(ORDERS, 2, "a")]).loads[0],
        plan([partition(ORDERS, 1, "b")]).loads[0],
        plan([partition(ORDERS, 1, "a2")]).loads[0],
        plan([partition(ORDERS, 1, "a")], birth=2).loads[0],
    ]
    assert one.stem == same.stem
    assert len({one.stem, *(other.stem for other in others)}) == 5


DAYS = st.dictionaries(st.integers(1, 12), st.sampled_from(["a", "b", "a2", "b2"]))


@given(wanted=DAYS, held=DAYS)
def test_a_plan_loads_each_partition_that_differs_once_and_no_other(
    wanted: dict[int, str], held: dict[int, str]
) -> None:
    known = {day(n): standing(n, content) for n, content in held.items()}
    found = plan([partition(ORDERS, n, content) for n, content in sorted(wanted.items())], known)
    loaded = [one.day for load in found.all_loads for one in load.partitions]
    assert sorted(loaded) == sorted(day(n) for n, c in wanted.items() if held.get(n) != c)
    assert sorted(found.emptied) == sorted(day(n) for n in held.keys() - wanted.keys())
    assert sorted(found.why) == sorted([*loaded, *found.emptied])
    if held:
        assert all(one.disposition == "WRITE_TRUNCATE" for one in found.all_loads)


def test_one_table_is_not_changed_faster_than_bigquery_takes_it() -> None:
    now = [0.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(sleep, lambda: now[0])
    for _ in range(50):
        pace.wait("orders")
    assert slept == []
    pace.wait("orders")
    assert slept == [10.0]
    pace.wait("carts")
    assert slept == [10.0]
