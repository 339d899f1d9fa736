"""Days far outside the others: they wait until somebody asks for them by name.

One partition that is dated wrongly would otherwise become the horizon of the lake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from medallion.lake.bronze import BronzeInventory, Finding
from medallion.lake.inventory import LakeInventory
from medallion.spec import BRONZE_DAY, Spec


def delivered_days(spec: Spec, bronze: BronzeInventory) -> dict[date, list[str]]:
    """The event tables that Bronze has a partition of, by day, ascending."""
    days: dict[date, list[str]] = {}
    for table in spec.events:
        for listed in bronze.tables.get(table, ()):
            if listed.day:
                days.setdefault(listed.day, []).append(table)
    return dict(sorted(days.items()))


def held_back(spec: Spec, bronze: BronzeInventory, lake: LakeInventory) -> dict[date, str]:
    """The delivered days that are not processed by themselves, and why, ascending.

    A day is measured from the newest day before it that is not held back itself. A day that
    the lake has reached was asked for, so it counts like any other.
    """
    reached = lake.reached_days()
    held: dict[date, str] = {}
    before: date | None = None
    for day in sorted({*delivered_days(spec, bronze), *reached}):
        why = "" if day in reached else _why(spec, day, before)
        if why:
            held[day] = why
        elif day >= spec.cleaning.earliest_date:
            before = day
    return held


def _why(spec: Spec, day: date, before: date | None) -> str:
    if day < spec.cleaning.earliest_date:
        return f"lies before {spec.cleaning.earliest_date}"
    if before and day - before > timedelta(days=spec.max_day_gap):
        gap = (day - before).days
        return f"lies {gap:,} days after {before}, the newest day before it"
    return ""


def held_findings(
    spec: Spec, bronze: BronzeInventory, held: Mapping[date, str]
) -> Iterable[Finding]:
    """What a person should know about the days that wait."""
    delivered = delivered_days(spec, bronze)
    for day, why in held.items():
        message = (
            f"{why} (at most {spec.max_day_gap} days are usual), so it is held back:"
            f" {', '.join(delivered[day])}. If it is right, ask for it"
            f" (`kedro run --params ingest_dt={day}`); if not, take it out of Bronze"
        )
        yield Finding("day_held_back", "", f"{BRONZE_DAY}={day}", message, critical=True)
