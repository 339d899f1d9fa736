"""The processes of a run find each other's documents by its id."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medallion.errors import LockedError, RequestError
from medallion.runs.folder import RunFolder, unfinished
from medallion.storage import LocalStorage


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path)


def test_a_process_that_joins_needs_only_the_run_id(storage: LocalStorage) -> None:
    RunFolder(storage, "r").open({"ingest_dt": "2025-10-01", "run_id": "r"})
    assert RunFolder(storage, "r").open({"run_id": "r"}) == {
        "ingest_dt": "2025-10-01",
        "run_id": "r",
    }


def test_a_process_that_asks_for_something_else_is_refused(storage: LocalStorage) -> None:
    RunFolder(storage, "r").open({"ingest_dt": "2025-10-01"})
    with pytest.raises(RequestError) as caught:
        RunFolder(storage, "r").open({"ingest_dt": "2025-10-02"})
    assert "ingest_dt: '2025-10-02' now, '2025-10-01' when it began" in str(caught.value)


def test_a_run_that_has_ended_cannot_be_joined(storage: LocalStorage) -> None:
    folder = RunFolder(storage, "r")
    folder.open({})
    folder.end({"status": "succeeded"})
    with pytest.raises(RequestError, match="Run r has ended"):
        folder.open({})


def test_a_document_is_found_by_another_process(storage: LocalStorage) -> None:
    RunFolder(storage, "r").save("run_plan", '{"days": []}')
    assert RunFolder(storage, "r").load("run_plan") == '{"days": []}'
    assert RunFolder(storage, "other").load("run_plan") is None


def test_steps_that_are_done_are_known_with_what_they_did(storage: LocalStorage) -> None:
    folder = RunFolder(storage, "r")
    folder.finish_step("enriched.sales_velocity", {"seconds": 1.5})
    folder.finish_step("bronze.plan_run", {"seconds": 0.1})
    folder.finish_step("bronze.plan_run", {"seconds": 0.2})
    assert folder.steps() == {
        "bronze.plan_run": {"seconds": 0.2},
        "enriched.sales_velocity": {"seconds": 1.5},
    }


@pytest.mark.parametrize("spoilt", [None, b"\x00", b"[]"])
def test_a_run_of_which_nobody_knows_what_it_was_asked_for_can_be_ended(
    storage: LocalStorage, spoilt: bytes | None
) -> None:
    run = RunFolder(storage, "r")
    run.open({"run_id": "r", "ingest_dt": "2025-10-01"})
    run.save("run_plan", "{}")
    storage.delete("r/request.json")
    if spoilt:
        storage.write("r/request.json", spoilt)
    assert run.is_there()
    run.restore()
    assert run.open({}) == {}
    assert run.load("run_plan") == "{}"


def test_what_a_run_was_asked_for_is_not_forgotten_when_it_is_ended(storage: LocalStorage) -> None:
    run = RunFolder(storage, "r")
    run.open({"run_id": "r"})
    run.restore()
    assert run.request() == {"run_id": "r"}


def test_a_run_is_ended_by_exactly_one_process(storage: LocalStorage) -> None:
    folder = RunFolder(storage, "r")
    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(lambda n: folder.end({"by": n}), range(16)))
    assert ended.count(True) == 1
    assert folder.ended() == {"by": ended.index(True)}


def test_runs_that_have_not_ended_are_found(storage: LocalStorage) -> None:
    for name in ("a", "b", "c"):
        RunFolder(storage, name).open({})
    RunFolder(storage, "b").end({})
    assert [folder.run_id for folder in unfinished(storage)] == ["a", "c"]


def test_a_step_is_taken_by_one_process_until_it_lets_go_or_dies(storage: LocalStorage) -> None:
    living = {"a-1", "b-1"}
    folder = RunFolder(storage, "r")
    folder.take_step("dims.gate", "a-1", living.__contains__)
    folder.take_step("dims.gate", "a-1", living.__contains__)
    with pytest.raises(LockedError, match=r"Another process does dims\.gate of run r \(a-1\)"):
        folder.take_step("dims.gate", "b-1", living.__contains__)
    living.remove("a-1")
    folder.take_step("dims.gate", "b-1", living.__contains__)
    folder.let_go("dims.gate")
    folder.take_step("dims.gate", "c-1", living.__contains__)


def test_of_processes_that_take_a_step_at_once_one_gets_it(storage: LocalStorage) -> None:
    def take(number: int) -> bool:
        try:
            RunFolder(storage, "r").take_step("gold.marts", f"p-{number}", lambda _: True)
        except LockedError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(8))) == 1
