"""One run, many processes: they do its steps between them, and it ends once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from unittest import mock

import pytest

from medallion.errors import LockedError, RequestError
from medallion.lake.store import Lake
from medallion.runs.folder import RunFolder
from medallion.runs.lease import read_lease
from medallion.runs.lifecycle import Run, Status, alone, holder
from medallion.storage import LocalStorage

SCOPE = {"bronze.plan_run", "enriched.sales_velocity"}
PLAN, VELOCITY = sorted(SCOPE)


@dataclass
class Heard:
    """What the listeners of all processes were told."""

    ended: list[tuple[str, Status]] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)
    left: int = 0


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def process(tmp_path: Path, heard: Heard) -> Callable[..., Run]:
    """A process of a run that begins; they are told apart as if each had a machine of its own."""
    machines = count(1)

    def begin(
        run_id: str = "r",
        *,
        is_shared: bool = True,
        minutes: float = 60,
        lake: str = "silver",
        bronze: str = "",
    ) -> Run:
        run = Run(
            RunFolder(LocalStorage(tmp_path / "runs"), run_id),
            Lake(tmp_path / lake),
            tmp_path / ("locks" if lake == "silver" else f"locks of {lake}"),
            is_shared,
            minutes,
            bronze,
        )
        run.on_end.append(lambda folder, status, _: heard.ended.append((folder.run_id, status)))
        run.on_dead.append(lambda folder: heard.dead.append(folder.run_id))
        run.on_leave.append(lambda: setattr(heard, "left", heard.left + 1))
        with mock.patch("socket.gethostname", return_value=f"host{next(machines)}"):
            run.begin({"run_id": run_id} if is_shared else {})
        return run

    return begin


def do(run: Run, step: str) -> None:
    run.begin_step(step)
    run.end_step(step, {"seconds": 0.1})


def lease_of(tmp_path: Path, lake: str = "silver") -> str | None:
    note = read_lease(LocalStorage(tmp_path / lake))
    return note.run_id if note else None


# A process that begins a run and a step of it, and is killed while it is at it.
CHILD = """
import sys
from pathlib import Path
from medallion.lake.store import Lake
from medallion.runs.folder import RunFolder
from medallion.runs.lifecycle import Run
from medallion.storage import LocalStorage
top, run_id, is_shared = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "shared"
folder = RunFolder(LocalStorage(top / "runs"), run_id)
run = Run(folder, Lake(top / "silver"), top / "locks", is_shared)
run.begin({"run_id": run_id} if is_shared else {})
run.begin_step("bronze.plan_run")
print("begun", flush=True)
sys.stdin.read()
"""


def kill_a_process_of(run_id: str, tmp_path: Path, shared: str = "shared") -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path), run_id, shared],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "begun\n"
    process.kill()
    process.communicate()


class TestSharedRun:
    def test_it_ends_with_the_last_of_its_processes_whoever_did_its_steps(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        one, other = process(), process()
        do(one, PLAN)
        do(other, VELOCITY)
        assert not other.end("succeeded", SCOPE)
        assert (heard.ended, heard.left) == ([], 1)
        assert one.end("succeeded", SCOPE)
        assert (heard.ended, heard.left) == ([("r", "succeeded")], 2)
        assert one.folder.ended() == {"status": "succeeded"}
        assert one.folder.steps().keys() == SCOPE
        assert lease_of(tmp_path) is None

    def test_it_ends_with_a_process_that_was_refused_if_all_steps_are_done(
        self, process: Callable[..., Run], heard: Heard
    ) -> None:
        one, refused = process(), process()
        do(one, PLAN)
        do(one, VELOCITY)
        assert not one.end("succeeded", SCOPE)
        assert refused.end("failed", SCOPE, ValueError("refused"))
        assert heard.ended == [("r", "succeeded")]

    def test_a_step_that_is_being_done_again_is_not_done(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        one, other = process(), process()
        do(one, PLAN)
        do(one, VELOCITY)
        other.begin_step(VELOCITY)
        assert one.folder.steps().keys() == {PLAN}
        assert not one.end("succeeded", SCOPE)
        assert lease_of(tmp_path) == "r"
        assert not other.end("failed", SCOPE, ValueError("no"))
        assert (heard.ended, one.folder.ended()) == ([], None)

    def test_of_processes_that_end_at_the_same_time_exactly_one_ends_it(
        self, process: Callable[..., Run], heard: Heard
    ) -> None:
        runs = [process() for _ in range(6)]
        do(runs[0], PLAN)
        do(runs[1], VELOCITY)
        with ThreadPoolExecutor(len(runs)) as pool:
            ended = list(pool.map(lambda run: run.end("succeeded", SCOPE), runs))
        assert sorted(ended) == [False] * 5 + [True]
        assert (heard.ended, heard.left) == ([("r", "succeeded")], 6)

    def test_a_process_that_comes_while_the_run_ends_is_told_that_it_has_ended(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        run = process()
        do(run, PLAN)
        do(run, VELOCITY)
        with ThreadPoolExecutor(1) as pool:
            late: list[Future[Run]] = []
            run.on_end.append(lambda *_: late.append(pool.submit(process)))
            assert run.end("succeeded", SCOPE)
            with pytest.raises(RequestError, match="Run r has ended"):
                late[0].result(timeout=30)
        assert heard.ended == [("r", "succeeded")]
        assert lease_of(tmp_path) is None
        process("another")

    def test_it_goes_on_until_all_steps_are_done(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        first = process()
        do(first, PLAN)
        assert not first.end("succeeded", SCOPE)
        assert (heard.ended, heard.left) == ([], 1)
        assert first.folder.ended() is None
        assert lease_of(tmp_path) == "r"
        second = process()
        do(second, VELOCITY)
        assert second.end("succeeded", SCOPE)
        assert heard.ended == [("r", "succeeded")]
        assert lease_of(tmp_path) is None

    def test_a_step_that_failed_leaves_it_open_and_can_be_done_again(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        first = process()
        do(first, PLAN)
        first.begin_step(VELOCITY)
        assert not first.end("failed", SCOPE, ValueError("no"))
        assert (heard.ended, first.folder.ended()) == ([], None)
        assert lease_of(tmp_path) == "r"
        second = process()
        do(second, VELOCITY)
        assert second.end("succeeded", SCOPE)
        assert heard.ended == [("r", "succeeded")]

    def test_a_step_that_another_process_does_is_refused_until_it_is_done(
        self, process: Callable[..., Run]
    ) -> None:
        one, other = process(), process()
        one.begin_step(VELOCITY)
        with pytest.raises(LockedError, match=f"Another process does {VELOCITY} of run r"):
            other.begin_step(VELOCITY)
        do(other, PLAN)
        one.end_step(VELOCITY, {})
        do(other, VELOCITY)

    def test_a_process_that_ends_lets_go_of_the_step_it_was_at(
        self, process: Callable[..., Run]
    ) -> None:
        one, other = process(), process()
        one.begin_step(VELOCITY)
        one.end("failed", SCOPE)
        do(other, VELOCITY)

    def test_a_step_of_a_killed_process_can_be_taken(
        self, process: Callable[..., Run], tmp_path: Path
    ) -> None:
        kill_a_process_of("r", tmp_path)
        run = process()
        do(run, PLAN)
        assert run.folder.steps().keys() == {PLAN}

    def test_it_keeps_others_away_between_its_processes(
        self, process: Callable[..., Run], heard: Heard
    ) -> None:
        process().end("succeeded", SCOPE)
        with pytest.raises(LockedError, match="Another run holds the lake"):
            process("another")
        assert heard.dead == []

    def test_once_it_has_ended_nobody_joins_it_and_the_lake_stays_free(
        self, process: Callable[..., Run], tmp_path: Path
    ) -> None:
        run = process()
        do(run, PLAN)
        do(run, VELOCITY)
        run.end("succeeded", SCOPE)
        with pytest.raises(RequestError, match="Run r has ended"):
            process()
        assert lease_of(tmp_path) is None
        process("another")

    def test_interrupted_it_can_be_gone_on_with(
        self, process: Callable[..., Run], heard: Heard
    ) -> None:
        first = process()
        do(first, PLAN)
        assert not first.end("interrupted", SCOPE)
        second = process()
        do(second, VELOCITY)
        assert second.end("succeeded", SCOPE)
        assert heard.ended == [("r", "succeeded")]

    def test_interrupted_it_gives_way_to_another_run_which_buries_it(
        self, process: Callable[..., Run], heard: Heard
    ) -> None:
        process().end("interrupted", SCOPE)
        process("another", is_shared=False).end("succeeded", SCOPE)
        assert (heard.dead, heard.ended) == (["r"], [("another", "succeeded")])

    def test_it_is_closed_once_by_whoever_closes_it(
        self, process: Callable[..., Run], heard: Heard
    ) -> None:
        one, other = process(), process()
        one.close("closed")
        other.close("closed")
        assert heard.ended == [("r", "closed")]


class TestRunWhoseEndCannotBeWrittenDown:
    """The disk is full at that instant: it has not ended, and the next run ends it."""

    @pytest.mark.parametrize("is_shared", [True, False])
    def test_the_next_run_on_the_lake_ends_it_and_need_not_wait(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path, *, is_shared: bool
    ) -> None:
        run = process(is_shared=is_shared)
        do(run, PLAN)
        do(run, VELOCITY)
        run.on_end.insert(0, mock.Mock(side_effect=OSError(28, "No space left on device")))
        assert not run.end("succeeded", SCOPE)
        assert (run.folder.ended(), heard.ended) == (None, [])
        process("next", is_shared=False).end("succeeded", SCOPE)
        assert heard.dead == ["r"]
        assert RunFolder(LocalStorage(tmp_path / "runs"), "r").ended() is not None

    def test_it_stays_to_be_ended_as_long_as_that_fails(
        self, process: Callable[..., Run], tmp_path: Path
    ) -> None:
        kill_a_process_of("r", tmp_path, "alone")
        folder = RunFolder(LocalStorage(tmp_path / "runs"), "r")
        run = process("next", is_shared=False)
        assert folder.ended() == {"status": "killed"}
        run.end("succeeded", SCOPE)

        kill_a_process_of("s", tmp_path, "alone")
        folder = RunFolder(LocalStorage(tmp_path / "runs"), "s")
        full = mock.patch.object(RunFolder, "end", side_effect=OSError(28, "No space left"))
        with full:
            run = process("another", is_shared=True)
        assert folder.ended() is None


class TestRunsOnOtherLakes:
    """Their folders are beside each other: what is guarded is the lake."""

    def test_a_waiting_run_is_not_buried_by_one_on_another_lake(
        self, process: Callable[..., Run], heard: Heard
    ) -> None:
        first = process()
        do(first, PLAN)
        first.end("succeeded", SCOPE)
        process("another", is_shared=False, lake="other").end("succeeded", SCOPE)
        assert heard.dead == []
        second = process()
        do(second, VELOCITY)
        assert second.end("succeeded", SCOPE)

    def test_a_dead_run_is_buried_by_the_next_one_on_its_own_lake(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        kill_a_process_of("r", tmp_path, "alone")
        process("elsewhere", is_shared=False, lake="other").end("succeeded", SCOPE)
        assert heard.dead == []
        process("here", is_shared=False).end("succeeded", SCOPE)
        assert heard.dead == ["r"]

    @pytest.mark.parametrize("elsewhere", [{"lake": "other"}, {"bronze": "other"}])
    def test_a_run_is_not_joined_on_other_data_and_these_stay_free(
        self, process: Callable[..., Run], tmp_path: Path, elsewhere: dict[str, str]
    ) -> None:
        process(bronze="delivered").end("succeeded", SCOPE)
        with pytest.raises(RequestError, match="Run r works on other data") as refused:
            process(**{"bronze": "delivered", **elsewhere})
        assert "other now" in refused.value.details[0]
        assert lease_of(tmp_path, "other") is None
        process(bronze="delivered")


class TestRunOfOneProcess:
    @pytest.mark.parametrize("status", ["succeeded", "failed", "interrupted"])
    def test_it_ends_with_its_process_whatever_is_left_to_do(
        self, status: Status, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        run = process(is_shared=False)
        do(run, PLAN)
        assert run.end(status, SCOPE)
        assert (heard.ended, heard.left) == ([("r", status)], 1)
        assert run.folder.ended() == {"status": status}
        assert lease_of(tmp_path) is None
        assert list((tmp_path / "locks").iterdir()) == []

    def test_it_ends_once(self, process: Callable[..., Run], heard: Heard) -> None:
        run = process(is_shared=False)
        assert run.end("failed", SCOPE)
        assert not run.end("interrupted", SCOPE)
        assert (heard.ended, heard.left) == ([("r", "failed")], 1)

    def test_a_beginning_that_fails_leaves_the_lake_free(
        self, process: Callable[..., Run], tmp_path: Path
    ) -> None:
        process(is_shared=False).end("succeeded", SCOPE)
        with pytest.raises(RequestError, match="has ended"):
            process(is_shared=False)
        assert lease_of(tmp_path) is None


class TestDeadRun:
    def test_it_is_buried_once(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        kill_a_process_of("dead", tmp_path, "alone")
        for run_id in ("next", "one-more"):
            process(run_id, is_shared=False).end("succeeded", SCOPE)
        assert heard.dead == ["dead"]
        assert RunFolder(LocalStorage(tmp_path / "runs"), "dead").ended() == {"status": "killed"}
        assert heard.ended == [("next", "succeeded"), ("one-more", "succeeded")]

    def test_it_is_not_joined_any_more(self, process: Callable[..., Run], tmp_path: Path) -> None:
        kill_a_process_of("dead", tmp_path, "alone")
        process("next", is_shared=False).end("succeeded", SCOPE)
        with pytest.raises(RequestError, match="Run dead has ended"):
            process("dead")

    def test_a_killed_process_of_a_shared_run_does_not_end_the_run(
        self, process: Callable[..., Run], heard: Heard, tmp_path: Path
    ) -> None:
        kill_a_process_of("shared", tmp_path)
        with pytest.raises(LockedError):
            process("another", is_shared=False)
        run = process("shared")
        do(run, PLAN)
        do(run, VELOCITY)
        assert run.end("succeeded", SCOPE)
        assert (heard.dead, heard.ended) == ([], [("shared", "succeeded")])


class TestCommandThatIsAlone:
    def test_it_keeps_runs_away_and_leaves_the_lake_free(
        self, process: Callable[..., Run], tmp_path: Path
    ) -> None:
        lake, locks = Lake(tmp_path / "silver"), tmp_path / "locks"
        with alone(lake, locks, "lake-check"):
            assert holder(lake, locks).startswith("lake-check-")
            with pytest.raises(LockedError, match="lake-check-"):
                process(is_shared=False)
        assert holder(lake, locks) == ""
        process(is_shared=False).end("succeeded", SCOPE)

    def test_it_is_refused_while_a_run_is_at_work(self, process: Callable[..., Run]) -> None:
        run = process()
        with (
            pytest.raises(LockedError, match="Another run holds the lake"),
            alone(run.lake, run.locks, "lake-check"),
        ):
            pytest.fail("it went on")
        assert holder(run.lake, run.locks) == "r"
