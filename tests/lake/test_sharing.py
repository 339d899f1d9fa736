"""Steps of one run on several machines see each other's work, and nobody else does."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.errors import PublishError
from medallion.lake.store import Lake
from medallion.storage import LocalStorage
from tests.lake.test_working_copy import NONE, ONE, TABLES, TWO, Content, Dying, Machine, Watched
from tests.lake.test_working_copy import publish as publish_at_once

DAYS = ("2025-10-01", "2025-10-02", "2025-10-03")
ORDERS, VELOCITY = TABLES


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "store")


@pytest.fixture
def machine(tmp_path: Path, storage: LocalStorage) -> Callable[[str], Machine]:
    return lambda name: Machine(tmp_path / name, storage)


def does(
    machine: Machine, run_id: str, seen: Content, table: str, days: dict[str, list[int]]
) -> Content:
    """A step in a process of its own: finds what was made before, writes one table, shares it."""
    machine.copy.begin(run_id)
    assert held(machine) == seen
    after = {name: rows for name, rows in {**seen, table: days}.items() if rows}
    machine.commits(after)
    machine.copy.share(run_id, table, [table])
    return after


def held(machine: Machine) -> Content:
    """What the working copy says, and its files."""
    found: Content = {}
    for table, state in machine.state.whole().tables.items():
        machine.copy.fetch(state.partitions.values())
        for name, manifest in state.partitions.items():
            assert Lake(machine.root).verifies(table, manifest)
            rows = _rows(machine.root / table / name)
            found.setdefault(table, {})[name.partition("=")[2]] = rows
    return found


def _rows(folder: Path) -> list[int]:
    import polars as pl

    return pl.read_parquet(folder / "part-0000.parquet")["n"].to_list()


def test_what_a_step_made_the_next_one_finds_on_another_machine(
    machine: Callable[[str], Machine],
) -> None:
    a, b = machine("a"), machine("b")
    seen = does(a, "r", {}, ORDERS, ONE[ORDERS])
    seen = does(b, "r", seen, VELOCITY, TWO[VELOCITY])
    assert machine("reader").reads() == NONE
    a.copy.begin("r")
    assert held(a) == seen
    done = a.copy.publish("r", {})
    assert done.is_new
    assert machine("reader").reads() == seen


@settings(deadline=None, max_examples=30)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(TABLES),
            st.dictionaries(st.sampled_from(DAYS), st.lists(st.integers(1, 9), min_size=1)),
        ),
        max_size=6,
    ),
    last=st.sampled_from("abcd"),
)
def test_whatever_machine_does_which_step_the_last_publishes_all_of_it(
    steps: list[tuple[str, str, dict[str, list[int]]]],
    last: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("machines")
    storage = LocalStorage(root / "store")
    machines = {name: Machine(root / name, storage) for name in "abcd"}
    publish_at_once(machines["a"], "before", TWO)
    seen = TWO
    for name, table, days in steps:
        seen = does(machines[name], "r", seen, table, days)
        assert Machine(root / "reader", storage).reads() == TWO
    machines[last].copy.begin("r")
    machines[last].copy.publish("r", {})
    assert Machine(root / "reader", storage).reads() == seen


def test_a_process_finds_what_others_share_while_it_lives(
    machine: Callable[[str], Machine],
) -> None:
    a, b = machine("a"), machine("b")
    b.copy.begin("r")
    seen = does(a, "r", {}, ORDERS, ONE[ORDERS])
    assert held(b) == {}
    b.copy.join("r")
    assert held(b) == seen


def test_a_step_shares_what_it_wrote_and_not_what_another_is_writing(
    machine: Callable[[str], Machine],
) -> None:
    a, b = machine("a"), machine("b")
    a.copy.begin("r")
    a.commits(TWO)
    a.copy.share("r", "orders", [ORDERS])
    b.copy.begin("r")
    assert held(b) == {ORDERS: TWO[ORDERS]}


def test_once_published_a_run_goes_on_from_what_it_has_published(
    machine: Callable[[str], Machine],
) -> None:
    a, b = machine("a"), machine("b")
    seen = does(a, "r", {}, ORDERS, ONE[ORDERS])
    a.copy.publish("r", {})
    assert does(b, "r", seen, VELOCITY, TWO[VELOCITY])
    b.copy.publish("r", {})
    assert machine("reader").reads() == {**seen, VELOCITY: TWO[VELOCITY]}


def test_a_run_cannot_go_on_once_another_has_published(machine: Callable[[str], Machine]) -> None:
    does(machine("a"), "r", {}, ORDERS, ONE[ORDERS])
    publish_at_once(machine("other"), "s", TWO)
    with pytest.raises(PublishError, match=r"Run r cannot go on.* run s is current") as told:
        machine("b").copy.begin("r")
    assert "kedro runs close r" in told.value.hint


def test_a_machine_that_dies_while_it_shares_leaves_all_of_the_step_or_nothing(
    machine: Callable[[str], Machine], storage: LocalStorage, tmp_path: Path
) -> None:
    seen = does(machine("a"), "r", {}, ORDERS, ONE[ORDERS])
    for moment in itertools.count(2):
        number, before = divmod(moment, 2)
        watched = Watched(storage, number, before=bool(before))
        dying = Machine(tmp_path / f"dying-{number}-{before}", storage)
        dying.copy.begin("r")
        dying.copy.published = dying.published.__class__(watched, dying.published.cache)
        dying.commits({**seen, VELOCITY: {"2025-10-02": [number]}})
        try:
            dying.copy.share("r", VELOCITY, [VELOCITY])
        except Dying:
            next_one = Machine(tmp_path / f"next-{number}-{before}", storage)
            next_one.copy.begin("r")
            now = held(next_one)
            assert now in (seen, {**seen, VELOCITY: {"2025-10-02": [number]}})
            seen = now
            continue
        assert number > 3
        return
