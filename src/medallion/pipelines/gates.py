"""What the validation nodes of all layers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from medallion.gates.gate import (
    Due,
    Failure,
    GateDecision,
    GateResult,
    decide,
    finding,
    result_of,
    table_of,
)
from medallion.gates.gx.validating import Batch
from medallion.gates.ledger import due_tables, standing_failures, updated
from medallion.gates.reports import markdown
from medallion.gates.suites import Suite, Suites
from medallion.lake.inventory import LakeInventory
from medallion.lake.store import STAGING
from medallion.planning.request import RunRequest

# Makes the batches of the tables that are due.
Measure = Callable[[Any, Sequence[tuple[Suite, Due]]], Iterable[Batch]]

# Runs that a trend looks back on.
_REMEMBERED = 10

REPORTS = {
    "bronze": "BRONZE_QUALITY.md",
    "dims": "DIMS_SNAPSHOT_QUALITY.md",
    "base_silver": "SILVER_QUALITY.md",
    "enriched": "ENRICHED_QUALITY.md",
    "gold": "GOLD_QUALITY.md",
}


@dataclass(frozen=True)
class Gatehouse:
    """What every gate needs to know.

    Attributes:
        request: What was asked for.
        suites: The suites of all layers.
        lake: The lake.
        before: The result of the run before, whose history goes on.
    """

    request: RunRequest
    suites: Suites
    lake: LakeInventory
    before: Mapping[str, Any] = field(default_factory=dict)


def validate_layer(
    layer: str,
    house: Gatehouse,
    standing: Mapping[str, Mapping[str, str]],
    measure: Measure,
    findings: Sequence[Failure] = (),
) -> dict[str, Any]:
    """Validates what is new in a layer.

    Partitions on which a verdict stands are not looked at again; what failed of them still
    counts.

    Args:
        layer: The layer.
        house: What every gate needs to know.
        standing: Fingerprints of the partitions that stand, by table and value.
        measure: Makes the batches of the tables that are due.
        findings: What was found without a suite.

    Returns:
        The result, its report, and the ledger for the next run.
    """
    ledger = house.lake.validated(layer) if _is_reported(layer, house.lake) else {}
    due = due_tables(ledger, house.suites.of(layer), standing)
    kept = standing_failures(ledger, due)
    result = validate_due(layer, house, due, measure, standing=kept, findings=findings)
    failures = result["quality"]["failures"]
    return {**result, "validated": updated(ledger, due, standing, failures)}


def _is_reported(layer: str, lake: LakeInventory) -> bool:
    """Whether the reports of the verdicts are there; without them a verdict is given again."""
    reports = lake.lake.root.parent / "reports"
    files = (reports / REPORTS[layer], reports / "quality" / f"{layer}.json")
    return all(file.is_file() and file.stat().st_size for file in files)


def validate_due(
    layer: str,
    house: Gatehouse,
    due: Sequence[Due],
    measure: Measure,
    *,
    standing: Sequence[Failure] = (),
    findings: Sequence[Failure] = (),
) -> dict[str, Any]:
    """Validates tables of a layer.

    Returns:
        The result and its report.
    """
    mode = house.request.quality.mode
    history = list(house.before.get("history", ()))
    if not due:
        result = {**result_of(layer, mode, [], [], standing, findings), "history": history}
        return {"quality": with_earlier(result, house), "quality_report": ""}
    from medallion.gates.gx.validating import validate
    from medallion.gates.relations import gate_connection

    spill = house.lake.lake.root / STAGING / house.request.run_id / "_spill"
    engine = house.request.engine
    with gate_connection(engine.memory_limit, engine.threads, spill) as connection:
        chosen = [(house.suites.of(layer)[table.table], table) for table in due]
        batches = list(measure(connection, chosen))
        validated = list(validate(connection, batches))
        facts = {batch.relation: _facts(connection, batch) for batch in batches}
    found = [*findings, *_recorded(layer, facts)]
    result = {**result_of(layer, mode, due, validated, standing, found), "facts": facts}
    result["history"] = [*history, *_shares(house.request.run_id, facts)][-_REMEMBERED:]
    return {"quality": with_earlier(result, house), "quality_report": markdown(result)}


def with_earlier(result: Mapping[str, Any], house: Gatehouse) -> GateResult:
    """The result with the suites that this run had no reason to look at, as they were last.

    Every suite says which run looked at it; `last` counts what came of all of them.
    """
    looked_at, run_id = set(result["tables"]), house.request.run_id
    now = [{**s, "meta": {**s["meta"], "run_id": run_id}} for s in result["suites"]]
    known = house.suites.of(str(result["layer"]))
    kept = [
        suite
        for suite in house.before.get("suites", ())
        if table_of(suite) in known and table_of(suite) not in looked_at
    ]
    suites = sorted([*now, *kept], key=lambda suite: str(suite["suite_name"]))
    counted = [suite["statistics"] for suite in suites]
    last = {
        "evaluated": sum(one["evaluated_expectations"] for one in counted),
        "failed": sum(one["unsuccessful_expectations"] for one in counted),
    }
    return GateResult({**result, "suites": suites, "last": last})


def gate(request: RunRequest, quality: Mapping[str, Any], lake: LakeInventory) -> GateDecision:
    """Lets the run go on, or stops it.

    Raises:
        GateError: Something failed that must not go further.
    """
    report = lake.lake.root.parent / "reports" / REPORTS[str(quality["layer"])]
    return decide(quality, request.quality.mode, str(report))


def _recorded(layer: str, facts: Mapping[str, Any]) -> Iterable[Failure]:
    """What was put aside or made null, by name: no failure, but part of every result."""
    for relation, rows in facts.items():
        table, _, subject = relation.rpartition("__")
        if rows and subject in _RECORDED:
            counted = sum(row["row_count"] for row in rows)
            said = f"{counted:,} {_RECORDED[subject]}"
            yield {**finding(layer, subject, table, "", said), "severity": "info", "examples": rows}


_RECORDED = {"reasons": "reasons to put rows aside", "nullified": "values made null"}


def _shares(run_id: str, facts: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """The share of quarantined rows by table, for the trend over the runs."""
    shares = {
        relation.removesuffix("__measures"): rows[0]["quarantine_share"]
        for relation, rows in facts.items()
        if rows and rows[0].get("quarantine_share") is not None
    }
    if shares:
        yield {"run_id": run_id, "shares": shares}


def _facts(connection: Any, batch: Batch) -> list[dict[str, Any]]:
    """The rows of a measured relation, for the reports."""
    if batch.subject == "rows":
        return []
    from medallion.gates.gate import plain

    found = connection.execute(f"from {batch.relation} limit 2000")
    names = [column[0] for column in found.description]
    return [
        {name: plain(value) for name, value in zip(names, row, strict=True)}
        for row in found.fetchall()
    ]
