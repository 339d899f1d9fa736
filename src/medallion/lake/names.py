"""What may reach a path or a statement: days, identifiers, run ids, partition values."""

from __future__ import annotations

import re
from datetime import date
from urllib.parse import unquote

from medallion.errors import UsageError, shown
from medallion.masking import without_signatures

# How Hive and Spark name the partition of a missing value.
MISSING = "__HIVE_DEFAULT_PARTITION__"
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,79}")
_REASON = re.compile(r"[a-z][a-z0-9_]{0,62}(:[a-z0-9_+]{1,200}){0,2}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def as_day(value: object, name: str = "day") -> date:
    """Reads a calendar day written as `YYYY-MM-DD`.

    Raises:
        UsageError: It is written otherwise, or is no day of the calendar.
    """
    text = str(value)
    if not _DAY.fullmatch(text):
        raise UsageError(f"{name}={shown(text)} is not a day; write it as YYYY-MM-DD.")
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
        raise _refused(kind, value, "lower-case letters a to z, digits and '_', a letter first")
    return value


def as_reason(value: str) -> str:
    """Passes a reason code of a quarantined row, or the beginning of one up to a colon.

    Raises:
        UsageError: It is written otherwise.
    """
    if not _REASON.fullmatch(value):
        raise UsageError(
            f"reason {shown(value)} is none.",
            hint="a reason is written as in `missing:order_date`, or as its class, `missing`.",
        )
    return value


def is_run_id(value: str) -> bool:
    """Whether the text is a run id as a folder is named by it."""
    return bool(_RUN_ID.fullmatch(value)) and ".." not in value and ":" not in value


def as_run_id(value: str) -> str:
    """Passes a run id that can be a folder's name.

    Raises:
        UsageError: It cannot.
    """
    folder = value.replace(":", ".")
    if not _RUN_ID.fullmatch(value) or ".." in folder:
        raise _refused(
            "run id",
            value,
            "at most 80 letters a to z, large or small, digits and . _ : + -, a letter or digit"
            " first and no two dots or colons in a row",
        )
    return folder


def _refused(kind: str, value: str, allowed: str) -> UsageError:
    return UsageError(f"{kind} {shown(value)} cannot be.", hint=f"it may hold {allowed}.")


def is_utf8(text: str) -> bool:
    """Whether a name can be written as UTF-8: a file system may hold names that cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def printable(text: str) -> str:
    """A name on one line that every console can show: odd characters become escapes.

    A name can be a signed URL; what signs it is left out.
    """
    text = without_signatures(text)
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown.encode("utf-8", "backslashreplace").decode()


def partition_value(written: str) -> str | None:
    """The value that the name of a partition folder writes after the `=`.

    Hive and Spark escape what a folder's name may not hold as `%20`; other writers leave
    everything as it is. A `%` that begins no escape stands for itself.

    Returns:
        The value, `MISSING` for a missing one, or None if no text can be read from the name.
    """
    try:
        value = unquote(written, errors="strict")
    except UnicodeDecodeError:
        return None
    return value if is_utf8(value) and "\0" not in value else None
