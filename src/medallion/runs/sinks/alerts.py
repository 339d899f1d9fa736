"""One message per run to a webhook: that it failed, or what it warned of."""

from __future__ import annotations

import logging
import os
from typing import Any

from medallion.errors import ConfigurationError
from medallion.runs.record import RunRecord
from medallion.runs.settings import AlertSettings
from medallion.runs.sinks.sink import Sink, Surroundings

logger = logging.getLogger(__name__)
_SHOWN = 10
# What Slack takes in one block.
_LONGEST = 2900
_REDIRECT = 300
_SERVER_ERROR = 500


class AlertSink(Sink):
    """Tells a webhook of runs that failed or warned; it is off unless configured."""

    def check(self, around: Surroundings) -> None:
        """Makes sure that there is somebody to tell.

        Raises:
            ConfigurationError: Alerts are on, and the address is missing.
        """
        settings = around.settings.alerts
        asked = settings.on_failure or settings.on_warning
        if asked and not os.environ.get(settings.url_variable):
            raise ConfigurationError(
                f"Alerts are on, and the environment variable {settings.url_variable} is not set.",
                hint="set it to the webhook's address, or turn alerts off in observability.yml.",
            )

    def begin(self, around: Surroundings) -> None:
        """Remembers whom to tell."""
        self._settings = around.settings.alerts

    def end(self, record: RunRecord) -> None:
        """Tells of a failure and the warnings before it, or of warnings."""
        settings = self._settings
        if record.status == "failed":
            is_due = settings.on_failure
        else:
            is_due = settings.on_warning and bool(record.warnings)
        if is_due:
            problem = post(os.environ[settings.url_variable], message(record), settings)
            if problem:
                logger.warning("The alert could not be delivered (%s).", problem)


def message(record: RunRecord) -> dict[str, Any]:
    """What is sent: a line for notifications, and blocks as Slack shows them."""
    title = f"medallion run {record.run_id} {record.status} ({record.environment})"
    warnings = sum(record.warnings.values())
    numbers = f"{record.seconds:.1f} s, {_warnings(record)}"
    texts = [f"*{_escaped(title)}*\n{numbers}"]
    if record.error:
        texts.append(f"```{_escaped(record.error)[:_LONGEST]}```")
    if warnings:
        texts.append(_escaped("\n".join(_lines(record)))[:_LONGEST])
    section = [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in texts]
    return {"text": _escaped(f"{title}: {_reason(record)}"), "blocks": section}


def _reason(record: RunRecord) -> str:
    if record.error:
        return record.error.splitlines()[0]
    return _warnings(record)


def _warnings(record: RunRecord) -> str:
    count = sum(record.warnings.values())
    return f"{count} warning{'' if count == 1 else 's'}"


def _lines(record: RunRecord) -> list[str]:
    shown = [
        f"• {text}" + (f" ({count} times)" if count > 1 else "")
        for text, count in list(record.warnings.items())[:_SHOWN]
    ]
    hidden = len(record.warnings) - _SHOWN
    return [*shown, f"... and {hidden} more"] if hidden > 0 else shown


def _escaped(text: str) -> str:
    """Slack reads these three as markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def post(url: str, content: dict[str, Any], settings: AlertSettings) -> str:
    """Posts a message, again if the other side is at fault.

    Args:
        url: The address; it is a secret, so no error is passed on as it is.
        content: The message.
        settings: How long and how often to try.

    Returns:
        What went wrong; empty if nothing did.
    """
    import requests
    from tenacity import (
        RetryError,
        Retrying,
        retry_if_exception_type,
        stop_after_attempt,
        wait_fixed,
    )

    attempts = Retrying(
        stop=stop_after_attempt(settings.attempts),
        wait=wait_fixed(0.2),
        retry=retry_if_exception_type((requests.ConnectionError, requests.Timeout, _ServerError)),
    )
    try:
        attempts(_post_once, url, content, settings.timeout_seconds)
    except RetryError as error:
        cause = error.last_attempt.exception()
        return str(cause) if isinstance(cause, _ServerError) else type(cause).__name__
    except _RefusedError as error:
        return str(error)
    except requests.RequestException as error:
        return type(error).__name__
    return ""


class _RefusedError(Exception):
    """The webhook does not want this message, however often it is sent."""


class _ServerError(Exception):
    """The webhook's side is at fault, so trying again may help."""


def _post_once(url: str, content: dict[str, Any], timeout: float) -> None:
    import requests

    with requests.post(url, json=content, timeout=timeout, allow_redirects=False) as response:
        answer = f"it answered {response.status_code}"
        if response.status_code >= _SERVER_ERROR:
            raise _ServerError(answer)
        if response.status_code >= _REDIRECT:
            raise _RefusedError(answer)
