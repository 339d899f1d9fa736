"""The summary of a run: a table that a person reads in ten seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from medallion.lake.names import as_run_id
from medallion.planning.plan import RunPlan

_OF_A_GATE = ("verdict", "mode", "success", "evaluated", "failed", "failures", "standing")


@dataclass
class Stage:
    """What a layer cost."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass
class RunFacts:
    """What is known of a run when it ends."""

    run_id: str = ""
    environment: str = ""
    status: str = "running"
    error: str | None = None
    error_kind: str | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    plan: RunPlan | None = None
    stages: dict[str, Stage] = field(default_factory=dict)
    receipts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    enriched: dict[str, dict[str, Any]] = field(default_factory=dict)
    gates: dict[str, dict[str, Any]] = field(default_factory=dict)
    gate_seconds: dict[str, float] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)

    @property
    def did_nothing(self) -> bool:
        """Whether every layer was up to date."""
        made = any(table["days"] for table in self.enriched.values())
        due = self.plan is not None and not self.plan.is_empty
        return not due and not made and not any(self.receipts.values())

    def rows(self, layer: str) -> int:
        """Rows that a layer took in, or made."""
        if layer == "enriched":
            return sum(int(table["rows"]) for table in self.enriched.values())
        key = "accepted" if layer == "gold" else "bronze_rows"
        return sum(int(row[key]) for row in self.receipts.get(layer, []))

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON."""
        return {
            "run_id": self.run_id,
            "environment": self.environment,
            "status": self.status,
            "error": self.error,
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "plan": self.plan.summary() if self.plan else None,
            "stages": [
                {
                    "name": name,
                    "seconds": round(stage.seconds, 3),
                    "cpu_seconds": round(stage.cpu_seconds, 3),
                    "rows": self.rows(name),
                }
                for name, stage in self.stages.items()
            ],
            "tables": self.receipts,
            "enriched": self.enriched,
            "gates": {
                layer: {
                    **{name: gate[name] for name in _OF_A_GATE},
                    "seconds": round(self.gate_seconds.get(layer, 0.0), 3),
                }
                for layer, gate in self.gates.items()
            },
        }


def print_summary(facts: RunFacts, data_root: Path, console: Console) -> None:
    """Prints what happened, how long it took, and where to look next."""
    if facts.did_nothing:
        console.print(
            f"Nothing to do: every layer is up to date (horizon "
            f"{facts.plan.horizon if facts.plan else 'unknown'}, {facts.seconds:.1f} s)."
        )
        return
    console.print(_table(facts))
    failed = sum(int(gate["failed"]) for gate in facts.gates.values())
    checks = sum(int(gate["evaluated"]) for gate in facts.gates.values())
    standing = sum(len(gate["standing"]) for gate in facts.gates.values())
    verdict = f"{failed} of {checks} checks warned" if failed else f"all {checks} checks passed"
    earlier = f"; {standing} of earlier runs still warn" if standing else ""
    console.print(f"{verdict}{earlier}; {facts.seconds:.1f} s in all.")
    console.print(f"Where to look next: {', '.join(_places(facts, data_root))}", soft_wrap=True)


def _table(facts: RunFacts) -> Table:
    table = Table(title=_title(facts), title_justify="left")
    table.add_column("table")
    for column in ("rows in", "accepted", "quarantined", "nullified", "seconds"):
        table.add_column(column, justify="right")
    for layer in ("dims", "base_silver"):
        for row in facts.receipts.get(layer, []):
            table.add_row(f"{layer}.{row['table']}", *_counts(row))
    for name, made in facts.enriched.items():
        if made["days"]:
            cells = ("", f"{made['rows']:,}", "", "", f"{made['seconds']:.1f}")
            table.add_row(f"enriched.{name}", *cells)
    for row in facts.receipts.get("gold", []):
        cells = ("", f"{row['accepted']:,}", "", "", f"{row['seconds']:.1f}")
        table.add_row(f"gold.{row['table']}", *cells)
    return table


def _counts(row: dict[str, Any]) -> Iterable[str]:
    return (
        f"{row['bronze_rows']:,}",
        f"{row['accepted']:,}",
        f"{row['quarantined']:,}",
        f"{sum(row['nullified'].values()):,}",
        f"{row['seconds']:.1f}",
    )


def _title(facts: RunFacts) -> str:
    days = facts.plan.days if facts.plan else []
    if not days:
        return "No Bronze day was due"
    span = f"{days[0]}" if len(days) == 1 else f"{days[0]} to {days[-1]}"
    return f"Bronze {span} ({len(days)} day{'s' if len(days) > 1 else ''})"


def _places(facts: RunFacts, data_root: Path) -> Iterable[str]:
    quarantined = sum(row["quarantined"] for rows in facts.receipts.values() for row in rows)
    yield f"{data_root}/reports/{as_run_id(facts.run_id)}/index.html"
    if quarantined:
        yield f"{data_root}/silver/quarantine/"
    if facts.receipts.get("gold"):
        yield f"{data_root}/warehouse/medallion.duckdb (schema gold)"
