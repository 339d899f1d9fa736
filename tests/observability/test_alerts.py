"""One message per run to a webhook, which no run depends on and nobody learns the address of."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from medallion.errors import ConfigurationError
from medallion.hooks import RunAlerts, RunCollector
from medallion.hooks.alerts import message
from medallion.hooks.summary import RunFacts
from tests.listening import Listener, listening, refusing_url
from tests.observability.telling import collector_at

VARIABLE = "MEDALLION_ALERT_URL"
PATH = "/services/T00/B00/abcdef"
BOTH = {"on_failure": True, "on_warning": True, "timeout_seconds": 0.2}


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    with listening() as listener:
        monkeypatch.setenv(VARIABLE, listener.url + PATH)
        yield listener


def failed(data_root: Path, **alerts: object) -> RunCollector:
    collector = collector_at(data_root, alerts=alerts)
    collector.facts.status, collector.facts.error = "failed", "The gate stopped the run.\n  - 1"
    collector.facts.warnings = {"orders have drifted": 3, "returns are late": 1}
    return collector


def test_a_failure_is_one_message_with_its_warnings_rolled_up(
    tmp_path: Path, webhook: Listener
) -> None:
    RunAlerts(failed(tmp_path, **BOTH)).on_pipeline_error()
    (body,) = webhook.bodies
    assert body["text"] == "medallion run run-1 failed (local): The gate stopped the run."
    shown = "\n".join(block["text"]["text"] for block in body["blocks"])
    assert "The gate stopped the run.\n  - 1" in shown
    assert "• orders have drifted (3 times)\n• returns are late" in shown
    assert webhook.paths == [PATH]


def test_warnings_of_a_run_that_succeeded_are_one_message(
    tmp_path: Path, webhook: Listener
) -> None:
    collector = failed(tmp_path, **BOTH)
    collector.facts.status, collector.facts.error = "succeeded", None
    RunAlerts(collector).after_pipeline_run()
    (body,) = webhook.bodies
    assert body["text"] == "medallion run run-1 succeeded (local): 4 warnings"


def test_a_run_without_warnings_is_not_told(tmp_path: Path, webhook: Listener) -> None:
    RunAlerts(collector_at(tmp_path, alerts=BOTH)).after_pipeline_run()
    assert webhook.bodies == []


def test_it_is_off_by_default(tmp_path: Path, webhook: Listener) -> None:
    alerts = RunAlerts(failed(tmp_path))
    alerts.before_pipeline_run()
    alerts.on_pipeline_error()
    alerts.after_pipeline_run()
    assert webhook.bodies == []


def test_an_address_that_is_missing_is_told_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ConfigurationError, match=f"{VARIABLE} is not set"):
        RunAlerts(failed(tmp_path, on_failure=True)).before_pipeline_run()


def test_a_server_error_is_tried_again(tmp_path: Path, webhook: Listener) -> None:
    webhook.status = [503, 200]
    RunAlerts(failed(tmp_path, **BOTH)).on_pipeline_error()
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
        RunAlerts(failed(tmp_path, **BOTH)).on_pipeline_error()
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
            RunAlerts(failed(tmp_path, **BOTH)).on_pipeline_error()
            assert time.perf_counter() - start < 2
    assert caplog.messages == [
        "The alert could not be delivered (ConnectionError).",
        "The alert could not be delivered (ReadTimeout).",
    ]


def test_a_message_cannot_be_markup_and_fits_a_block() -> None:
    facts = RunFacts(run_id="r", status="failed", error="<!channel> & " + "x" * 9000)
    facts.warnings = {f"warning {n}": 1 for n in range(50)}
    sent = message(facts)
    texts = [block["text"]["text"] for block in sent["blocks"]]
    assert "&lt;!channel&gt; &amp;" in texts[1]
    assert all(len(text) <= 3000 for text in texts)
    assert "... and 40 more" in texts[2]
