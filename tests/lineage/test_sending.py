"""Events reach a backend that works; one that does not costs a run less than a second."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medallion.runs.lineage.client import base
from medallion.runs.lineage.events import RunEvents, State
from medallion.runs.lineage.sending import EventFile, Post, Sender, http_post
from tests.listening import listening, refusing_url

WAIT = 0.5


def some_events(count: int) -> list[base.RunEvent]:
    made = RunEvents(
        namespace="n",
        job="j",
        run_id="r",
        started=datetime(2025, 10, 1, tzinfo=UTC),
        versions=("Kedro", "1", "1"),
        environment="local",
    )
    return [made.of_node(State.START, f"node-{n}") for n in range(count)]


def connecting(url: str, key: str | None = None) -> Post:
    return http_post(url, "api/v1/lineage", 0.2, key)


def test_a_file_has_each_event_on_disk_when_it_is_written(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "lineage" / "run.jsonl")
    for count, event in enumerate(some_events(3), start=1):
        file.write(event)
        lines = file.path.read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["job"]["name"] for line in lines][-1] == f"j.node-{count - 1}"
        assert len(lines) == count
    file.close()


def test_a_backend_that_works_gets_all_events_in_order_with_the_key() -> None:
    with listening() as backend:
        sender = Sender(lambda: connecting(backend.url, "s3cret-key"), 100)
        for event in some_events(5):
            sender.send(event)
        assert sender.close(10) == []
    assert [body["job"]["name"] for body in backend.bodies] == [f"j.node-{n}" for n in range(5)]
    assert backend.paths[0] == "/api/v1/lineage"
    assert backend.headers[0]["Authorization"] == "Bearer s3cret-key"


def test_a_backend_that_hangs_holds_nobody() -> None:
    with listening(hangs=True) as backend:
        sender = Sender(lambda: connecting(backend.url), 100)
        start = time.perf_counter()
        for event in some_events(50):
            sender.send(event)
        assert time.perf_counter() - start < 0.2
        undelivered = sender.close(WAIT)
        assert time.perf_counter() - start < 1
    assert len(undelivered) == 50
    assert sender.problem


@pytest.mark.parametrize("answer", ["500", "refused"])
def test_a_backend_that_is_down_is_left_alone_after_three_failures(answer: str) -> None:
    with listening(500) as backend:
        url = backend.url if answer == "500" else refusing_url()
        sender = Sender(lambda: connecting(url), 100)
        for event in some_events(20):
            sender.send(event)
        undelivered = sender.close(10)
    assert [event.job.name for event in undelivered] == [f"j.node-{n}" for n in range(20)]
    assert len(backend.bodies) == (3 if answer == "500" else 0)
    assert sender.problem == ("HTTPError" if answer == "500" else "ConnectionError")


def test_a_backend_that_comes_back_misses_only_what_it_did_not_take() -> None:
    with listening(500, 200) as backend:
        sender = Sender(lambda: connecting(backend.url), 100)
        for event in some_events(4):
            sender.send(event)
        (missed,) = sender.close(10)
    assert missed.job.name == "j.node-0"


def test_events_beyond_the_limit_are_undelivered_and_do_not_wait() -> None:
    with listening(hangs=True) as backend:
        sender = Sender(lambda: connecting(backend.url), 2)
        for event in some_events(10):
            sender.send(event)
        start = time.perf_counter()
        assert len(sender.close(WAIT)) == 10
        assert time.perf_counter() - start < 1


def test_a_client_that_cannot_connect_at_all_is_a_problem_not_an_error() -> None:
    sender = Sender(lambda: connecting("no address"), 10)
    for event in some_events(2):
        sender.send(event)
    assert len(sender.close(10)) == 2
    assert sender.problem == "ValueError"


def test_events_alone_do_not_import_the_clients_transports() -> None:
    code = (
        "import sys, medallion.runs.lineage.events\n"
        "assert 'requests' not in sys.modules and 'httpx2' not in sys.modules\n"
        "from openlineage.client import OpenLineageClient\n"
        "from openlineage.client.event_v2 import RunEvent\n"
        "from medallion.runs.lineage.client import base\n"
        "assert RunEvent is base.RunEvent and OpenLineageClient.emit\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
