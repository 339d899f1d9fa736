"""What BigQuery refuses, by its reasons: what passes, what is a quota, what is an error.

Google's client runs queries again, and never a load; its own table of reasons is about calls,
and a load that was accepted fails with others. So there is one table here for both. A reason
counts where the answer has one, the status only where it has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any

from medallion.errors import WarehouseError
from medallion.foreign import disclosed_text


class Kind(Enum):
    """What to do about a failure."""

    PASSES = "try again"
    TAKEN = "there is a job, or a table, of this name"
    ABSENT = "there is none of this name"
    QUOTA = "stop until there is quota again"
    REFUSED = "stop"


_BY_REASON = {
    **dict.fromkeys(
        (
            "backendError",
            "badGateway",
            "internalError",
            "jobBackendError",
            "jobInternalError",
            "jobRateLimitExceeded",
            "rateLimitExceeded",
            "tableUnavailable",
        ),
        Kind.PASSES,
    ),
    "duplicate": Kind.TAKEN,
    "notFound": Kind.ABSENT,
    "quotaExceeded": Kind.QUOTA,
}
_BY_STATUS = {
    404: Kind.ABSENT,
    409: Kind.TAKEN,
    **dict.fromkeys((408, 429, 500, 502, 503, 504), Kind.PASSES),
}
# By what it says, where the reason is lost on the way: dbt hands on nothing else. A transaction
# that others have disturbed has no reason of its own.
_BY_WORDS = (
    (re.compile(r"quota exceeded", re.IGNORECASE), "quotaExceeded"),
    (re.compile(r"exceeded rate limits?", re.IGNORECASE), "rateLimitExceeded"),
    (re.compile(r"aborted due to concurrent update", re.IGNORECASE), "rateLimitExceeded"),
    (re.compile(r"could not serialize access", re.IGNORECASE), "rateLimitExceeded"),
    (re.compile(r"^\s*(?:\w+ Error\b.*\n)?\s*(?:500|502|503|504) (?:GET|POST)\b"), "backendError"),
    (re.compile(r"retrying (?:the job )?may solve the problem", re.IGNORECASE), "backendError"),
    (
        re.compile(r"connection (?:aborted|reset)|max retries exceeded", re.IGNORECASE),
        "backendError",
    ),
)
_LINK = re.compile(r"\.?\s*(?:For more information,? see|See) https?://\S+", re.IGNORECASE)
_QUOTA_WORDS = re.compile(r"^(?:quota exceeded|exceeded rate limits?):\s*", re.IGNORECASE)


@dataclass(eq=False)
class CallError(Exception):
    """A call, or a job, that BigQuery did not do.

    Attributes:
        kind: What to do about it.
        reason: What BigQuery calls it; a class of errors where it said nothing.
        message: What it said; it may quote a value of the data.
        attempt: The number of the last attempt, where it was a job.
    """

    kind: Kind
    reason: str
    message: str = ""
    attempt: int = 0

    def __str__(self) -> str:
        return self.reason

    @property
    def passes(self) -> bool:
        """Whether it is worth trying again."""
        return self.kind is Kind.PASSES


def kind_of(reason: str | None, status: int | None = None) -> Kind:
    """What to do about a failure.

    >>> kind_of("jobBackendError"), kind_of(None, 503), kind_of("invalid", 503)
    (<Kind.PASSES: 'try again'>, <Kind.PASSES: 'try again'>, <Kind.REFUSED: 'stop'>)
    """
    if reason:
        return _BY_REASON.get(reason, Kind.REFUSED)
    return _BY_STATUS.get(status or 0, Kind.REFUSED)


def of_job(reason: str, message: str) -> CallError:
    """Why a job has failed that was accepted."""
    told = of_text(message) if reason == "invalidQuery" else None
    return told or CallError(kind_of(reason), reason, message)


def of_text(text: str) -> CallError | None:
    """Why something has failed, by what BigQuery said; None if the words tell nothing.

    >>> of_text("Quota exceeded: Your project exceeded quota for concurrent queries.").kind
    <Kind.QUOTA: 'stop until there is quota again'>
    """
    for words, reason in _BY_WORDS:
        if words.search(text):
            return CallError(kind_of(reason), reason, text)
    return None


def passes(error: BaseException) -> bool:
    """Whether it is worth trying again what has failed."""
    return isinstance(error, CallError) and error.passes


@contextmanager
def translated() -> Iterator[None]:
    """Turns what Google's client raises into a `CallError`."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from requests.exceptions import RequestException, SSLError

    try:
        yield
    except GoogleAPICallError as error:
        raise _of_answer(error) from error
    except SSLError as error:
        raise CallError(Kind.REFUSED, "SSLError") from error
    except (RequestException, ConnectionError, TimeoutError, TransportError, RetryError) as error:
        raise CallError(Kind.PASSES, type(error).__name__) from error
    except GoogleAuthError as error:
        raise CallError(Kind.REFUSED, type(error).__name__) from error


def _of_answer(error: Any) -> CallError:
    details = error.errors[0] if error.errors and isinstance(error.errors[0], dict) else {}
    reason = details.get("reason")
    kind = kind_of(reason, error.code)
    return CallError(kind, reason or f"HTTP {int(error.code or 0)}", str(error.message or ""))


def for_people(what: str, error: CallError) -> WarehouseError:
    """A failure as the person who runs the pipeline is told it.

    Args:
        what: What was not done, such as `base_silver.orders of 2025-10-15 is not loaded`.
        error: Why; of its words only those pass that can be no value.
    """
    if error.kind is Kind.QUOTA:
        quota = _QUOTA_WORDS.sub("", _LINK.sub("", error.message)).strip(" .") or error.reason
        return WarehouseError(
            f"{what}: a quota of BigQuery is used up ({quota}).",
            hint="wait at least 10 minutes and run again: what is loaded stays loaded. Quotas of a"
            " day fill up again little by little, within 24 hours; docs/runbooks/quota-exceeded.md"
            " says how to use less.",
        )
    said = disclosed_text(_LINK.sub("", error.message)) if error.message else ""
    return WarehouseError(
        f"{what} ({error.reason}{f': {said}' if said else ''}).", hint=_ADVICE.get(error.reason, "")
    )


_ADVICE = {
    "accessDenied": "give the run's account roles/bigquery.jobUser on the project,"
    " roles/bigquery.dataEditor on its datasets and roles/storage.objectViewer on the lake's"
    " bucket.",
    "billingNotEnabled": "let the project's owner turn billing on.",
    "DefaultCredentialsError": "run `gcloud auth application-default login`, or let"
    " GOOGLE_APPLICATION_CREDENTIALS name a service account's file.",
    "RefreshError": "the credentials are no longer valid: log in again, or name another key.",
    "stopped": "somebody has cancelled the job; run again.",
    "notFound": "look at the project, the datasets and the location in the environment's"
    " variables; a job is found only in the location where it ran.",
    "HTTP 412": "somebody has changed the table meanwhile; run again.",
}
