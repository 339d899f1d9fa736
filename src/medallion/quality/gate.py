"""The decision of a gate.

A gate node collects checks, writes them down, and decides: in `warn` mode failures are
logged and the run goes on; in `strict` mode a critical failure stops it. What cannot be
processed at all stops the run in both.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from medallion.errors import GateError

logger = logging.getLogger(__name__)
Severity = Literal["blocking", "critical", "warning"]


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: What was checked, such as `conservation`.
        table: Where.
        partition: Where in the table; empty for all of it.
        success: Whether it holds.
        severity: What a failure means: `blocking` stops every run, `critical` a strict one,
            `warning` none.
        observed: What was found.
        expected: What should have been found.
    """

    name: str
    table: str
    partition: str
    success: bool
    severity: Severity
    observed: str = ""
    expected: str = ""

    def __str__(self) -> str:
        """One line: where, what was found, what was expected."""
        where = "/".join(part for part in (self.table, self.partition) if part)
        expected = f" (expected: {self.expected})" if self.expected else ""
        return f"{where}: {self.name}: {self.observed}{expected}"


def decide(layer: str, mode: str, checks: Sequence[Check]) -> dict[str, Any]:
    """Logs the failures of a gate, or stops the run.

    Args:
        layer: The layer whose output was checked.
        mode: `warn` or `strict`.
        checks: What was checked.

    Returns:
        The result as plain JSON: verdict first, then the failures.

    Raises:
        GateError: A check failed that must not go further.
    """
    failures = [check for check in checks if not check.success]
    stopping = [
        check
        for check in failures
        if check.severity == "blocking" or (mode == "strict" and check.severity == "critical")
    ]
    if stopping:
        raise GateError(
            f"The {layer} gate stopped the run: {len(stopping)} of {len(checks)} checks failed.",
            details=_grouped(stopping),
            hint=_advice(layer, stopping),
        )
    for line in _grouped(failures):
        logger.warning("%s gate: %s", layer, line)
    return {
        "layer": layer,
        "mode": mode,
        "success": not failures,
        "evaluated": len(checks),
        "failed": len(failures),
        "failures": [asdict(check) for check in failures],
    }


def _grouped(failures: Sequence[Check]) -> list[str]:
    """One line for what was found alike in several partitions of a table."""
    alike: dict[tuple[str, str, str], list[Check]] = {}
    for check in failures:
        alike.setdefault((check.table, check.name, check.observed), []).append(check)
    return [
        str(checks[0]) + (f" (and {len(checks) - 1} more partitions)" if len(checks) > 1 else "")
        for checks in alike.values()
    ]


def _advice(layer: str, stopping: Sequence[Check]) -> str:
    if layer == "bronze":
        return (
            "have these partitions delivered again, or ask for days without them "
            "(`--params start=...,end=...`)."
        )
    if any(check.severity == "blocking" for check in stopping):
        return "this is a defect of the pipeline, not of your data; please report it."
    return "look at the rows in quarantine, or run with `--params quality.mode=warn`."
