"""Events are those of the standard, and say what a node read and wrote."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from medallion.runs.lineage.client import Assertion, Serde
from medallion.runs.lineage.events import RunEvents, Source, State, Touched, source_of
from medallion.runs.lineage.places import Place
from tests.lineage.standard import problems

STARTED = datetime(2025, 10, 1, 12, tzinfo=UTC)
ORDERS = Touched(Place("file", "silver/base/orders"), [("order_id", "text", False)])


def events(run_id: str = "run-1") -> RunEvents:
    return RunEvents(
        namespace="medallion",
        job="bronze_to_gold",
        run_id=run_id,
        started=STARTED,
        versions=("Kedro", "1.7.0", "0.1.0"),
        environment="local",
        source=Source("https://example.com/shop.git", "abc", "main"),
    )


def written(event: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Serde.to_json(event))
    return found


@pytest.mark.parametrize("state", ["START", "COMPLETE", "FAIL", "ABORT"])
def test_events_of_a_run_and_a_node_keep_to_the_standard(state: str) -> None:
    error = "it failed" if state == "FAIL" else None
    output = Touched(ORDERS.place, ORDERS.columns, rows=7, bytes=100, files=1)
    checked = Touched(ORDERS.place, ORDERS.columns, assertions=[Assertion("unique", True, "id")])
    run = events().of_run(State(state), error)
    node = events().of_node(State(state), "dims.gate", [checked], [output], error)
    assert problems(written(run)) == []
    assert problems(written(node)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("eventType",), "DONE"),
        (("eventTime",), "yesterday"),
        (("run", "runId"), "run-1"),
        (("run", "facets", "parent", "job"), {"name": "x"}),
        (("run", "facets", "unheard_of"), {}),
        (("outputs",), [{"name": "x"}]),
        (("schemaURL",), "https://openlineage.io/spec/1-0-0/OpenLineage.json"),
    ],
)
def test_the_check_finds_what_does_not(path: tuple[str, ...], value: Any) -> None:
    event = written(events().of_node(State.START, "dims.gate", [ORDERS], [ORDERS]))
    part = event
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    assert problems(event)


def test_a_node_names_its_run_as_parent() -> None:
    run = written(events().of_run(State.START))
    node = written(events().of_node(State.START, "dims.gate"))
    parent = node["run"]["facets"]["parent"]
    assert parent["run"]["runId"] == run["run"]["runId"] != node["run"]["runId"]
    assert parent["job"]["name"] == run["job"]["name"] == "bronze_to_gold"
    assert node["job"]["name"] == "bronze_to_gold.dims.gate"


def test_ids_follow_from_the_run_so_that_start_and_complete_belong_together() -> None:
    start, end, other = (
        written(made.of_node(state, "dims.gate"))["run"]["runId"]
        for made, state in (
            (events(), State.START),
            (events(), State.COMPLETE),
            (events("run-2"), State.START),
        )
    )
    assert start == end != other


def test_a_run_carries_kedros_name_of_it() -> None:
    tags = written(events().of_run(State.START))["run"]["facets"]["tags"]["tags"]
    assert {"key": "run_id", "value": "run-1", "source": "KEDRO"} in tags


def test_rows_and_columns_of_an_output_are_told_and_personal_ones_are_marked() -> None:
    columns = [("order_id", "text", False), ("email", "text", True)]
    output = Touched(ORDERS.place, columns, rows=7, bytes=100, files=2)
    event = written(events().of_node(State.COMPLETE, "x", [], [output]))
    (told,) = event["outputs"]
    statistics = told["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"], statistics["fileCount"]) == (7, 100, 2)
    fields = told["facets"]["schema"]["fields"]
    assert [field["name"] for field in fields] == ["order_id", "email"]
    assert [field.get("description") for field in fields] == [None, "personal data"]


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://bob:hunter2@example.com/shop.git", "https://example.com/shop.git"),
        ("git@example.com:team/shop.git", "ssh://example.com/team/shop.git"),
    ],
)
def test_the_source_is_the_commit_and_an_address_without_credentials(
    tmp_path: Path, remote: str, url: str
) -> None:
    git(tmp_path, "init", "-b", "main")
    git(tmp_path, "commit", "--allow-empty", "-m", "first")
    sha = git(tmp_path, "rev-parse", "HEAD")
    assert source_of(tmp_path) == Source(tmp_path.as_uri(), sha, "main")
    git(tmp_path, "remote", "add", "origin", remote)
    assert source_of(tmp_path) == Source(url, sha, "main")


def test_code_outside_a_repository_has_no_source(tmp_path: Path) -> None:
    assert source_of(tmp_path) is None
