"""The record of a run: how long it took against its target and against earlier runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from kedro.framework.hooks import hook_impl

from medallion.hooks.collecting import RunCollector, harmless
from medallion.hooks.keeping import keep_newest
from medallion.hooks.summary import RunFacts
from medallion.lake.inventory import LakeInventory, read_json, write_json
from medallion.spec import load_spec

logger = logging.getLogger(__name__)
_SUCCEEDED = "succeeded"


class RunMetrics:
    """Writes `metrics/runs/<run_id>.json`, and warns of a run that took too long.

    Args:
        collector: What is known of the run.
    """

    def __init__(self, collector: RunCollector) -> None:
        self._collector = collector

    @hook_impl
    @harmless
    def after_pipeline_run(self) -> None:
        """Writes the record."""
        self._write()

    @hook_impl
    @harmless
    def on_pipeline_error(self) -> None:
        """Writes the record of a run that failed."""
        self._write()

    def _write(self) -> None:
        settings = self._collector.settings.metrics
        if not settings.file:
            return
        folder = self._collector.data_root / "metrics" / "runs"
        earlier = list(_earlier(folder, settings.trailing_runs))
        facts = self._collector.facts
        record = {
            "run_id": facts.run_id,
            "environment": facts.environment,
            "status": facts.status,
            "did_nothing": facts.did_nothing,
            "warnings": sum(facts.warnings.values()),
            "duration": duration(facts.seconds, settings.target_seconds, earlier),
            "volume": volume(facts, earlier),
            "quarantine": quarantine(facts),
            "freshness": self._freshness(facts),
        }
        write_json(folder / f"{self._collector.file_name}.json", record)
        keep_newest(folder, "*.json", settings.keep)
        if facts.seconds > settings.target_seconds:
            target = f"{settings.target_seconds:,.0f}"
            logger.warning("The run took %.0f s; its target is %s s.", facts.seconds, target)

    def _freshness(self, facts: RunFacts) -> dict[str, dict[str, Any]]:
        if facts.plan is None:
            return {}
        spec = load_spec(self._collector.spec_path)
        lake = LakeInventory(self._collector.lake, spec)
        return freshness(lake, facts.plan.horizon)


def duration(
    seconds: float, target: float, earlier: Iterable[Mapping[str, Any]]
) -> dict[str, float | bool | None]:
    """How long a run took, in seconds, and how that compares.

    Args:
        seconds: How long it took.
        target: How long it shall take at most.
        earlier: Records of earlier runs.
    """
    return {
        "seconds": round(seconds, 3),
        "target_seconds": target,
        "within_target": seconds <= target,
        **_against(seconds, [float(run["duration"]["seconds"]) for run in earlier]),
    }


def volume(facts: RunFacts, earlier: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many Bronze rows a run took in, and how that compares."""
    rows = {
        f"{layer}.{row['table']}": int(row["bronze_rows"])
        for layer in ("dims", "base_silver")
        for row in facts.receipts.get(layer, [])
    }
    total = sum(rows.values())
    compared = _against(total, [float(run["volume"]["bronze_rows"]) for run in earlier])
    return {"bronze_rows": total, **compared, "tables": rows}


def quarantine(facts: RunFacts) -> dict[str, Any]:
    """Which share of the rows taken in was put aside, in all and by table."""
    counted = {
        f"{layer}.{row['table']}": (int(row["quarantined"]), int(row["bronze_rows"]))
        for layer in ("dims", "base_silver")
        for row in facts.receipts.get(layer, [])
    }
    aside, rows = (sum(pair[n] for pair in counted.values()) for n in (0, 1))
    tables = {table: _share(*pair) for table, pair in counted.items()}
    return {"rows": aside, "rate": _share(aside, rows), "tables": tables}


def freshness(lake: LakeInventory, horizon: date) -> dict[str, dict[str, Any]]:
    """The newest partition of each table, and its age in days at the run's horizon."""
    newest = {f"dims.{name}": day for name, day in lake.newest_snapshots().items()}
    days = {f"base_silver.{table}": list(lake.base(table)) for table in lake.spec.events}
    days |= {f"enriched.{name}": lake.enriched_days(name) for name in lake.spec.transforms}
    newest |= {table: max(found) for table, found in days.items() if found}
    return {
        table: {"newest": day.isoformat(), "days_behind": (horizon - day).days}
        for table, day in sorted(newest.items())
    }


def _earlier(folder: Path, count: int) -> Iterable[Mapping[str, Any]]:
    """The newest records of runs that succeeded and did something."""
    found = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in found:
        record: Mapping[str, Any] = read_json(path, {})
        if record.get("status") == _SUCCEEDED and not record.get("did_nothing"):
            yield record
            count -= 1
        if not count:
            return


def _against(value: float, earlier: list[float]) -> dict[str, float | None]:
    """The median of earlier values and the ratio to it; None where there is none yet."""
    middle = median(earlier) if earlier else None
    ratio = round(value / middle, 3) if middle else None
    return {"trailing_median": middle, "ratio": ratio}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
