"""From a gate's result to OpenLineage's assertions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from medallion.runs.lineage.client import Assertion

_STOPPING = ("blocking", "critical", "error")
_ALL = "all_checks"


def assertions_of(quality: Mapping[str, Any]) -> dict[str, list[Assertion]]:
    """The checks of a gate by table.

    What a check has observed stays out: it may quote values. Checks that passed are named
    only if the result names them.
    """
    found: dict[tuple[str, str, str | None], Assertion] = {}
    for check in _checks(quality):
        table = str(check.get("table") or "").rpartition(".")[2].rpartition("/")[2]
        name = str(check.get("name") or check.get("expectation") or "check")
        column = check.get("column")
        key = (table, name, str(column) if column else None)
        severity = "error" if check.get("severity") in _STOPPING else "warn"
        succeeded = bool(check.get("success", False))
        known = found.setdefault(key, Assertion(name, True, key[2], severity=severity))
        known.success = known.success and succeeded
    by_table: dict[str, list[Assertion]] = {}
    for (table, _, _), assertion in found.items():
        by_table.setdefault(table, []).append(assertion)
    return by_table


def of_table(assertions: Mapping[str, list[Assertion]], table: str) -> list[Assertion]:
    """The assertions about a table: whether all its checks passed, and each by name."""
    named = assertions.get(table, [])
    passed = all(assertion.success for assertion in named)
    return [Assertion(_ALL, passed), *named]


def _checks(quality: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    for kind in ("checks", "results", "failures"):
        listed = quality.get(kind)
        if isinstance(listed, list):
            checks = [check for check in listed if isinstance(check, Mapping)]
            return [check for check in checks if check.get("severity") != "info"]
    return []
