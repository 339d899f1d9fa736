"""What a gate has found, and what failed of it.

`<layer>.quality` in the catalog is the JSON of a `GateResult`; `as_json` and `from_json` are the
only places that know its keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, Self

from pydantic import JsonValue, TypeAdapter, ValidationError

from medallion.errors import LakeError
from medallion.gates.batch import Outcome, Row, Validated
from medallion.gates.expectation import Severity

Json = dict[str, JsonValue]
#: Fingerprints of partitions, by table and partition value.
Partitions = Mapping[str, Mapping[str, str]]
Mode = Literal["warn", "strict"]
Verdict = Literal["passed", "warned", "stopped"]

#: The subject of what is found without a suite.
LAYOUT = "layout"
_PARTITION = "partition"
_SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")


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
class Failure:
    """Something that does not hold, or that a person should know.

    Attributes:
        layer: The layer.
        table: The table.
        subject: What of it was looked at; `layout` for what no suite asks for.
        name: The type of the expectation, or the name of the check.
        says: The expectation in words.
        severity: How grave it is.
        always_stops: Whether it stops a run in every mode.
        partition: The partition's folder, if it is about one alone; else empty.
        observed: What was found, in words.
        expected: What should be, in words; may be empty.
        note: Why it is expected; may be empty.
        origin: The file that says so; may be empty.
        examples: A few rows or values that break it, by name, as JSON has them.
        partitions: Fingerprints of the partitions that it stands on, by value; None in the run
            that finds it.
    """

    layer: str
    table: str
    subject: str
    name: str
    says: str
    severity: Severity
    always_stops: bool
    partition: str
    observed: str
    expected: str = ""
    note: str = ""
    origin: str = ""
    examples: tuple[Json, ...] = ()
    partitions: Mapping[str, str] | None = None

    @property
    def matters(self) -> bool:
        """Whether it is a failure, and not only information."""
        return self.severity != "info"

    @property
    def is_told(self) -> bool:
        """Whether a person is told of it: what was only counted has tables of its own."""
        return self.matters or self.subject != LAYOUT

    @property
    def place(self) -> str:
        """The table and, where it is about one, the partition."""
        return "/".join(part for part in (self.table, self.partition) if part)

    def stops(self, mode: str) -> bool:
        """Whether it stops a run of a mode."""
        return self.always_stops or (mode == "strict" and self.severity == "critical")

    def as_json(self) -> Json:
        """The failure as it is kept."""
        content: Json = {
            "layer": self.layer,
            "table": self.table,
            "subject": self.subject,
            "name": self.name,
            "says": self.says,
            "severity": self.severity,
            "always_stops": self.always_stops,
            "partition": self.partition,
            "observed": self.observed,
            "expected": self.expected,
            "note": self.note,
            "origin": self.origin,
            "examples": list(self.examples),
        }
        return content if self.partitions is None else content | {_STANDS_ON: {**self.partitions}}


_STANDS_ON = "partitions"


@dataclass(frozen=True)
class SuiteResult:
    """What came of one subject of a table.

    Attributes:
        name: Layer, table and subject, with points between them.
        evaluated: Expectations that were looked at.
        succeeded: Those of them that hold.
        results: What came of each, in Great Expectations' own format.
        rows: Rows that were looked at.
        seconds: What it took.
        run_id: The run that looked at it.
    """

    name: str
    evaluated: int
    succeeded: int
    results: tuple[Json, ...] = field(repr=False)
    rows: int
    seconds: float
    run_id: str | None = None

    @property
    def layer(self) -> str:
        """The layer."""
        return self.name.split(".")[0]

    @property
    def table(self) -> str:
        """The table."""
        return self.name.split(".")[1]

    @property
    def subject(self) -> str:
        """What of the table was looked at."""
        return self.name.split(".")[2]

    @property
    def failed(self) -> int:
        """Expectations that do not hold."""
        return self.evaluated - self.succeeded

    @property
    def success(self) -> bool:
        """Whether something was looked at, and all of it holds."""
        return bool(self.evaluated) and not self.failed

    @classmethod
    def of(cls, layer: str, validated: Validated, run_id: str | None) -> Self:
        """What came of a batch in this run."""
        batch, outcomes = validated.batch, validated.outcomes
        return cls(
            name=f"{layer}.{batch.table}.{batch.subject}",
            evaluated=len(outcomes),
            succeeded=sum(outcome.success for outcome in outcomes),
            results=tuple(dict(outcome.raw) for outcome in outcomes),
            rows=batch.expected_rows,
            seconds=round(validated.seconds, 4),
            run_id=run_id,
        )

    def as_json(self) -> Json:
        """The result in Great Expectations' own format."""
        share = 100.0 * self.succeeded / self.evaluated if self.evaluated else None
        meta: Json = {"rows": self.rows, "seconds": self.seconds}
        return {
            "suite_name": self.name,
            "success": self.success,
            "statistics": {
                "evaluated_expectations": self.evaluated,
                "successful_expectations": self.succeeded,
                "unsuccessful_expectations": self.failed,
                "success_percent": share,
            },
            "results": list(self.results),
            "meta": meta if self.run_id is None else meta | {"run_id": self.run_id},
        }

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Reads what `as_json` has written; whoever calls it deals with other content."""
        counted, meta = content["statistics"], content["meta"]
        return cls(
            name=content["suite_name"],
            evaluated=counted["evaluated_expectations"],
            succeeded=counted["successful_expectations"],
            results=tuple(content["results"]),
            rows=meta["rows"],
            seconds=meta["seconds"],
            run_id=meta.get("run_id"),
        )


@dataclass(frozen=True)
class Shares:
    """The share of quarantined rows of the tables that a run looked at.

    Attributes:
        run_id: The run.
        shares: From 0 to 1, by table.
    """

    run_id: str
    shares: Mapping[str, float]


@dataclass(frozen=True)
class GateResult:
    """What a gate has found.

    Attributes:
        layer: The layer whose output was checked.
        mode: `warn` or `strict`.
        evaluated: Checks of this run.
        tables: The tables that were looked at, by name.
        failures: What failed in this run, the gravest first.
        earlier_failures: What failed in earlier runs, on partitions that are the same.
        suites: The last result of every suite, by name, also of those not looked at now.
        measures: Rows of the measured relations, by `<table>__<subject>`; None if nothing was
            looked at.
        history: The shares of the last runs, oldest first.
    """

    layer: str
    mode: Mode
    evaluated: int
    tables: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    earlier_failures: tuple[Failure, ...] = ()
    suites: tuple[SuiteResult, ...] = ()
    measures: Mapping[str, Sequence[Json]] | None = None
    history: tuple[Shares, ...] = ()

    @property
    def every_failure(self) -> tuple[Failure, ...]:
        """Those of this run, then those of earlier ones."""
        return (*self.failures, *self.earlier_failures)

    @property
    def failed(self) -> int:
        """How many checks of this run failed."""
        return sum(failure.matters for failure in self.failures)

    @property
    def success(self) -> bool:
        """Whether nothing fails, from earlier runs neither."""
        return not any(failure.matters for failure in self.every_failure)

    @property
    def verdict(self) -> Verdict:
        """What it means for the run."""
        if any(failure.stops(self.mode) for failure in self.every_failure):
            return "stopped"
        return "passed" if self.success else "warned"

    def measured(self, subject: str) -> dict[str, Sequence[Json]]:
        """The rows of one kind of relation, by table."""
        suffix = f"__{subject}"
        return {
            relation.removesuffix(suffix): rows
            for relation, rows in (self.measures or {}).items()
            if relation.endswith(suffix)
        }

    def as_json(self) -> Json:
        """The result as it is kept."""
        content: Json = {
            "layer": self.layer,
            "mode": self.mode,
            "verdict": self.verdict,
            "success": self.success,
            "evaluated": self.evaluated,
            "failed": self.failed,
            "tables": list(self.tables),
            "failures": [failure.as_json() for failure in self.failures],
            "standing": [failure.as_json() for failure in self.earlier_failures],
            "suites": [suite.as_json() for suite in self.suites],
        }
        if self.measures is not None:
            content["facts"] = {name: list(rows) for name, rows in self.measures.items()}
        history: list[JsonValue] = [
            {"run_id": one.run_id, "shares": dict(one.shares)} for one in self.history
        ]
        last: Json = {
            "evaluated": sum(suite.evaluated for suite in self.suites),
            "failed": sum(suite.failed for suite in self.suites),
        }
        return content | {"history": history, "last": last}

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Reads what `as_json` has written.

        Raises:
            LakeError: It is something else.
        """
        try:
            known: Any = content
            suites = [SuiteResult.from_json(suite) for suite in known["suites"]]
            names = {"earlier_failures": known["standing"], "measures": known.get("facts")}
            result: Self = _adapter().validate_python({**known, **names, "suites": suites})
        except (KeyError, TypeError, AttributeError, ValidationError) as error:
            raise LakeError(
                "A file below reports/quality is not what a gate writes.",
                hint="run `kedro run`, which finds it and writes it again.",
            ) from error
        return result


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(GateResult)


def result_of(
    layer: str,
    mode: Mode,
    due: Sequence[Due],
    validated: Sequence[Validated],
    earlier: Sequence[Failure] = (),
    findings: Sequence[Failure] = (),
    run_id: str | None = None,
) -> GateResult:
    """What came of all that was looked at.

    Args:
        layer: The layer whose output was checked.
        mode: `warn` or `strict`.
        due: The tables that had to be validated. One without outcomes has failed.
        validated: What came of every batch.
        earlier: Failures of earlier runs whose partitions are still the same.
        findings: Failures that were found without a suite, as oddities of the layout are.
        run_id: The run that looked at it.
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
    return GateResult(
        layer=layer,
        mode=mode,
        evaluated=sum(len(one.outcomes) for one in validated) + sum(f.matters for f in findings),
        tables=tuple(sorted(table.table for table in due)),
        failures=by_severity(failures),
        earlier_failures=by_severity(earlier),
        suites=tuple(SuiteResult.of(layer, one, run_id) for one in validated),
    )


def failure_of(layer: str, outcome: Outcome) -> Failure:
    """An expectation that does not hold."""
    batch, expectation = outcome.batch, outcome.expectation
    partitions = sorted({str(row[_PARTITION]) for row in outcome.examples if _PARTITION in row})
    return Failure(
        layer=layer,
        table=batch.table,
        subject=batch.subject,
        name=expectation.kind,
        says=expectation.says,
        severity=expectation.severity,
        always_stops=expectation.always_stops,
        partition=partitions[0] if len(partitions) == 1 else "",
        observed=outcome.observed,
        expected=_expected(outcome),
        note=expectation.note,
        origin=expectation.origin,
        examples=tuple(plain_row(row) for row in outcome.examples),
    )


def finding(layer: str, name: str, table: str, partition: str, observed: str) -> Failure:
    """Something that a person should know and that no suite asks for; a warning."""
    return Failure(
        layer=layer,
        table=table,
        subject=LAYOUT,
        name=name,
        says=name,
        severity="warning",
        always_stops=False,
        partition=partition,
        observed=observed,
    )


def plain_row(row: Row) -> Json:
    """A row as JSON has it: dates and decimals as text."""
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: object) -> JsonValue:
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def by_severity(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """Failures, the gravest first."""
    return tuple(sorted(failures, key=lambda failure: _SEVERITIES.index(failure.severity)))


def _not_validated(layer: str, due: Due) -> Failure:
    made = finding(layer, "validated", due.table, "", "was not validated")
    expected = "every table that was written is validated"
    return replace(made, severity="critical", expected=expected)


def _expected(outcome: Outcome) -> str:
    expectation = outcome.expectation
    is_query = "unexpected_rows_query" in expectation.arguments
    return expectation.note.rstrip(".") if is_query else expectation.says
