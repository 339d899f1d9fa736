"""Gold in BigQuery is taken over in one step, and what it is made from is known with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import lru_cache

import pytest

from medallion.errors import WarehouseError
from medallion.lake.manifest import fingerprint
from medallion.warehouse.bigquery.failures import CallError
from medallion.warehouse.bigquery.notes import MARTS
from tests.warehouse.bigquery_fake import Accident, Asked, Killed
from tests.warehouse.bigquery_marts import House, day

State = tuple[dict[str, str], str]
FIRST: State = ({day(1): "a", day(2): "b", day(3): "c"}, "one")
# A day more, one that differs, one that has left.
SECOND: State = ({day(1): "a", day(2): "b2", day(4): "d"}, "two")
STATES = {"first": FIRST, "second": SECOND}
PASSING: list[Accident] = ["lost", "answer lost", (503, None), (403, "rateLimitExceeded")]


@lru_cache
def having(state: str) -> House:
    house = House()
    house.run("r1", *STATES[state])
    return house


@pytest.fixture
def house() -> House:
    """Gold of the first state."""
    return like("first")


def like(state: str) -> House:
    server = having(state).server.copy()
    return House(server)


def is_as(house: House, state: State) -> bool:
    days, word = state
    return house.holds() == (days, [word])


def at(number: int, accident: Accident) -> Callable[[Asked], Accident]:
    return lambda asked: accident if asked.number == number else None


def taking_over(state: str = "second") -> list[Asked]:
    """What a take-over asks to which nothing happens."""
    house = like("first")
    build = house.build("r2", *STATES[state])
    house.server.forget()
    house.gold.accept(build)
    return list(house.server.asked)


def test_days_that_changed_are_replaced_and_those_that_left_go(house: House) -> None:
    house.run("r2", *SECOND)
    assert is_as(house, SECOND)
    assert house.gold.made_from() == fingerprint(list(SECOND))
    assert house.gold.state().made_from == {"fct_daily": SECOND[0], "dim_all": {"whole": "two"}}


def test_a_second_run_asks_what_stands_and_does_nothing(house: House) -> None:
    house.server.forget()
    house.run("r2", *FIRST)
    assert [one for one in house.server.asked if one.changes] == []


def test_all_marts_change_in_one_job(house: House) -> None:
    build = house.build("r2", *SECOND)
    house.server.forget()
    house.gold.accept(build)
    sql = [
        one.body["configuration"]["query"]["query"]
        for one in house.server.asked
        if "query" in one.body.get("configuration", {})
    ]
    (script,) = [one for one in sql if not one.startswith("select")]
    assert script.startswith("begin transaction;\n")
    assert script.endswith("commit transaction;\n")
    assert script.count("delete from") == script.count("insert into") - 1 == 2


@pytest.mark.parametrize("looks", [0, 1], ids=["done at once", "still running"])
@pytest.mark.parametrize("accident", ["killed", "killed after"])
def test_a_kill_at_any_request_leaves_one_whole_state_that_is_told_rightly(
    accident: Accident, looks: int
) -> None:
    asked = taking_over()
    assert len(asked) > 4
    for one in asked:
        house = like("first")
        build = house.build("r2", *SECOND)
        house.server.forget()
        house.server.looks, house.server.is_slow = looks, lambda load: not load
        house.server.accident = at(one.number, accident)
        with pytest.raises(Killed):
            house.gold.accept(build)
        house.server.forget()
        stamp = house.gold.made_from()
        told = {fingerprint(list(state)): state for state in (FIRST, SECOND)}[stamp]
        house.server.finish()
        assert is_as(house, told), one
        # Another state may be wanted next, also the one that there was.
        for state in (FIRST, SECOND):
            house.run("r3", *state)
            assert is_as(house, state), one


@pytest.mark.parametrize("accident", PASSING, ids=str)
def test_what_passes_is_tried_again_and_nothing_is_done_twice(accident: Accident) -> None:
    for one in taking_over():
        house = like("first")
        build = house.build("r2", *SECOND)
        house.server.forget()
        house.server.accident = at(one.number, accident)
        house.gold.accept(build)
        assert is_as(house, SECOND), one
        scripts = [job for name, job in house.server.jobs.items() if "medallion-gold" in name]
        # That of the first state is the other one.
        assert len(scripts) == 2, one


def test_a_table_that_was_made_anew_is_filled_anew(house: House) -> None:
    for name in ("shop_gold.fct_daily", "shop_gold_build.fct_daily"):
        del house.server.tables[name]
    assert house.gold.made_from() == ""
    house.run("r2", *FIRST)
    assert is_as(house, FIRST)


def test_what_somebody_has_changed_is_built_again_when_it_is_asked_for(house: House) -> None:
    house.rows("fct_daily")[1]["made"] = "something else"
    house.run("r2", *FIRST)
    assert not is_as(house, FIRST)
    house.gold.again("fct_daily", ())
    assert house.gold.made_from() == ""
    house.run("r2", *FIRST)
    assert is_as(house, FIRST)


def test_a_day_that_is_not_there_cannot_be_built_again(house: House) -> None:
    with pytest.raises(WarehouseError, match="fct_daily has no day 2025-10-09") as refused:
        house.gold.again("fct_daily", (date(2025, 10, 9),))
    assert "2025-10-01 to 2025-10-03" in refused.value.hint
    with pytest.raises(WarehouseError, match="no mart fct_dialy"):
        house.gold.again("fct_dialy", ())


def test_rows_that_are_not_those_that_were_built_are_an_error(house: House) -> None:
    build = house.build("r2", *SECOND)
    build.result.counts["dim_all"].accepted = 7
    with pytest.raises(WarehouseError, match="other rows than were built") as refused:
        house.gold.accept(build)
    assert refused.value.details == ["dim_all: 1 rows, not 7"]


def test_a_refused_take_over_changes_nothing(house: House) -> None:
    build = house.build("r2", *SECOND)
    house.server.forget()
    house.server.accident = lambda asked: (
        (403, "accessDenied") if "begin transaction" in str(asked.body) else None
    )
    with pytest.raises(CallError, match="accessDenied"):
        house.gold.accept(build)
    house.server.forget()
    assert is_as(house, FIRST)
    assert house.gold.made_from() == fingerprint(list(FIRST))


def test_without_a_table_of_marts_nothing_stands() -> None:
    house = House()
    assert house.gold.made_from() == ""
    assert house.gold.state().made_from == {}
    assert house.calls.table(house.calls.settings.table(MARTS)) is None
