"""Of a lake in an object store, the trail says which partitions people could read."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medallion.commands.runs import _since
from medallion.errors import StorageError
from medallion.events import (
    PartitionChange,
    RunEnded,
    RunStarted,
    StatePublished,
    TableWritten,
)
from medallion.lake.store import Lake
from medallion.masking import Mask
from medallion.runs.record import compiled
from medallion.runs.settings import Observability
from medallion.runs.sinks.audit import AuditSink
from medallion.runs.sinks.sink import Surroundings
from medallion.storage.layout import Layout
from tests.conftest import PROJECT

STATUSES = ("written", "removed", "unchanged")


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(
        run_id="r1",
        is_shared=False,
        environment="prod",
        pipelines=("__default__",),
        parameters={},
        settings=Observability(),
        mask=Mask({}),
        layout=Layout.below(tmp_path),
        spec_path=str(PROJECT / "conf" / "base" / "spec.yml"),
    )


def in_a_store(around: Surroundings, has_published: Any) -> None:
    lake = Lake(around.layout.silver)
    lake.state.source = SimpleNamespace(has_published=has_published)  # type: ignore[assignment]


def told(around: Surroundings, *, is_published: bool) -> dict[str, str]:
    """The statuses that are recorded of a run that has failed, by table."""
    events: list[Any] = [
        RunStarted(
            process="p",
            environment="prod",
            pipelines=("__default__",),
            parameters={},
            git_sha=None,
            code_version="1",
            config_hash="1",
        )
    ]
    for layer, table in (
        ("base", "orders"),
        ("enriched", "sales_velocity"),
        ("gold", "fct_orders"),
    ):
        changes = tuple(
            PartitionChange(key="ingestion_dt", value=f"2025-10-0{n}", status=status)
            for n, status in enumerate(STATUSES, start=1)
        )
        events.append(TableWritten(run_id="r1", layer=layer, table=table, partitions=changes))
    if is_published:
        events.append(StatePublished(current="r1"))
    events.append(RunEnded(status="failed", error="A gate stopped the run."))
    record = compiled("r1", events)
    record.receipts["gold"] = ({"table": "fct_orders", "accepted": 1},)
    AuditSink().bury(around, record)
    rows = around.trail.records("r1")
    return {
        f"{row['table_name']} {row['partition_value'][-1]}": row["status"]
        for row in rows
        if row["table_name"]
    }


AS_IT_WAS = {
    f"{table} {n}": status
    for table in ("orders", "sales_velocity", "fct_orders")
    for n, status in enumerate(STATUSES, start=1)
}
IN_VAIN = {
    place: status if status == "unchanged" or "fct" in place else "unpublished"
    for place, status in AS_IT_WAS.items()
}


def never(_: str) -> bool:
    return False


def test_on_a_disk_everything_is_read_at_once(around: Surroundings) -> None:
    assert told(around, is_published=False) == AS_IT_WAS
    assert around.trail.run("r1")["published"] is True


def test_what_a_run_made_that_published_nothing_was_read_by_nobody(around: Surroundings) -> None:
    in_a_store(around, never)
    assert told(around, is_published=False) == IN_VAIN
    assert around.trail.run("r1")["published"] is False


def test_a_run_that_has_published_is_believed_whatever_states_are_kept(
    around: Surroundings,
) -> None:
    in_a_store(around, never)
    assert told(around, is_published=True) == AS_IT_WAS


def test_of_a_run_that_died_right_after_it_had_published_the_lake_knows_it(
    around: Surroundings,
) -> None:
    in_a_store(around, lambda run_id: run_id == "r1")
    assert told(around, is_published=False) == AS_IT_WAS


def test_a_store_that_cannot_be_asked_does_not_cost_the_record(
    around: Surroundings, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(_: str) -> bool:
        raise StorageError("gs://lake cannot be reached.")

    in_a_store(around, unreachable)
    assert told(around, is_published=False) == IN_VAIN
    assert "Run r1 is recorded as one that has published nothing" in caplog.text


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        ("h3", ["h3", "h2", "h1"]),
        # A rollback has left the newest ones.
        ("h1", ["h1"]),
        # It was removed by a run that was taken back.
        (None, ["h3", "h2", "h1"]),
        # The trail is younger than the lake.
        ("other", ["h3", "h2", "h1"]),
    ],
)
def test_who_wrote_a_partition_is_asked_of_what_stands(
    standing: str | None, expected: list[str]
) -> None:
    records = [{"content_hash": f"h{number}"} for number in (3, 2, 1)]
    assert [one["content_hash"] for one in _since(records, standing)] == expected


def test_a_partition_that_is_gone_was_removed_by_the_newest_run_that_did() -> None:
    records = [{"content_hash": one, "run": n} for n, one in enumerate(("h2", None, "h1"))]
    assert [one["run"] for one in _since(records, None)] == [1, 2]
