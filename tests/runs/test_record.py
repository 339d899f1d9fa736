"""What is known of a run, from the events of all its processes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from medallion import events
from medallion.runs.journal import Journal
from medallion.runs.record import compiled

NOON = datetime(2025, 10, 1, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def started(at: float) -> events.RunStarted:
    return events.RunStarted(
        at=after(at),
        process="host-1",
        environment="local",
        pipelines=(),
        parameters={},
        git_sha=None,
        code_version="1",
        config_hash="2",
    )


def test_a_run_lasts_from_its_first_process_to_its_end() -> None:
    ended = events.RunEnded(at=after(90), status="succeeded")
    record = compiled("r", [ended, started(60), started(0)])
    assert (record.status, record.seconds) == ("succeeded", 90.0)


def test_a_step_that_was_done_again_counts_its_tries_and_forgets_its_error() -> None:
    step = {"step": "enriched.sales_velocity", "layer": "enriched"}
    record = compiled(
        "r",
        [
            events.StepStarted(at=after(0), process="host-1", **step),
            events.StepFinished(at=after(1), seconds=1, cpu_seconds=0.5, error="killed", **step),
            events.StepStarted(at=after(5), process="host-2", **step),
            events.StepFinished(at=after(7), seconds=2, cpu_seconds=1.5, **step),
        ],
    )
    (done,) = record.steps.values()
    assert (done.tries, done.error, done.process) == (2, None, "host-2")
    assert (done.seconds, record.cpu_seconds) == (2, 1.5)


def test_days_that_a_step_made_in_several_tries_count_together() -> None:
    tries = [
        events.TableWritten(
            run_id="r",
            layer="enriched",
            table="sales_velocity",
            partitions=(
                events.PartitionChange(key="ingestion_dt", value=day, status="written", rows=2),
            ),
        )
        for day in ("2025-10-01", "2025-10-02", "2025-10-02")
    ]
    made = compiled("r", tries).enriched["sales_velocity"]
    assert (made["days"], made["rows"]) == (2, 4)


def test_a_run_that_has_ended_keeps_its_end_unless_it_went_on() -> None:
    ended = [events.RunEnded(status="succeeded"), events.RunEnded(status="killed")]
    assert compiled("r", ended).status == "succeeded"
    went_on = [
        ended[0],
        events.StepStarted(step="a.b", layer="a", process="p"),
        events.RunEnded(status="failed"),
    ]
    assert compiled("r", went_on).status == "failed"


def test_a_run_that_only_made_the_same_again_did_nothing() -> None:
    same = events.PartitionChange(value="2025-10-01", status="unchanged")
    table = events.TableWritten(
        at=after(1), run_id="r", layer="enriched", table="x", partitions=(same,)
    )
    plan = events.PlanMade(
        at=after(0), mode="pending", days=(), horizon=date(2025, 10, 1), summary={}
    )
    assert compiled("r", [plan, table]).did_nothing
    changed = table.model_copy(
        update={"partitions": (same.model_copy(update={"status": "written"}),)}
    )
    assert not compiled("r", [plan, changed]).did_nothing


def test_events_are_read_back_as_they_were_written_by_all_processes(tmp_path: Path) -> None:
    warned = events.Warned(at=after(1), message="slow", logger="medallion")
    Journal(tmp_path, "r").write(started(0))
    (tmp_path / "r" / "events" / "elsewhere-1.jsonl").write_bytes(
        events.EVENT.dump_json(warned) + b"\n"
    )
    assert sorted(Journal(tmp_path, "r").read(), key=lambda e: e.at) == [started(0), warned]


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "r")
    journal.write(started(0))
    (file,) = (tmp_path / "r" / "events").iterdir()
    file.write_bytes(file.read_bytes() + b'{"kind": "warn')
    assert list(journal.read()) == [started(0)]
    (file,) = (tmp_path / "r" / "events").iterdir()


def test_progress_is_shown_and_not_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "r")
    journal.write(events.Progress(layer="gold", item="fct_orders", done=False))
    assert list(journal.read()) == []


def test_a_listener_hears_only_what_is_announced_meanwhile() -> None:
    heard: list[events.Event] = []
    with events.listening(heard.append):
        events.announce(started(0))
    events.announce(started(1))
    assert heard == [started(0)]
