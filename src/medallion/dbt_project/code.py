"""Where the dbt project stands, and which code it holds."""

from __future__ import annotations

from medallion.lake.manifest import fingerprint
from medallion.project import DBT


def gold_code() -> str:
    """A fingerprint of the models and macros that Gold is built with."""
    files = [*(DBT / "models" / "gold").glob("*"), *(DBT / "macros").rglob("*.sql")]
    return fingerprint({str(p.relative_to(DBT)): p.read_text(encoding="utf-8") for p in files})
