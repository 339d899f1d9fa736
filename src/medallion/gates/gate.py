"""The decision of a gate: what was validated, what failed, and whether the run goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medallion.errors import GateError
from medallion.gates.gx.validating import Outcome, Validated

logger = logging.getLogger(__name__)

Failure = Mapping[str, Any]
_SHOWN_EXAMPLES = 3


@dataclass(frozen=True)
class Due:
    """A table that must be validated, and of what it consists.

    Attributes:
        table: The table.
        suite: A fingerprint of its suite.
        partitions: Fingerprints of the partitions to validate, by value.
    """

    table: str
    suite: str
    partitions: Mapping[str, str]


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


class GateResult(dict[str, Any]):
    """What a gate has found, as the JSON that is kept of it.

    Keys: `layer`, `mode` (`warn` or `strict`), `verdict` (`passed`, `warned` or `stopped`),
    `success`, `evaluated` and `failed` (checks of this run), `tables` (that were looked at),
    `failures` (of this run), `standing` (of earlier runs, on partitions that are the same),
    `suites` (in Great Expectations' own format), `facts`, `history`.
    """

    @property
    def layer(self) -> str:
        """The layer whose output was checked."""
        return str(self["layer"])


def result_of(
    layer: str,
    mode: str,
    due: Sequence[Due],
    validated: Sequence[Validated],
    standing: Sequence[Failure] = (),
    findings: Sequence[Failure] = (),
) -> dict[str, Any]:
    """The result of a gate as plain JSON: the verdict first.

    Args:
        layer: The layer whose output was checked.
        mode: `warn` or `strict`.
        due: The tables that had to be validated. One without outcomes has failed.
        validated: What came of every batch.
        standing: Failures of earlier runs whose partitions are still the same.
        findings: Failures that were found without a suite, as oddities of the layout are.
    """
    seen = {one.batch.table for one in validated if one.batch.expectations and one.outcomes}
    failures = [
        *(_not_validated(layer, table) for table in due if table.table not in seen),
        *findings,
        *(
            failure_of(layer, outcome)
            for one in validated
            for outcome in one.outcomes
            if not outcome.success
        ),
    ]
    every = [*failures, *standing]
    evaluated = sum(len(one.outcomes) for one in validated) + len(_that_matter(findings))
    return {
        "layer": layer,
        "mode": mode,
        "verdict": _verdict(mode, every),
        "success": not _that_matter(every),
        "evaluated": evaluated,
        "failed": len(_that_matter(failures)),
        "tables": sorted(table.table for table in due),
        "failures": _by_severity(failures),
        "standing": _by_severity(standing),
        "suites": [_as_suite(layer, one) for one in validated],
    }


def decide(result: Mapping[str, Any], mode: str, report: str = "") -> GateDecision:
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
    every: list[Failure] = [*result["failures"], *result["standing"]]
    stopping = [failure for failure in every if _stops(mode, failure)]
    layer = str(result["layer"])
    if stopping:
        raise GateError(
            f"The {layer} gate stopped the run: {len(stopping)} of "
            f"{max(int(result['evaluated']), len(stopping))} checks failed that must hold.",
            details=[line(failure) for failure in grouped(stopping)],
            hint=f"{_advice(layer)} All of it: {report}" if report else _advice(layer),
        )
    for failure in grouped(_that_matter(every)):
        logger.warning("%s gate: %s", layer, line(failure))
    for failure in grouped([one for one in every if is_told(one)]):
        if failure["severity"] == "info":
            logger.info("%s gate: %s (info)", layer, line(failure))
    return GateDecision(layer, mode, len(every))


def failure_of(layer: str, outcome: Outcome) -> Failure:
    """A failed expectation, as plain JSON."""
    batch, expectation = outcome.batch, outcome.expectation
    partitions = sorted({str(row[_PARTITION]) for row in outcome.examples if _PARTITION in row})
    return {
        "layer": layer,
        "table": batch.table,
        "subject": batch.subject,
        "name": expectation.kind,
        "says": expectation.says,
        "severity": expectation.severity,
        "always_stops": expectation.always_stops,
        "partition": partitions[0] if len(partitions) == 1 else "",
        "observed": outcome.observed,
        "expected": _expected(outcome),
        "note": expectation.note,
        "origin": expectation.origin,
        "examples": [
            {name: plain(value) for name, value in row.items()} for row in outcome.examples
        ],
    }


def finding(layer: str, name: str, table: str, partition: str, observed: str) -> Failure:
    """Something that a person should know and that no suite asks for."""
    return {
        "layer": layer, "table": table, "subject": LAYOUT, "name": name, "says": name,
        "severity": "warning", "always_stops": False, "partition": partition,
        "observed": observed, "expected": "", "note": "", "origin": "", "examples": [],
    }  # fmt: skip


def table_of(suite: Mapping[str, Any]) -> str:
    """The table that a suite's result is about."""
    return str(suite["suite_name"]).split(".")[1]


def is_told(failure: Failure) -> bool:
    """Whether a person is told of it: what was only counted has tables of its own."""
    return bool(failure["severity"] != "info" or failure["subject"] != LAYOUT)


def line(failure: Failure) -> str:
    """A failure in one line: where, what was found, what was expected, examples."""
    where = "/".join(part for part in (failure["table"], failure["partition"]) if part)
    expected = f" (expected: {failure['expected']})" if failure["expected"] else ""
    told = failure["observed"]
    rows = [{n: v for n, v in row.items() if str(v) != told} for row in failure["examples"]]
    shown = [_example(row) for row in rows[:_SHOWN_EXAMPLES]]
    examples = f"; e.g. {' | '.join(shown)}" if shown else ""
    return f"{where}: {failure['observed']}{expected}{examples}"


def grouped(failures: Sequence[Failure]) -> list[Failure]:
    """One failure for what was found alike in several partitions of a table."""
    alike: dict[tuple[str, ...], list[Failure]] = {}
    for failure in failures:
        key = (failure["table"], failure["name"], failure["says"], failure["observed"])
        alike.setdefault(key, []).append(failure)
    return [_together(same) for same in alike.values()]


def plain(value: Any) -> Any:
    """A value as JSON has it: dates and decimals as text."""
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


LAYOUT = "layout"
_PARTITION = "partition"
_ORDER = ("critical", "warning", "info")


def _together(same: Sequence[Failure]) -> Failure:
    if len(same) == 1:
        return same[0]
    more = f"{same[0]['observed']} (and in {len(same) - 1} more partitions)"
    return {**same[0], "observed": more}


def _that_matter(failures: Iterable[Failure]) -> list[Failure]:
    return [failure for failure in failures if failure["severity"] != "info"]


def _stops(mode: str, failure: Failure) -> bool:
    critical = mode == "strict" and failure["severity"] == "critical"
    return critical or bool(failure["always_stops"])


def _verdict(mode: str, failures: Sequence[Failure]) -> str:
    if any(_stops(mode, failure) for failure in failures):
        return "stopped"
    return "warned" if _that_matter(failures) else "passed"


def _by_severity(failures: Iterable[Failure]) -> list[Failure]:
    return sorted(failures, key=lambda failure: _ORDER.index(failure["severity"]))


def _not_validated(layer: str, due: Due) -> Failure:
    return {
        **finding(layer, "validated", due.table, "", "was not validated"),
        "severity": "critical",
        "expected": "every table that was written is validated",
    }


def _expected(outcome: Outcome) -> str:
    expectation = outcome.expectation
    is_query = "unexpected_rows_query" in expectation.arguments
    return expectation.note.rstrip(".") if is_query else expectation.says


def _example(row: Mapping[str, Any]) -> str:
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


def _as_suite(layer: str, validated: Validated) -> dict[str, Any]:
    """The results of a batch in Great Expectations' own format."""
    batch, outcomes = validated.batch, validated.outcomes
    succeeded = sum(outcome.success for outcome in outcomes)
    return {
        "suite_name": f"{layer}.{batch.table}.{batch.subject}",
        "success": bool(outcomes) and succeeded == len(outcomes),
        "statistics": {
            "evaluated_expectations": len(outcomes),
            "successful_expectations": succeeded,
            "unsuccessful_expectations": len(outcomes) - succeeded,
            "success_percent": 100.0 * succeeded / len(outcomes) if outcomes else None,
        },
        "results": [dict(outcome.raw) for outcome in outcomes],
        "meta": {"rows": batch.expected_rows, "seconds": round(validated.seconds, 4)},
    }
