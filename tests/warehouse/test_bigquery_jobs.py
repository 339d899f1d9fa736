"""A load job is done once: taken ids, lost answers, burnt numbers, reasons that pass or stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medallion.errors import WarehouseError
from medallion.storage.patience import Patience, be_patient, patience
from medallion.warehouse.bigquery.failures import Kind, kind_of
from tests.warehouse.bigquery_fake import LOCATION, Accident, Asked
from tests.warehouse.loading import ORDERS, House, State, day, published

BEFORE = published("r1", orders={1: "a", 2: "b"})
AFTER = published("r2", orders={1: "a", 2: "b2"})


@pytest.fixture
def house() -> House:
    """Two days stand; another content of the second is published."""
    made = House(tables=(ORDERS,))
    made.load(BEFORE)
    made.server.forget()
    return made


@pytest.fixture
def impatient() -> Any:
    """What fails in passing is waited for until it has failed for a moment."""
    was = patience()
    be_patient(Patience(delay=0.001, factor=1, cap=0.001, total=0.02))
    yield
    be_patient(was)


def submissions(house: House) -> list[Asked]:
    return [one for one in house.server.asked if one.is_data]


def job_ids(house: House) -> list[str]:
    return [one.body["jobReference"]["jobId"] for one in submissions(house)]


def first(accident: Accident, is_meant: Callable[[Asked], bool]) -> Callable[[Asked], Accident]:
    """Lets something happen to the first request that is meant."""
    left = [accident]
    return lambda asked: left.pop() if left and is_meant(asked) else None


def take(house: House, state: State, **said: Any) -> str:
    """Has the id of the next load taken by a job that says other things than it would."""
    known: dict[str, Any] = {}

    def keep(asked: Asked) -> Accident:
        if asked.is_data:
            known.update(asked.body)
            return "killed"
        return None

    other = House(tables=house.tables, server=house.server.copy())
    other.server.accident = keep
    with pytest.raises(BaseException):  # noqa: B017, PT011 - it is killed
        other.load(state)
    job_id: str = known["jobReference"]["jobId"]
    load = {**known["configuration"]["load"], **said.pop("load", {})}
    house.server.jobs[job_id] = {
        **known,
        "configuration": {"load": load},
        "status": {"state": "DONE"},
        "statistics": {"creationTime": "1", "load": {"outputRows": "3"}},
        "_data": b"",
        **said,
    }
    house.server._waiting[job_id] = 0
    return job_id


def test_the_id_names_table_and_day_and_ends_with_the_number_of_the_attempt(house: House) -> None:
    house.load(AFTER)
    (job_id,) = job_ids(house)
    assert job_id.startswith("medallion-base_silver-orders-20251002-")
    # The first attempt has loaded the whole table.
    assert job_id.endswith("-2")


def test_the_answer_to_a_submission_is_lost_and_the_job_is_found(house: House) -> None:
    house.server.accident = first("answer lost", lambda asked: asked.is_data)
    house.load(AFTER)
    assert len(submissions(house)) == 1
    assert house.is_as(AFTER)


def test_a_submission_that_did_not_arrive_is_submitted_again_under_the_same_id(
    house: House,
) -> None:
    house.server.accident = first("lost", lambda asked: asked.is_data)
    house.load(AFTER)
    assert len(set(job_ids(house))) == 1
    assert len(submissions(house)) == 2
    assert house.is_as(AFTER)


def test_a_job_of_this_id_that_did_the_work_is_taken_for_it(house: House) -> None:
    taken = take(house, AFTER)
    house.server.tables["shop_base_silver.orders"].partitions[day(2)] = list(
        AFTER.tables[ORDERS.name][day(2)].uris
    )
    house.load(AFTER)
    assert job_ids(house) == [taken]
    assert house.is_as(AFTER)


def test_a_job_of_this_id_that_still_runs_is_waited_for(house: House) -> None:
    taken = take(house, AFTER, status={"state": "RUNNING"})
    house.server._waiting[taken] = 3
    house.load(AFTER)
    assert job_ids(house) == [taken]
    assert house.is_as(AFTER)
    assert house.slept


def test_after_a_409_a_404_is_looked_at_again(house: House) -> None:
    taken = take(house, AFTER, status={"state": "RUNNING"})
    answers: list[Accident] = [(404, "notFound"), (404, "notFound")]
    house.server.accident = lambda asked: (
        answers.pop() if answers and asked.path.endswith(taken) else None
    )
    house.load(AFTER)
    assert job_ids(house) == [taken]
    assert not answers
    assert house.is_as(AFTER)


@pytest.mark.usefixtures("impatient")
def test_a_job_that_is_there_and_never_found_is_told_with_the_location(house: House) -> None:
    taken = take(house, AFTER)
    house.server.accident = lambda asked: (404, "notFound") if asked.path.endswith(taken) else None
    with pytest.raises(WarehouseError, match="does not find it") as raised:
        house.load(AFTER)
    assert "location" in raised.value.hint


@pytest.mark.parametrize("reason", ["invalid", "backendError", "accessDenied"])
def test_the_id_of_a_job_that_failed_earlier_is_burnt_and_the_next_number_is_taken(
    house: House, reason: str
) -> None:
    failed = {"state": "DONE", "errorResult": {"reason": reason, "message": "then"}}
    taken = take(house, AFTER, status=failed)
    house.load(AFTER)
    stem, _, number = taken.rpartition("-")
    assert job_ids(house) == [taken, f"{stem}-{int(number) + 1}"]
    assert house.is_as(AFTER)


@pytest.mark.parametrize(
    "said",
    [
        {"load": {"sourceUris": ["gs://elsewhere/part.parquet"]}},
        {
            "load": {
                "destinationTable": {"projectId": "p", "datasetId": "d", "tableId": "t$20251002"}
            }
        },
        {"configuration": {"query": {"query": "select 1"}}},
    ],
    ids=["other files", "another place", "a query"],
)
def test_a_job_under_our_id_that_is_not_ours_is_told_and_the_next_number_is_taken(
    house: House, said: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    taken = take(house, AFTER, **said)
    house.load(AFTER)
    assert len(submissions(house)) == 2
    assert house.is_as(AFTER)
    assert f"{taken} is not the one that should have this id" in caplog.text


@pytest.mark.parametrize(
    "reason", ["rateLimitExceeded", "backendError", "internalError", "jobBackendError"]
)
def test_a_load_that_was_accepted_and_failed_in_passing_is_done_again_after_a_pause(
    house: House, reason: str
) -> None:
    reasons: list[str | None] = [reason, reason]
    house.server.outcome = lambda _: reasons.pop() if reasons else None
    house.load(AFTER)
    assert [one.rpartition("-")[2] for one in job_ids(house)] == ["2", "3", "4"]
    assert len(house.slept) >= 2
    assert house.is_as(AFTER)
    assert house.rows_noted()[-2]["attempt"] == 4


@pytest.mark.usefixtures("impatient")
def test_what_passes_never_is_told_in_the_end_and_the_next_run_goes_on(house: House) -> None:
    be_patient(Patience(delay=0.001, factor=1, cap=0.001, total=0))
    house.server.outcome = lambda _: "backendError"
    with pytest.raises(WarehouseError, match=r"orders of 2025-10-02 is not loaded \(backendError"):
        house.load(AFTER)
    house.server.forget()
    house.load(AFTER)
    assert house.is_as(AFTER)


def test_a_reason_of_logic_stops_at_once(house: House) -> None:
    house.server.outcome = lambda _: "invalid"
    with pytest.raises(WarehouseError, match=r"orders of 2025-10-02 is not loaded \(invalid"):
        house.load(AFTER)
    assert len(submissions(house)) == 1
    assert house.slept == []


@pytest.mark.parametrize("when", ["submitted", "accepted"])
def test_a_quota_that_is_used_up_stops_with_its_name_and_when_it_renews(
    house: House, when: str
) -> None:
    if when == "submitted":
        house.server.accident = lambda asked: (403, "quotaExceeded") if asked.is_data else None
    else:
        house.server.outcome = lambda _: "quotaExceeded"
    with pytest.raises(WarehouseError, match="a quota of BigQuery is used up") as raised:
        house.load(AFTER)
    assert len(submissions(house)) == 1
    assert "10 minutes" in raised.value.hint
    assert "24 hours" in raised.value.hint
    house.server.forget()
    house.load(AFTER)
    assert house.is_as(AFTER)


def test_after_a_failure_nothing_more_is_begun(house: House) -> None:
    house.server.outcome = lambda _: "accessDenied"
    with pytest.raises(WarehouseError, match="accessDenied") as raised:
        house.load(published("r2", orders={1: "a2", 2: "b2", 3: "c2"}))
    assert len(submissions(house)) == 1
    assert "roles/bigquery.dataEditor" in raised.value.hint


def test_a_load_with_other_rows_than_the_manifest_is_an_error_and_loaded_anew(
    house: House,
) -> None:
    house.server.rows_of = lambda _, rows: rows - 1
    with pytest.raises(WarehouseError, match="has loaded 2 rows, and the manifest says 3"):
        house.load(AFTER)
    house.server.forget()
    house.load(AFTER)
    assert len(submissions(house)) == 1
    assert house.is_as(AFTER)


def test_rows_that_a_query_does_not_find_are_an_error_although_the_load_told_them(
    house: House,
) -> None:
    house.server.after = lambda table: table.partitions.pop(day(2), None)
    with pytest.raises(WarehouseError, match="a query finds 0 rows, and 3 were loaded") as raised:
        house.load(AFTER)
    assert "expiration" in raised.value.hint
    house.server.after = lambda _: None
    house.server.forget()
    house.load(AFTER)
    assert house.is_as(AFTER)


def test_errors_beside_a_success_are_no_failure(house: House) -> None:
    house.load(AFTER)
    assert all(job["status"]["errors"] for job in house.server.succeeded())
    assert house.is_as(AFTER)


def test_every_look_at_a_job_names_the_location_that_it_ran_in(house: House) -> None:
    house.server.looks = 2
    house.load(AFTER)
    looks = [one for one in house.server.asked if "/jobs/" in one.path]
    assert looks
    assert {one.query.get("location") for one in looks} == {LOCATION}
    noted = [row for row in house.rows_noted() if row["event"] == "loaded"]
    assert {row["location"] for row in noted} == {LOCATION}


def test_a_job_that_is_not_done_in_time_is_waited_for_by_the_next_run(house: House) -> None:
    house.server.looks = 5
    house.server.is_slow = lambda load: "sourceUris" in load
    house.job_seconds = 1e-9
    with pytest.raises(WarehouseError, match="is not done after") as raised:
        house.load(AFTER)
    assert "the next run waits for it" in raised.value.hint
    house.server.forget()
    house.job_seconds = 60
    house.load(AFTER)
    assert submissions(house) == []
    assert house.is_as(AFTER)


@pytest.mark.parametrize(
    ("reason", "status", "kind"),
    [
        ("rateLimitExceeded", 403, Kind.PASSES),
        ("jobRateLimitExceeded", 400, Kind.PASSES),
        ("badGateway", 502, Kind.PASSES),
        ("invalid", 503, Kind.REFUSED),
        ("quotaExceeded", 403, Kind.QUOTA),
        ("duplicate", 409, Kind.TAKEN),
        ("notFound", 404, Kind.ABSENT),
        (None, 429, Kind.PASSES),
        (None, 503, Kind.PASSES),
        (None, 403, Kind.REFUSED),
        ("stopped", None, Kind.REFUSED),
    ],
)
def test_a_reason_counts_before_the_status(
    reason: str | None, status: int | None, kind: Kind
) -> None:
    assert kind_of(reason, status) is kind
