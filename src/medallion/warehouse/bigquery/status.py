"""What is loaded, from which run, and what is pending and why; nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from medallion.errors import MedallionError
from medallion.terminal import counted
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.gold import Gold
from medallion.warehouse.bigquery.ledger import LOADS, Entry, Known, Ledger
from medallion.warehouse.bigquery.notes import Note
from medallion.warehouse.bigquery.planning import TablePlan
from medallion.warehouse.bigquery.shapes import Shape
from medallion.warehouse.bigquery.surveying import Surveyor
from medallion.warehouse.bigquery.tables import Tables
from medallion.warehouse.bigquery.wanted import PublishedState
from medallion.warehouse.marts import MartsPlan, PlannedMart


@dataclass(frozen=True)
class TableStatus:
    """What stands of a table in BigQuery.

    Attributes:
        name: Schema and table.
        partitions: Partitions that stand.
        rows: Their rows.
        run_id: The run whose state was loaded last; empty if none was.
        pending: Partitions that differ from what is published.
        why: Why they do, counted; or why nobody can tell.
    """

    name: str
    partitions: int = 0
    rows: int = 0
    run_id: str = ""
    pending: int = 0
    why: str = ""


def status_of(
    calls: BigQuery, shapes: Mapping[str, Shape], state: PublishedState
) -> list[TableStatus]:
    """What stands of each table.

    Raises:
        CallError: BigQuery does not tell.
    """
    surveyor = Surveyor(calls, shapes)
    made = Tables(calls).made([*shapes, LOADS])
    survey = surveyor.survey(state, made)
    known = _known(surveyor.ledger, made, shapes)
    plans = {plan.shape.name: plan for plan in surveyor.plans(survey)}
    return [
        _status(name, known.get(name, {}), plans.get(name), survey.unreadable.get(name))
        for name in shapes
    ]


@dataclass(frozen=True)
class MartStatus:
    """What stands of a mart in BigQuery.

    Attributes:
        name: The mart.
        rows: Its rows.
        run_id: The run from whose published state it was built last; empty if it never was.
        why: Why the next run builds it; empty if it is what the lake says.
    """

    name: str
    rows: int = 0
    run_id: str = ""
    why: str = ""


def status_of_marts(gold: Gold, plan: MartsPlan) -> list[MartStatus]:
    """What stands of each mart.

    Args:
        gold: The marts.
        plan: What of them is not what the lake says.

    Raises:
        CallError: BigQuery does not tell.
    """
    standing, made = gold.standing()
    current = {
        name: note for name, note in standing.current.items() if note.made_in == made.get(name)
    }
    return [_mart(name, current.get(name), plan) for name in sorted(plan.state.made_from)]


def _mart(name: str, note: Note | None, plan: MartsPlan) -> MartStatus:
    planned = plan.marts.get(name)
    if note is None:
        return MartStatus(name, why="it was never built")
    return MartStatus(
        name, note.row_count, note.run_id, _stale(note, planned, plan) if planned else ""
    )


def _stale(note: Note, planned: PlannedMart, plan: MartsPlan) -> str:
    if note.event == "unknown":
        return "somebody has asked to build it again"
    if plan.is_whole:
        return "models, macros or spec have changed"
    if planned.days is None:
        return "what it reads has changed"
    first, last = planned.days[0], planned.days[-1]
    span = first if first == last else f"{first} to {last}"
    return f"{counted(len(planned.days), 'day')} changed: {span}"


def _known(
    ledger: Ledger, made: Mapping[str, int], shapes: Iterable[str]
) -> dict[str, dict[date, Known]]:
    if LOADS not in made:
        return {}
    return ledger.known({name: made[name] for name in shapes if name in made})


def _status(
    name: str,
    known: Mapping[date, Known],
    plan: TablePlan | None,
    error: MedallionError | None,
) -> TableStatus:
    standing = [one.stands for one in known.values() if one.stands and one.content]
    newest = max(standing, key=lambda one: one.number, default=None)
    return TableStatus(
        name=name,
        partitions=len(standing),
        rows=sum(one.row_count for one in standing),
        run_id=newest.run_id if newest else "",
        pending=len(plan.why) if plan else 0,
        why=error.message if error else _why(plan, known),
    )


def _why(plan: TablePlan | None, known: Mapping[date, Known]) -> str:
    """Why partitions are pending; of such as failed, what BigQuery said last."""
    if plan is None or not plan.why:
        return ""
    reasons = sorted({_reason(known[day].failed) for day in plan.why if day in known} - {""})
    running = sum(bool(known[day].open) for day in plan.why if day in known)
    told = [plan.reasons]
    told += [f"last failure: {', '.join(reasons)}"] if reasons else []
    told += [f"{running:,} have a job whose end nobody has seen"] if running else []
    return "; ".join(told)


def _reason(entry: Entry | None) -> str:
    return entry.reason if entry else ""
