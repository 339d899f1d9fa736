"""The record of a run: how long it took against its target and against earlier runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import date
from statistics import median
from typing import Any

from typing_extensions import TypedDict

from medallion.errors import DocumentError
from medallion.lake.inventory import LakeInventory
from medallion.runs.record import RunRecord
from medallion.runs.retention import keep_newest
from medallion.runs.sinks.sink import Sink, Surroundings
from medallion.storage import Document, Storage, open_storage

logger = logging.getLogger(__name__)
_SUCCEEDED = "succeeded"


class _Duration(TypedDict):
    seconds: float


class _Volume(TypedDict):
    bronze_rows: int


class _Record(TypedDict):
    """What is compared with, of the record of an earlier run."""

    status: str
    did_nothing: bool
    duration: _Duration
    volume: _Volume


_NOTHING: _Record = {
    "status": "unknown",
    "did_nothing": True,
    "duration": {"seconds": 0.0},
    "volume": {"bronze_rows": 0},
}


class MetricsSink(Sink):
    """Writes `metrics/runs/<run_id>.json`, and warns of a run that took too long."""

    def begin(self, around: Surroundings) -> None:
        """Remembers where the records go."""
        self._around = around

    def end(self, record: RunRecord) -> None:
        """Writes the record."""
        settings = self._around.settings.metrics
        if not settings.file:
            return
        folder = self._around.layout.run_metrics
        storage = open_storage(folder)
        earlier = list(_earlier(storage, settings.trailing_runs))
        measured = {
            "run_id": record.run_id,
            "environment": record.environment,
            "status": record.status,
            "did_nothing": record.did_nothing,
            "warnings": sum(record.warnings.values()),
            "duration": duration(record.seconds, settings.target_seconds, earlier),
            "volume": volume(record, earlier),
            "quarantine": quarantine(record),
            "freshness": self._freshness(record),
        }
        Document(storage, f"{self._around.file_name}.json").write(measured)
        keep_newest(folder, "*.json", settings.keep)
        if record.seconds > settings.target_seconds:
            target = f"{settings.target_seconds:,.0f}"
            logger.warning("The run took %.0f s; its target is %s s.", record.seconds, target)

    def _freshness(self, record: RunRecord) -> dict[str, dict[str, Any]]:
        if record.plan is None:
            return {}
        lake = LakeInventory(self._around.lake, self._around.spec)
        return freshness(lake, record.plan.horizon)


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


def volume(record: RunRecord, earlier: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many Bronze rows a run took in, and how that compares."""
    rows = {
        f"{layer}.{row['table']}": int(row["bronze_rows"])
        for layer in ("dims", "base_silver")
        for row in record.receipts.get(layer, ())
    }
    total = sum(rows.values())
    compared = _against(total, [float(run["volume"]["bronze_rows"]) for run in earlier])
    return {"bronze_rows": total, **compared, "tables": rows}


def quarantine(record: RunRecord) -> dict[str, Any]:
    """Which share of the rows taken in was put aside, in all and by table."""
    counted = {
        f"{layer}.{row['table']}": (int(row["quarantined"]), int(row["bronze_rows"]))
        for layer in ("dims", "base_silver")
        for row in record.receipts.get(layer, ())
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


def _earlier(storage: Storage, count: int) -> Iterable[Mapping[str, Any]]:
    """The newest records of runs that succeeded and did something."""
    found = [entry for entry in storage.listed() if entry.key.endswith(".json")]
    for entry in sorted(found, key=lambda entry: entry.changed_ns, reverse=True):
        record = _read_record(Document(storage, entry.key))
        if record["status"] == _SUCCEEDED and not record["did_nothing"]:
            yield record
            count -= 1
        if not count:
            return


def _read_record(document: Document) -> _Record:
    """An earlier record; one that cannot be read is not compared with."""
    try:
        return document.read(_Record, _NOTHING)
    except DocumentError as error:
        logger.warning("%s The run is not compared with it.", error.message)
        return _NOTHING


def _against(value: float, earlier: list[float]) -> dict[str, float | None]:
    """The median of earlier values and the ratio to it; None where there is none yet."""
    middle = median(earlier) if earlier else None
    ratio = round(value / middle, 3) if middle else None
    return {"trailing_median": middle, "ratio": ratio}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
