"""What may reach a path or a statement: days, identifiers, run ids, partition values."""

from __future__ import annotations

import re
from datetime import date

from medallion.errors import UsageError

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,79}")
_PARTITION_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.&+-]{0,79}")
_REASON = re.compile(r"[a-z][a-z0-9_]{0,62}(:[a-z0-9_+]{1,200}){0,2}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def as_day(value: object, name: str = "day") -> date:
    """Reads a calendar day written as `YYYY-MM-DD`.

    Raises:
        UsageError: It is written otherwise, or is no day of the calendar.
    """
    text = str(value)
    if not _DAY.fullmatch(text):
        raise UsageError(f"{name}={text!r} is not a day; write it as YYYY-MM-DD.")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{name}={text} is not a day of the calendar ({error}).") from error


def is_day(value: str) -> bool:
    """Whether the text is a day of the calendar as `YYYY-MM-DD`."""
    try:
        as_day(value)
    except UsageError:
        return False
    return True


def as_identifier(value: str, kind: str = "name") -> str:
    """Passes a table or column name of the spec's alphabet.

    Raises:
        UsageError: It holds anything else.
    """
    if not _IDENTIFIER.fullmatch(value):
        raise UsageError(f"{kind} {value!r}: use lower-case letters, digits and '_'.")
    return value


def as_reason(value: str) -> str:
    """Passes a reason code of a quarantined row, or the beginning of one up to a colon.

    Raises:
        UsageError: It is written otherwise.
    """
    if not _REASON.fullmatch(value):
        raise UsageError(
            f"reason {value!r} is none.",
            hint="a reason is written as in `missing:order_date`, or as its class, `missing`.",
        )
    return value


def as_run_id(value: str) -> str:
    """Passes a run id that can be a folder's name.

    Raises:
        UsageError: It cannot.
    """
    if not _RUN_ID.fullmatch(value) or ".." in value:
        raise UsageError(f"run id {value!r}: use letters, digits and . _ : + -")
    return value.replace(":", ".")


def is_partition_value(value: str) -> bool:
    """Whether a Bronze partition value holds nothing that could leave its folder."""
    return bool(_PARTITION_VALUE.fullmatch(value)) and ".." not in value
