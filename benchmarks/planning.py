"""How the cost of planning grows with history.

    uv run python benchmarks/planning.py                   60, 365, 1,100 and 2,190 days
    uv run python benchmarks/planning.py --days 3650

The manifests are made up and in memory, one for each day of each table: what is timed is planning,
not reading the lake. Each line is CPU seconds of this process: a run that makes every day, a run
that has nothing to do, and a run with one new day.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import FileEntry, PartitionManifest, fingerprint
from medallion.lake.store import Lake
from medallion.planning.incremental import EnrichedPlan, EnrichedRequest, plan_enriched
from medallion.spec import Spec, load_spec

PROJECT = Path(__file__).resolve().parents[1]
START = date(2020, 1, 1)
DAYS = (60, 365, 1_100, 2_190)


class MemoryInventory(LakeInventory):
    """A lake of made-up manifests; nothing is read from disk.

    Args:
        spec: The tables.
        days: How many days of history every table has.
    """

    def __init__(self, spec: Spec, days: int) -> None:
        super().__init__(Lake("nowhere"), spec)
        self._base = {
            table: {day: _manifest(spec, table, day) for day in _calendar(days)}
            for table in spec.events
        }
        self._state: dict[str, dict[str, dict[str, str]]] = {}

    def base(self, table: str) -> dict[date, PartitionManifest]:
        """Accepted partitions of an event table, by day."""
        return self._base[table]

    def enriched_days(self, transform: str) -> list[date]:
        """The days that have been made."""
        return [date.fromisoformat(day) for day in self._state.get(transform, {})]

    def enriched_state(self, transform: str) -> dict[str, dict[str, str]]:
        """What each of them was made from."""
        return self._state.get(transform, {})

    def newest_snapshot(self, dimension: str) -> PartitionManifest | None:
        """One snapshot of each dimension."""
        return _manifest(self.spec, dimension, START)

    def add_day(self, day: date) -> None:
        """A new day of every table."""
        for table, partitions in self._base.items():
            partitions[day] = _manifest(self.spec, table, day)

    def record(self, plan: EnrichedPlan) -> None:
        """Takes the planned days as made."""
        for name, planned in plan.transforms.items():
            made = {day: dict(prints) for day, prints in planned.made_from.items()}
            self._state.setdefault(name, {}).update(made)


def _calendar(days: int) -> list[date]:
    return [START + timedelta(days=n) for n in range(days)]


def _manifest(spec: Spec, table: str, day: date) -> PartitionManifest:
    business = spec.tables[table].business_date
    late = datetime(day.year, day.month, day.day) - timedelta(hours=30)  # noqa: DTZ001
    before = str(day - timedelta(days=1))
    parents = [fk.parent for fk in spec.tables[table].foreign_keys if fk.parent in spec.events]
    return PartitionManifest(
        table=f"base/{table}",
        partition=f"ingestion_dt={day}",
        files=(FileEntry(path="part-0000.parquet", rows=1, bytes=1, sha256="0"),),
        content_hash=fingerprint([table, str(day)]),
        bounds={business.source: (str(late), f"{day}T23:59:59")} if business else {},
        refers={parent: (before, str(day)) for parent in parents},
    )


def measure(spec: Spec, days: int, snapshots: str = "all") -> dict[str, float]:
    """CPU seconds of planning on so many days, of three runs."""
    lake = MemoryInventory(spec, days)
    seconds: dict[str, float] = {"days": days}
    for run in ("full", "no-op", "one day"):
        if run == "one day":
            lake.add_day(START + timedelta(days=days))
        end = max(lake.base("orders"))
        wanted = EnrichedRequest((), end, end, snapshots)  # type: ignore[arg-type]
        began = time.process_time()
        plan = plan_enriched(wanted, spec, lake, {}, {})
        seconds[run] = round(time.process_time() - began, 3)
        due = sum(len(planned.days) for planned in plan.transforms.values())
        if bool(due) == (run == "no-op"):
            raise SystemExit(f"{run} of {days} days: {due} days are due")
        lake.record(plan)
    return seconds


def to_markdown(results: Sequence[Mapping[str, float]]) -> str:
    """One line for each length of history."""
    lines = ["| days | every day due, CPU s | nothing due | one new day |", "|---:|---:|---:|---:|"]
    lines += [
        f"| {r['days']:,} | {r['full']:.2f} | {r['no-op']:.2f} | {r['one day']:.2f} |"
        for r in results
    ]
    return "\n".join(lines)


def main() -> None:
    """Measures and prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--days", type=int, nargs="+", default=DAYS, help="days of history")
    parser.add_argument("--snapshots", choices=["last", "all"], default="last")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    spec = load_spec(PROJECT / "conf" / "base" / "spec.yml")
    results = [measure(spec, days, options.snapshots) for days in options.days]
    print(json.dumps(results) if options.json else to_markdown(results))


if __name__ == "__main__":
    main()
