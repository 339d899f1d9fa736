"""What dbt sees of the shell: a short list, and nothing that could change the data.

dbt reads every one of its options from a variable, too (`DBT_TARGET`, `DBT_EMPTY`,
`DBT_SAMPLE`, `DBT_FULL_REFRESH`, ...), so the shell of somebody who works with dbt would decide
what a run builds. While dbt works, the variables that are not listed here are hidden from it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import RLock

# Where programs, homes and temporary files are, how text is encoded, how the net is reached.
INHERITED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
        "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "WINDIR", "TMPDIR", "TMP", "TEMP",
        "LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "NO_COLOR",
        "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "VIRTUAL_ENV",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NO_GCE_CHECK",
    }
)  # fmt: skip
# Locales; Python's own switches; the roots of this project; access to Google Cloud.
INHERITED_PREFIXES = ("LC_", "PYTHON", "MEDALLION_", "GOOGLE_", "CLOUDSDK_", "GCS_", "BIGQUERY_")
_lock = RLock()


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of an environment that dbt may see."""
    return {name: value for name, value in environment.items() if _is_inherited(name)}


@contextmanager
def shielded() -> Iterator[None]:
    """Hides all other variables of this process for as long as dbt works in it."""
    with _lock:
        seen = inherited(os.environ)
        hidden = {name: value for name, value in os.environ.items() if name not in seen}
        for name in hidden:
            del os.environ[name]
        try:
            yield
        finally:
            os.environ.update(hidden)


def _is_inherited(name: str) -> bool:
    plain = name.upper()
    return plain in INHERITED or plain.startswith(INHERITED_PREFIXES)
