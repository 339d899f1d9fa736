"""What the validation nodes of all layers share."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.gates.batch import Batch
from medallion.gates.decision import GateDecision, decide
from medallion.gates.layers import LAYERS, LayerGate
from medallion.gates.ledger import Ledger
from medallion.gates.measuring import measure
from medallion.gates.reports import markdown
from medallion.gates.reports.kept import KeptFile, as_text, quality_name, report_name
from medallion.gates.result import (
    Due,
    Failure,
    GateResult,
    Json,
    Shares,
    by_severity,
    finding,
    plain_row,
    result_of,
)
from medallion.gates.suites import Suites
from medallion.lake.inventory import LakeInventory
from medallion.planning.request import RunRequest
from medallion.storage import Document

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

# Runs that a trend looks back on.
_REMEMBERED = 10
# Rows of a measured relation that are kept for the reports.
_KEPT_ROWS = 2000
# What is counted by name, and is no failure.
_RECORDED = {"reasons": "reasons to put rows aside", "nullified": "values made null"}


@dataclass(frozen=True)
class Gatehouse:
    """What every gate needs to know.

    Attributes:
        request: What was asked for.
        suites: The suites of all layers.
        lake: The lake.
        before: The result of the run before, whose history goes on; None if there is none.
    """

    request: RunRequest
    suites: Suites
    lake: LakeInventory
    before: GateResult | None = None


@dataclass(frozen=True)
class Checked:
    """What a gate leaves behind.

    Attributes:
        result: What it has found.
        report: The same for people; empty if it has looked at nothing, so the former stays.
        ledger: On what its verdicts stand, for the next run.
    """

    result: GateResult
    report: str
    ledger: Ledger

    def as_outputs(self) -> dict[str, object]:
        """The outputs of a validation node."""
        return {
            "quality": self.result,
            "quality_report": self.report,
            "validated": self.ledger,
        }


def validate_layer(gate: LayerGate, house: Gatehouse) -> Checked:
    """Validates what is new in a layer.

    Partitions on which a verdict stands are not looked at again; what failed of them still
    counts.

    Returns:
        The result, its report, and the ledger for the next run.
    """
    layer, current = gate.layer, gate.current()
    ledger = known_ledger(layer, house.lake)
    due = ledger.due(house.suites.of(layer), current)
    checked = validate_due(gate, house, due, ledger)
    updated = checked.ledger.updated(due, current, checked.result.failures)
    return replace(checked, ledger=updated)


def ledger_of(layer: str, lake: LakeInventory) -> Ledger:
    """The ledger of a layer's gate, as it was written."""
    reports = Document.at(lake.layout.kept_reports(layer)).read_or(dict[str, Any], {})
    return Ledger.from_json(lake.validated(layer), reports)


def known_ledger(layer: str, lake: LakeInventory) -> Ledger:
    """The verdicts that stand; without their reports, as they were written, they are given again.

    So they are where the reports tell of others: those of a state that was taken back.

    Args:
        layer: The layer.
        lake: The lake.
    """
    ledger = ledger_of(layer, lake)
    is_reported = {report_name(layer), quality_name(layer)} <= ledger.reports.keys()
    if not (is_reported and ledger.is_told):
        return Ledger()
    changed = ledger.changed_reports(lake.layout.reports)
    if changed:
        found = "; ".join(changed)
        logger.warning("Reports of the %s gate are not what it wrote: %s.", layer, found)
    return Ledger() if changed else ledger


def changed_reports(lake: LakeInventory) -> list[str]:
    """Reports of all gates that are not what they wrote, with what is wrong, a line each."""
    folder = lake.layout.reports
    return [
        f"{folder.name}/{line}"
        for layer in LAYERS
        for line in changed_of(layer, ledger_of(layer, lake), folder)
    ]


def changed_of(layer: str, ledger: Ledger, folder: Path) -> list[str]:
    """Reports of a gate that are not, or not known to be, what it wrote, a line each.

    Args:
        layer: The layer.
        ledger: The ledger of its gate, as it was written.
        folder: The folder of reports.
    """
    names = (report_name(layer), quality_name(layer))
    unknown = [one for one in names if one not in ledger.reports and (folder / one).exists()]
    lost = [
        f"{name} is there, and what it was when it was written is not known" for name in unknown
    ]
    return [*ledger.changed_reports(folder), *lost]


def validate_due(gate: LayerGate, house: Gatehouse, due: Sequence[Due], ledger: Ledger) -> Checked:
    """Validates tables of a layer.

    Args:
        gate: The gate of the layer.
        house: What every gate needs to know.
        due: The tables, and their partitions.
        ledger: What stands from earlier runs.
    """
    layer, mode, run_id = gate.layer, house.request.quality.mode, house.request.run_id
    history = house.before.history if house.before else ()
    findings, earlier = list(gate.findings()), ledger.kept(due)
    if not due:
        result = replace(result_of(layer, mode, [], [], earlier, findings), history=history)
        return _checked(with_same_run(with_earlier(result, house), house), "", ledger)
    from medallion.gates.gx.validating import validate
    from medallion.gates.relations import gate_connection

    spill = house.lake.lake.places.spill(run_id)
    engine = house.request.engine
    with gate_connection(engine.memory_limit, engine.threads, spill) as connection:
        batches = list(measure(connection, gate, house.suites, due))
        validated = list(validate(connection, batches))
        measures = {batch.relation: _kept_rows(connection, batch) for batch in batches}
    findings += _recorded(layer, measures)
    result = replace(
        result_of(layer, mode, due, validated, earlier, findings, run_id),
        measures=measures,
        history=(*history, *_shares(run_id, measures))[-_REMEMBERED:],
    )
    told = markdown(with_same_run(result, house))
    return _checked(with_same_run(with_earlier(result, house), house), told, ledger)


def _checked(result: GateResult, report: str, ledger: Ledger) -> Checked:
    """What is left behind; the ledger remembers the files as they are going to be."""
    written = {quality_name(result.layer): KeptFile.of(as_text(result))}
    if report:
        written[report_name(result.layer)] = KeptFile.of(report)
    return Checked(result, report, replace(ledger, reports={**ledger.reports, **written}))


def with_earlier(result: GateResult, house: Gatehouse) -> GateResult:
    """The result with the suites that this run had no reason to look at, as they were last."""
    known = house.suites.of(result.layer)
    kept = [
        suite
        for suite in (house.before.suites if house.before else ())
        if suite.table in known and suite.table not in result.tables
    ]
    suites = sorted([*result.suites, *kept], key=lambda suite: suite.name)
    return replace(result, suites=tuple(suites))


def with_same_run(result: GateResult, house: Gatehouse) -> GateResult:
    """The result with what a former try of the step has found in the same run.

    A step that is repeated does not look again at what a verdict stands on; what the run has
    found there stays what the run has found.
    """
    before, run_id = house.before, house.request.run_id
    own = [
        suite
        for suite in (before.suites if before else ())
        if suite.run_id == run_id and suite.table not in result.tables
    ]
    if before is None or not own:
        return result
    tables = {suite.table for suite in own}
    standing = {id(one): replace(one, partitions=None) for one in result.earlier_failures}
    told = [
        one
        for one in before.failures
        if one.table in tables and (not one.matters or one in standing.values())
    ]
    return replace(
        result,
        evaluated=result.evaluated + sum(suite.evaluated for suite in own),
        tables=tuple(sorted({*result.tables, *tables})),
        failures=by_severity((*result.failures, *told)),
        earlier_failures=tuple(
            one for one in result.earlier_failures if standing[id(one)] not in told
        ),
        measures={**_of_tables(before, tables), **(result.measures or {})},
    )


def _of_tables(before: GateResult, tables: Collection[str]) -> dict[str, Sequence[Json]]:
    """The measured relations of some tables."""
    return {
        relation: rows
        for relation, rows in (before.measures or {}).items()
        if relation.rpartition("__")[0] in tables
    }


def gate(request: RunRequest, quality: Mapping[str, object], lake: LakeInventory) -> GateDecision:
    """Lets the run go on, or stops it.

    Raises:
        GateError: Something failed that must not go further.
    """
    result = GateResult.from_json(quality)
    report = lake.layout.quality_report(result.layer)
    return decide(result, request.quality.mode, lake.layout.shown(report))


def _recorded(layer: str, measures: Mapping[str, Sequence[Json]]) -> Iterable[Failure]:
    """What was put aside or made null, by name: no failure, but part of every result."""
    for relation, rows in measures.items():
        table, _, subject = relation.rpartition("__")
        if rows and subject in _RECORDED:
            counted = sum(count for row in rows if isinstance(count := row["row_count"], int))
            said = f"{counted:,} {_RECORDED[subject]}"
            found = finding(layer, subject, table, "", said)
            yield replace(found, severity="info", examples=tuple(rows))


def _shares(run_id: str, measures: Mapping[str, Sequence[Json]]) -> Iterable[Shares]:
    """The share of quarantined rows by table, for the trend over the runs."""
    shares = {
        relation.removesuffix("__measures"): share
        for relation, rows in measures.items()
        if rows and isinstance(share := rows[0].get("quarantine_share"), float)
    }
    if shares:
        yield Shares(run_id, shares)


def _kept_rows(connection: duckdb.DuckDBPyConnection, batch: Batch) -> list[Json]:
    """The rows of a measured relation, for the reports."""
    if batch.subject == "rows":
        return []
    found = connection.execute(f"from {batch.relation} limit {_KEPT_ROWS}")
    names = [column[0] for column in found.description]
    return [plain_row(dict(zip(names, row, strict=True))) for row in found.fetchall()]
