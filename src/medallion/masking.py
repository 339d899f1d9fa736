"""What must not reach a log, a report, an event or a message: personal data and secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

MASKED = "***"
_SECRET_NAMES = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL")
# A shorter value, such as `1` or `true`, is a switch, and masking it would garble every line.
_LEAST_SECRET = 6

_PRIVATE_KEY = r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
_CREDENTIALS = r"(?<=://)[^\s/@'\"]+(?=@)"
_EMAIL = r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"
_PHONE = (
    r"(?<![\w.:-])"
    r"(?:\+\d[\d ().-]{6,}\d"  # international
    r"|(?:\+?\d{1,3}[ .-]?)?\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}"  # 555-123-4567, (555) 123.4567
    r"|\(\d{3}\)\d{3}-\d{4}"  # (555)123-4567
    r"|\d{10,11})"  # 5551234567
    r"(?:\s?x\d{1,6})?(?![\w-])"
)
# DuckDB and Polars quote the value they could not convert, and it may be any column's.
_VALUES = (
    r"(?<=convert string )(?:\"[^\"\n]*\"|'[^'\n]*')"
    r"|(?<=cast value )(?:\"[^\"\n]*\"|'[^'\n]*')"
    r"|(?<=field format: )(?:\"[^\"\n]*\"|'[^'\n]*')"
    r"|(?<=values: )\[[^\n]*\]"
    r"|(?<=Duplicate key )\"[^\"\n]*\""
)
# Whoever has the address of a signed URL can read what it leads to.
_SIGNED = (
    r"(?<=[?&])[\w.-]*(?:sig|signature|credential|token|secret|password|passwd|key|accessid)"
    r"[\w.-]*=[^&\s'\"<>]*"
)
_SIGNATURE = re.compile(_SIGNED, re.IGNORECASE)
_ALWAYS = re.compile(f"{_PRIVATE_KEY}|{_CREDENTIALS}|{_EMAIL}|{_PHONE}|{_VALUES}", re.DOTALL)


class Mask:
    """Replaces personal data and secrets in a text by `***`.

    It knows e-mail addresses, phone numbers, private keys, credentials in URLs, values that
    DuckDB and Polars quote in errors, and the values of environment variables that are named
    like secrets.

    Args:
        environment: The environment variables.
        named: Further variables whose values are secrets.
    """

    def __init__(
        self, environment: Mapping[str, str] | None = None, named: Iterable[str] = ()
    ) -> None:
        values = set(_secrets(environment or {}, set(named)))
        # The longest first: a secret may be the beginning of another.
        ordered = sorted(values, key=lambda value: (-len(value), value))
        self._secrets = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without them."""
        if self._secrets:
            text = self._secrets.sub(MASKED, text)
        return _ALWAYS.sub(MASKED, without_signatures(text))


def without_signatures(text: str) -> str:
    """The text without what signs the URLs in it, or lets a stranger in."""
    return _SIGNATURE.sub(MASKED, text)


def is_secret_name(name: str) -> bool:
    """Whether a variable or a parameter is named like a secret."""
    return bool(_SECRET_NAMES.search(name.upper()))


def _secrets(environment: Mapping[str, str], named: set[str]) -> Iterable[str]:
    for name, value in environment.items():
        if name in named or is_secret_name(name):
            # Of an address, clients log the path alone.
            path = urlsplit(value.strip()).path if "://" in value else ""
            for part in (value.strip(), path, *value.split()):
                if len(part) >= _LEAST_SECRET:
                    yield part
