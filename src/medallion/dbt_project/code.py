"""Where the dbt project stands, and which code it holds."""

from __future__ import annotations

from medallion.lake.manifest import fingerprint
from medallion.project import DBT
from medallion.spec import Spec
from medallion.storage.litter import is_hidden


def gold_code(spec: Spec) -> str:
    """A fingerprint of the models and macros that Gold is built with, and of the vars they read."""
    files = [*(DBT / "models" / "gold").glob("*"), *(DBT / "macros").rglob("*.sql")]
    own = [path for path in files if not is_hidden(path.name)]
    texts = {str(p.relative_to(DBT)): p.read_text(encoding="utf-8") for p in own}
    return fingerprint({**texts, "vars": spec.cleaning.guest_pattern})
