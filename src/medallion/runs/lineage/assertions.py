"""From what a gate has found to OpenLineage's assertions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from medallion.gates.result import Failure
from medallion.runs.lineage.client import Assertion

_ALL = "all_checks"


def assertions_of(failures: Iterable[Failure]) -> dict[str, list[Assertion]]:
    """The checks that failed, each once, by table.

    What a check has observed stays out: it may quote values.
    """
    found: dict[tuple[str, str], Assertion] = {}
    for failure in failures:
        if failure.matters:
            severity = "error" if failure.severity == "critical" else "warn"
            made = Assertion(failure.name, False, severity=severity)
            found.setdefault((failure.table, failure.name), made)
    by_table: dict[str, list[Assertion]] = {}
    for (table, _), assertion in found.items():
        by_table.setdefault(table, []).append(assertion)
    return by_table


def of_table(assertions: Mapping[str, list[Assertion]], table: str) -> list[Assertion]:
    """The assertions about a table: whether all its checks passed, and each by name."""
    named = assertions.get(table, [])
    passed = all(assertion.success for assertion in named)
    return [Assertion(_ALL, passed), *named]
