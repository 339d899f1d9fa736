"""Reporting: what the run did, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medallion.dbt_project.results import Receipt
from medallion.gates.decision import GateDecision, grouped, line
from medallion.gates.result import Failure, GateResult
from medallion.planning.plan import RunPlan


def describe(
    run_plan: RunPlan,
    dims: Receipt,
    base_silver: Receipt,
    gold: Receipt,
    gold_passed: GateDecision,  # noqa: ARG001
    *gates: Mapping[str, object],
) -> str:
    """Writes the run report in Markdown: verdict, plan, rows, reasons, findings."""
    told = [
        failure
        for gate in gates
        for failure in GateResult.from_json(gate).every_failure
        if failure.is_told
    ]
    failed = [failure for failure in told if failure.matters]
    verdict = f"{len(failed)} checks failed" if failed else "all checks passed"
    lines = [
        f"# Run report: {verdict}",
        "",
        _plan_line(run_plan),
        "",
        *_rows_table([*dims.tables, *base_silver.tables]),
        *_reasons_table([*dims.tables, *base_silver.tables]),
        *_failures(told),
        *_marts(gold.tables),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _plan_line(run_plan: RunPlan) -> str:
    days = run_plan.days
    if not days:
        return "No Bronze day was due."
    span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"Bronze days processed: {len(days)} ({span}), horizon {run_plan.horizon}."


def _rows_table(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if not rows:
        return
    yield "| table | rows in | accepted | quarantined | superseded | values nullified |"
    yield "|---|---:|---:|---:|---:|---:|"
    for row in rows:
        yield (
            f"| {row['table']} | {row['bronze_rows']:,} | {row['accepted']:,} "
            f"| {row['quarantined']:,} | {row['superseded']:,} "
            f"| {sum(row['nullified'].values()):,} |"
        )
    yield ""


def _reasons_table(rows: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    reasons = [(row["table"], code, n) for row in rows for code, n in row["reasons"].items()]
    if not reasons:
        return
    yield "## Why rows were put aside"
    yield ""
    yield "| table | reason | rows |"
    yield "|---|---|---:|"
    for table, code, count in sorted(reasons, key=lambda reason: (-reason[2], reason)):
        yield f"| {table} | `{code}` | {count:,} |"
    yield ""


def _failures(failed: Sequence[Failure]) -> Iterable[str]:
    if not failed:
        return
    yield "## What the gates found"
    yield ""
    for failure in grouped(failed):
        yield f"- {failure.layer}/{line(failure)} ({failure.severity})"
    yield ""


def _marts(gold: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    if not gold:
        return
    yield "## Marts"
    yield ""
    yield "| model | rows |"
    yield "|---|---:|"
    for row in gold:
        yield f"| {row['table']} | {row['accepted']:,} |"
