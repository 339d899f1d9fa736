"""The decision of a gate: whether the run goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from medallion.errors import GateError
from medallion.gates.result import Failure, GateResult, Json

logger = logging.getLogger(__name__)

_SHOWN_EXAMPLES = 3


@dataclass(frozen=True)
class GateDecision:
    """That a gate has let the run go on.

    Attributes:
        layer: The layer whose output was checked.
        mode: `warn` or `strict`.
        failures: How many checks failed all the same.
    """

    layer: str
    mode: str
    failures: int


def decide(result: GateResult, mode: str, report: str = "") -> GateDecision:
    """Lets the run go on, with the failures as warnings, or stops it.

    Args:
        result: The result of a gate.
        mode: `warn` or `strict`, which may differ from that of the run that validated.
        report: The file that tells all.

    Returns:
        What was decided, for those who may only go on then.

    Raises:
        GateError: Something failed that must not go further.
    """
    every = result.every_failure
    stopping = [failure for failure in every if failure.stops(mode)]
    if stopping:
        advice = _advice(result.layer)
        raise GateError(
            f"The {result.layer} gate stopped the run: {_failed(len(stopping), result.evaluated)}.",
            details=[line(failure) for failure in grouped(stopping)],
            hint=f"{advice} All of it: {report}" if report else advice,
        )
    for failure in grouped([one for one in every if one.matters]):
        logger.warning("%s gate: %s", result.layer, line(failure))
    for failure in grouped([one for one in every if one.is_told]):
        if not failure.matters:
            logger.info("%s gate: %s (info)", result.layer, line(failure))
    return GateDecision(result.layer, mode, len(every))


def _failed(count: int, evaluated: int) -> str:
    """How many checks failed; those of earlier runs, which still stand, were not made again."""
    failed = "1 check failed" if count == 1 else f"{count:,} checks failed"
    return f"{failed} of {evaluated:,} that were made" if evaluated > count else failed


def line(failure: Failure) -> str:
    """A failure in one line: where, what was found, what was expected, examples."""
    expected = f" (expected: {failure.expected})" if failure.expected else ""
    rows = [
        {name: value for name, value in row.items() if str(value) != failure.observed}
        for row in failure.examples
    ]
    shown = [_example(row) for row in rows[:_SHOWN_EXAMPLES]]
    examples = f"; e.g. {' | '.join(shown)}" if shown else ""
    return f"{failure.place}: {failure.observed}{expected}{examples}"


def grouped(failures: Sequence[Failure]) -> list[Failure]:
    """One failure for what was found alike in several partitions of a table."""
    alike: dict[tuple[str, ...], list[Failure]] = {}
    for failure in failures:
        key = (failure.table, failure.name, failure.says, failure.observed)
        alike.setdefault(key, []).append(failure)
    return [_together(same) for same in alike.values()]


def _together(same: Sequence[Failure]) -> Failure:
    if len(same) == 1:
        return same[0]
    more = f"{same[0].observed} (and in {len(same) - 1} more partitions)"
    return replace(same[0], observed=more)


def _example(row: Json) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _advice(layer: str) -> str:
    if layer == "bronze":
        return (
            "have these partitions delivered again, or ask for days without them "
            "(`--params start=...,end=...`)."
        )
    return (
        "look at what was put aside (`kedro quarantine summary`), put it right and run again; or "
        "go on with warnings (`--params quality.mode=warn`)."
    )
