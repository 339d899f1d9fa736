"""Whatever fails, is lost or is killed: the next runs get there, and nothing is loaded twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medallion.errors import WarehouseError
from tests.warehouse.bigquery_fake import Accident, Asked, Killed, day_of
from tests.warehouse.loading import House, State, published

NOTHING = published("r0")
FIRST = published("r1", orders={1: "a", 2: "b", 3: "c"}, carts={1: "d"})
# A day more, one that differs, one that went, and a table that stays.
SECOND = published("r2", orders={1: "a2", 2: "b", 4: "e"}, carts={1: "d"})
STATES = {"nothing": NOTHING, "first": FIRST, "second": SECOND}
WAYS = [
    pytest.param("nothing", "first", id="all new"),
    pytest.param("first", "second", id="some changed"),
    pytest.param("second", "first", id="back again"),
    pytest.param("first", "nothing", id="all gone"),
]
PASSING: list[Accident] = [
    "lost",
    "answer lost",
    (503, None),
    (403, "rateLimitExceeded"),
]
ACCIDENTS: list[Accident] = ["killed", "killed after", *PASSING]


def get_there(house: House, state: State) -> int:
    """Runs until one succeeds; returns how many it took."""
    for tries in range(1, 6):
        try:
            house.load(state)
        except (Killed, WarehouseError):
            house.server.forget()
        else:
            return tries
    raise AssertionError("five runs did not get there")


def at(number: int, accident: Accident) -> Callable[[Asked], Accident]:
    return lambda asked: accident if asked.number == number else None


def loaded(jobs: list[dict[str, Any]]) -> Counter[tuple[str, date]]:
    """How often each partition was loaded by a job that succeeded."""
    return Counter(
        (job["configuration"]["load"]["destinationTable"]["tableId"].split("$")[0], day_of(uri))
        for job in jobs
        for uri in job["configuration"]["load"]["sourceUris"]
    )


def changed(before: State, after: State) -> set[tuple[str, date]]:
    return {
        (name.split(".")[1], day)
        for name, days in after.tables.items()
        for day, one in days.items()
        if before.tables.get(name, {}).get(day) is None
        or before.tables[name][day].content != one.content
    }


@lru_cache
def having(before: str) -> House:
    """A BigQuery that holds a state."""
    house = House()
    house.load(STATES[before])
    house.server.forget()
    return house


def like(before: str) -> House:
    return House(server=having(before).server.copy())


@lru_cache
def requests_of(before: str, after: str) -> list[Asked]:
    """What a run asks to which nothing happens."""
    house = like(before)
    house.load(STATES[after])
    return list(house.server.asked)


def expect_to_get_there(before: str, after: str, prepare: Callable[[House], None]) -> None:
    """Runs with an accident, then without, and looks what came of it."""
    house = like(before)
    done = len(house.server.succeeded())
    prepare(house)
    get_there(house, STATES[after])
    assert house.is_as(STATES[after])
    changes = changed(STATES[before], STATES[after])
    assert loaded(house.server.succeeded()[done:]) == Counter(changes)
    house.server.forget()
    house.load(STATES[after])
    assert [one for one in house.server.asked if one.load] == []


@pytest.mark.parametrize("looks", [0, 1], ids=["done at once", "still running"])
@pytest.mark.parametrize("accident", ["killed", "killed after"])
@pytest.mark.parametrize(("before", "after"), WAYS)
def test_a_kill_at_any_change_neither_loads_twice_nor_leaves_anything_out(
    before: str, after: str, accident: Accident, looks: int
) -> None:
    changes = [one.number for one in requests_of(before, after) if one.changes]
    assert len(changes) > 2
    for number in changes:

        def prepare(house: House, number: int = number) -> None:
            house.server.looks = looks
            house.server.accident = at(number, accident)

        expect_to_get_there(before, after, prepare)


@pytest.mark.parametrize("looks", [0, 1], ids=["done at once", "still running"])
@pytest.mark.parametrize("accident", ["killed", "killed after"])
def test_what_a_killed_run_has_loaded_is_known_also_if_another_state_is_published_then(
    accident: Accident, looks: int
) -> None:
    for asked in requests_of("first", "second"):
        if asked.changes:
            house = like("first")
            house.server.looks = looks
            house.server.accident = at(asked.number, accident)
            with pytest.raises(Killed):
                house.load(SECOND)
            house.server.forget()
            house.load(FIRST)
            assert house.is_as(FIRST), asked


def test_a_content_that_comes_back_is_loaded_again() -> None:
    house = like("first")
    for state in (SECOND, FIRST, SECOND, FIRST):
        house.load(state)
        assert house.is_as(state)


@pytest.mark.parametrize("accident", PASSING, ids=str)
def test_what_passes_at_any_request_is_tried_again_in_the_same_run(accident: Accident) -> None:
    for asked in requests_of("first", "second"):
        house = like("first")
        house.server.accident = at(asked.number, accident)
        house.load(SECOND)
        assert house.is_as(SECOND), asked
        jobs = house.server.succeeded()[len(having("first").server.succeeded()) :]
        assert loaded(jobs) == Counter(changed(FIRST, SECOND)), asked


@given(st.data())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_after_any_history_of_states_and_accidents_bigquery_holds_what_is_published(
    data: st.DataObject,
) -> None:
    house = House(workers=data.draw(st.sampled_from([1, 3]), "workers"))
    for number in range(data.draw(st.integers(1, 4), "runs")):
        days = st.dictionaries(st.integers(1, 4), st.sampled_from(["a", "a2"]), max_size=4)
        state = published(f"r{number}", orders=data.draw(days), carts=data.draw(days))
        house.server.looks = data.draw(st.integers(0, 2), "looks")
        house.server.accident = at(
            data.draw(st.integers(1, 40), "at"), data.draw(st.sampled_from(ACCIDENTS), "accident")
        )
        with suppress(Killed, WarehouseError):
            house.load(state)
        house.server.forget()
    get_there(house, state)
    assert house.is_as(state)
    house.server.forget()
    house.load(state)
    assert [one for one in house.server.asked if one.load] == []
