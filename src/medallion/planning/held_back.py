"""Days far outside the others: they wait until somebody asks for them by name.

One partition that is dated wrongly would otherwise become the horizon of the lake.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise

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

    Days that lie at most `max_day_gap` days from one another are a group. The groups with a day
    that the lake has reached are processed: such a day was asked for. While the lake has reached
    none, it is the group of the most days with rows, as one stray day is then never taken for the
    shop's history, wherever it lies. Every other group is held back, before, after and in between.
    """
    delivered, reached = delivered_days(spec, bronze), lake.reached_days()
    earliest = spec.cleaning.earliest_date
    held = {
        day: f"lies before {earliest}" for day in delivered if day < earliest and day not in reached
    }
    usual = sorted(day for day in {*delivered, *reached} if day >= earliest)
    groups = list(_groups(usual, timedelta(days=spec.max_day_gap)))
    kept = [group for group in groups if not reached.isdisjoint(group)]
    if not kept and groups:
        kept = [_largest(groups, _rows_by_day(spec, bronze))]
    near = [day for group in kept for day in group]
    processed = set(near)
    return held | {day: _distance(day, near) for day in usual if day not in processed}


def _groups(days: Sequence[date], gap: timedelta) -> Iterator[list[date]]:
    """Ascending days, cut where two that follow each other lie further apart than the gap."""
    cuts = [n for n in range(1, len(days)) if days[n] - days[n - 1] > gap]
    for first, last in pairwise([0, *cuts, len(days)]):
        yield list(days[first:last])


def _rows_by_day(spec: Spec, bronze: BronzeInventory) -> dict[date, int]:
    """Rows of the event tables by day, as manifests say; what cannot be read has none."""
    rows: dict[date, int] = {}
    for table in spec.events:
        for listed in bronze.tables.get(table, ()):
            if listed.day and not listed.problem:
                known = max(listed.total_rows, listed.hides_rows)
                rows[listed.day] = rows.get(listed.day, 0) + known
    return rows


def _largest(groups: Iterable[list[date]], rows: Mapping[date, int]) -> list[date]:
    """The group of the most days with rows; of as many, that of the most rows, then the earliest.

    Two days alone, far apart, cannot be told apart if Bronze has as many rows of both. The later
    one waits then: a day that is too late would become the horizon.
    """
    sizes = [(group, [rows.get(day, 0) for day in group]) for group in groups]
    return max(sizes, key=lambda size: (sum(map(bool, size[1])), sum(size[1])))[0]


def _distance(day: date, others: Sequence[date]) -> str:
    """How far a day lies from the nearest of the others, which are ascending."""
    place = bisect_left(others, day)
    nearest = min(others[max(place - 1, 0) : place + 1], key=lambda other: abs(day - other))
    side = "after" if day > nearest else "before"
    return f"lies {abs(day - nearest).days:,} days {side} {nearest}, the nearest of the other days"


def held_findings(
    spec: Spec,
    bronze: BronzeInventory,
    held: Mapping[date, str],
    window: tuple[date, date] | None = None,
) -> Iterable[Finding]:
    """What a person should know about the days that wait, those that a window spans included."""
    delivered = delivered_days(spec, bronze)
    for day, why in held.items():
        spanned = window is not None and window[0] <= day <= window[1]
        left_out = ", and left out of the window that spans it" if spanned else ""
        message = (
            f"{why} (at most {spec.max_day_gap} days are usual), so it is held back{left_out}:"
            f" {', '.join(delivered[day])}. If it is right, ask for it"
            f" (`kedro run --params ingest_dt={day}`); if not, take it out of Bronze"
        )
        yield Finding("day_held_back", "", f"{BRONZE_DAY}={day}", message, critical=True)
