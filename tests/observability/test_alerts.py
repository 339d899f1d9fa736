"""One message per run to a webhook, which no run depends on and nobody learns the address of."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medallion.errors import ConfigurationError
from medallion.runs.record import RunRecord
from medallion.runs.sinks.alerts import AlertSink, message
from tests.listening import Listener, listening, refusing_url
from tests.observability.telling import record_of, surroundings

VARIABLE = "MEDALLION_ALERT_URL"
PATH = "/services/T00/B00/abcdef"
BOTH = {"on_failure": True, "on_warning": True, "timeout_seconds": 0.2}
WARNINGS = {"orders have drifted": 3, "returns are late": 1}
FAILED = record_of(status="failed", error="The gate stopped the run.\n  - 1", warnings=WARNINGS)


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with listening() as listener:
        monkeypatch.setenv(VARIABLE, listener.url + PATH)
        yield listener


def tell(data_root: Path, record: RunRecord, **alerts: object) -> None:
    """Ends a run that is told of."""
    around = surroundings(data_root, alerts=alerts)
    sink = AlertSink()
    sink.check(around)
    sink.begin(around)
    sink.end(record)


def test_a_failure_is_one_message_with_its_warnings_rolled_up(
    tmp_path: Path, webhook: Listener
) -> None:
    tell(tmp_path, FAILED, **BOTH)
    (body,) = webhook.bodies
    assert body["text"] == "medallion run run-1 failed (local): The gate stopped the run."
    shown = "\n".join(block["text"]["text"] for block in body["blocks"])
    assert "The gate stopped the run.\n  - 1" in shown
    assert "• orders have drifted (3 times)\n• returns are late" in shown
    assert webhook.paths == [PATH]


def test_warnings_of_a_run_that_succeeded_are_one_message(
    tmp_path: Path, webhook: Listener
) -> None:
    tell(tmp_path, record_of(warnings=WARNINGS), **BOTH)
    (body,) = webhook.bodies
    assert body["text"] == "medallion run run-1 succeeded (local): 4 warnings"


def test_a_run_without_warnings_is_not_told(tmp_path: Path, webhook: Listener) -> None:
    tell(tmp_path, record_of(), **BOTH)
    assert webhook.bodies == []


def test_it_is_off_by_default(tmp_path: Path, webhook: Listener) -> None:
    tell(tmp_path, FAILED)
    tell(tmp_path, record_of(warnings=WARNINGS))
    assert webhook.bodies == []


def test_an_address_that_is_missing_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ConfigurationError, match=f"{VARIABLE} is not set"):
        AlertSink().check(surroundings(tmp_path, alerts={"on_failure": True}))


def test_a_server_error_is_tried_again(tmp_path: Path, webhook: Listener) -> None:
    webhook.status = [503, 200]
    tell(tmp_path, FAILED, **BOTH)
    assert len(webhook.bodies) == 2


@pytest.mark.parametrize(
    ("status", "posts", "told"),
    [(500, 2, "it answered 500"), (404, 1, "it answered 404"), (302, 1, "it answered 302")],
)
def test_a_message_that_is_not_taken_is_logged_without_the_address(
    status: int,
    posts: int,
    told: str,
    tmp_path: Path,
    webhook: Listener,
    caplog: pytest.LogCaptureFixture,
) -> None:
    webhook.status = [status]
    with caplog.at_level(logging.WARNING):
        tell(tmp_path, FAILED, **BOTH)
    assert len(webhook.bodies) == posts
    assert f"The alert could not be delivered ({told})." in caplog.text
    assert PATH not in caplog.text


def test_a_webhook_that_refuses_or_hangs_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with listening(hangs=True) as hanging:
        for url in (refusing_url(), hanging.url):
            monkeypatch.setenv(VARIABLE, url + PATH)
            start = time.perf_counter()
            tell(tmp_path, FAILED, **BOTH)
            assert time.perf_counter() - start < 2
    assert caplog.messages == [
        "The alert could not be delivered (ConnectionError).",
        "The alert could not be delivered (ReadTimeout).",
    ]


def test_a_message_cannot_be_markup_and_fits_a_block() -> None:
    warnings = {f"warning {n}": 1 for n in range(50)}
    error = "<!channel> & " + "x" * 9000
    sent = message(record_of(status="failed", error=error, warnings=warnings))
    texts = [block["text"]["text"] for block in sent["blocks"]]
    assert "&lt;!channel&gt; &amp;" in texts[1]
    assert all(len(text) <= 3000 for text in texts)
    assert "... and 40 more" in texts[2]
