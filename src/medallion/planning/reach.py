"""Which days of which enriched tables a run makes, derived from what they were made from.

Every day of an enriched table has a fingerprint of the partitions it is computed from (the
spec's `reads` say which), of the parameters and of the context. A day whose fingerprint is
not the recorded one is made again. Lookbacks, later conversions, superseded rows, days that
arrive out of order and work that a crash cut short are all found in this one way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import Origin, PartitionManifest, fingerprint
from medallion.planning.plan import calendar
from medallion.spec import Reach, Spec, Transform

_EVENTS, _NEWEST = "events", "newest"


@dataclass(frozen=True)
class PlannedTransform:
    """The days of one enriched table that a run makes.

    Attributes:
        name: The transform.
        days: Its days, ascending.
        made_from: Fingerprints of each day, by ISO day, to be recorded with it.
        origins: What each day is made from by input, by ISO day, for the audit trail.
        reads: Per event or enriched input, the partitions that these days are computed from.
        parameters: Its parameters for this run.
    """

    name: str
    days: tuple[date, ...]
    made_from: Mapping[str, Mapping[str, str]] = field(repr=False)
    origins: Mapping[str, Mapping[str, Origin]] = field(repr=False)
    reads: Mapping[str, frozenset[date]] = field(repr=False)
    parameters: Mapping[str, int | float] = field(repr=False)


@dataclass(frozen=True)
class EnrichedPlan:
    """What a run makes of Enriched Silver.

    Attributes:
        horizon: Nothing looks past it.
        first_order_day: The first Base Silver day with orders.
        transforms: The tables, in the order in which they can be made.
        rows: Rows per input and day, to cut long windows into batches.
    """

    horizon: date
    first_order_day: date | None
    transforms: Mapping[str, PlannedTransform]
    rows: Mapping[str, Mapping[date, int]] = field(repr=False)


@dataclass(frozen=True)
class Asked:
    """The part of the run plan that Enriched looks at.

    Attributes:
        days: Calendar days that were asked for and are made whatever their fingerprint.
        end: The window's last day.
        horizon: The later of `end` and the newest Base Silver day.
        snapshots: Which days the snapshots describe.
    """

    days: Sequence[date]
    end: date
    horizon: date
    snapshots: Literal["last", "all"]


def plan_enriched(
    asked: Asked,
    spec: Spec,
    lake: LakeInventory,
    values: Mapping[str, str],
    overrides: Mapping[str, Mapping[str, int | float]],
) -> EnrichedPlan:
    """Finds the days of the ten tables that are not what their inputs say now.

    Args:
        asked: What the run was asked for.
        spec: The transforms and what they read.
        lake: What stands in the lake.
        values: Fingerprint of the dimension columns that reach every day, by transform.
        overrides: Parameters that differ from the spec for this run.
    """
    planner = _Planner(asked, spec, lake, values, overrides)
    transforms = {name: planner.planned(name) for name in _in_order(spec)}
    rows = {t: {day: m.rows for day, m in planner.tables[t].items()} for t in spec.events}
    return EnrichedPlan(asked.horizon, planner.first_order_day, transforms, rows)


def _in_order(spec: Spec) -> list[str]:
    """The transforms, those that read another after it."""
    ordered: list[str] = []

    def visit(name: str) -> None:
        if name not in ordered:
            for read in spec.transforms[name].reads:
                if read in spec.transforms:
                    visit(read)
            ordered.append(name)

    for name in spec.transforms:
        visit(name)
    return ordered


@dataclass
class _Planner:
    asked: Asked
    spec: Spec
    lake: LakeInventory
    values: Mapping[str, str]
    overrides: Mapping[str, Mapping[str, int | float]]
    made: dict[str, dict[date, str]] = field(default_factory=dict)

    @cached_property
    def tables(self) -> dict[str, dict[date, PartitionManifest]]:
        return {table: self.lake.base(table) for table in self.spec.events}

    @cached_property
    def base_days(self) -> list[date]:
        return sorted({day for partitions in self.tables.values() for day in partitions})

    @cached_property
    def first_order_day(self) -> date | None:
        return min(self.tables["orders"], default=None)

    @cached_property
    def event_days(self) -> list[date]:
        """Every calendar day from the first Base Silver day to the last, and those asked for."""
        between = calendar(self.base_days[0], self.base_days[-1]) if self.base_days else []
        return sorted({*between, *self.asked.days})

    def planned(self, name: str) -> PlannedTransform:
        transform = self.spec.transforms[name]
        parameters = {**transform.parameters, **self.overrides.get(name, {})}
        recorded = self.lake.enriched_state(name)
        prints: dict[str, dict[str, str]] = {}
        origins: dict[str, dict[str, Origin]] = {}
        stale: list[date] = []
        reads: dict[str, set[date]] = {}
        self.made[name] = {}
        for day in self._candidates(name, transform):
            parts = {
                read: self._partitions(transform, read, reach, parameters, day)
                for read, reach in transform.reads.items()
            }
            now = self._fingerprints(name, transform, parameters, parts, day)
            self.made[name][day] = now[_EVENTS]
            if self._is_stale(transform, day, now, recorded.get(day.isoformat(), {})):
                stale.append(day)
                prints[day.isoformat()] = now
                origins[day.isoformat()] = self._origins(transform, parameters, parts, day)
                for read, days in parts.items():
                    reads.setdefault(read, set()).update(days)
        frozen = {read: frozenset(days) for read, days in reads.items()}
        return PlannedTransform(name, tuple(stale), prints, origins, frozen, parameters)

    def _candidates(self, name: str, transform: Transform) -> list[date]:
        standing = self.lake.enriched_days(name)
        if transform.kind != "snapshot" or self.asked.snapshots == "all":
            return sorted({*self.event_days, *standing})
        newest = [self.asked.horizon] if self.base_days else []
        return sorted({*standing, *newest, self.asked.end} if self.base_days else {*standing})

    def _is_stale(
        self, transform: Transform, day: date, now: Mapping[str, str], then: Mapping[str, str]
    ) -> bool:
        asked = day == self.asked.end if transform.kind == "snapshot" else day in self.asked.days
        if (asked and self.asked.days) or now[_EVENTS] != then.get(_EVENTS):
            return True
        return day == self.asked.horizon and now[_NEWEST] != then.get(_NEWEST)

    def _fingerprints(
        self,
        name: str,
        transform: Transform,
        parameters: Mapping[str, int | float],
        parts: Mapping[str, Iterable[date]],
        day: date,
    ) -> dict[str, str]:
        facts: dict[str, Any] = {
            "parameters": dict(parameters),
            "values": self.values.get(name, ""),
            "context": self._context(transform, parameters, day),
            "inputs": {
                read: [(str(d), self._hash(read, d)) for d in sorted(days)]
                for read, days in parts.items()
                if read not in self.spec.dimensions
            },
        }
        newest = [
            manifest.content_hash
            for read, reach in transform.reads.items()
            if reach.newest and (manifest := self.lake.newest_snapshot(read))
        ]
        return {_EVENTS: fingerprint(facts), _NEWEST: fingerprint(newest)}

    def _origins(
        self,
        transform: Transform,
        parameters: Mapping[str, int | float],
        parts: Mapping[str, Iterable[date]],
        day: date,
    ) -> dict[str, Origin]:
        """The inputs of a day one by one; rows of another enriched table are not made yet."""
        origins = {read: self._origin(read, sorted(days)) for read, days in sorted(parts.items())}
        decided = [dict(parameters), self._context(transform, parameters, day)]
        return {**origins, "parameters": Origin(fingerprint=fingerprint(decided), rows=0)}

    def _origin(self, read: str, days: Sequence[date]) -> Origin:
        if read in self.spec.dimensions:
            newest = self.lake.newest_snapshot(read)
            return Origin(
                fingerprint=newest.content_hash if newest else "",
                rows=newest.rows if newest else 0,
            )
        hashes = fingerprint([(str(day), self._hash(read, day)) for day in days])
        if read in self.spec.transforms:
            return Origin(fingerprint=hashes)
        standing = self.tables[read]
        return Origin(
            fingerprint=hashes, rows=sum(standing[day].rows for day in days if day in standing)
        )

    def _context(
        self, transform: Transform, parameters: Mapping[str, int | float], day: date
    ) -> dict[str, Any]:
        """What else decides a day's rows, cut off where it stops to matter."""
        context: dict[str, Any] = {}
        trailing = {r.trailing for r in transform.reads.values() if r.trailing}
        if trailing:
            longest = max(int(parameters[name]) for name in trailing)
            first = self.first_order_day
            context["window_days"] = min(longest, (day - first).days + 1) if first else 0
        if any(reach.referring for reach in transform.reads.values()):
            hours = parameters["attribution_tolerance_hours"]
            _, last = self._bounds(self.spec.table_with_key(transform.grain), day)
            settled = (last + timedelta(hours=hours)).date() if last else day
            context["horizon"] = str(min(self.asked.horizon, settled))
        return context

    def _hash(self, read: str, day: date) -> str:
        if read in self.spec.transforms:
            return self.made[read].get(day, "")
        manifest = self.tables[read].get(day)
        return manifest.content_hash if manifest else ""

    def _partitions(  # noqa: PLR0911  (one answer for each kind of reach)
        self,
        transform: Transform,
        read: str,
        reach: Reach,
        parameters: Mapping[str, int | float],
        day: date,
    ) -> set[date]:
        """The partitions of an input that a day is computed from."""
        if read in self.spec.dimensions:
            return set()
        if read in self.spec.transforms:
            return {day}
        standing = self.tables[read]
        if reach.up_to:
            return {other for other in standing if other <= day}
        if reach.trailing:
            return set(calendar(day - timedelta(days=parameters[reach.trailing] - 1), day))
        if reach.near:
            before, after = (
                timedelta(hours=parameters[name] if name else 0)
                for name in (reach.near.before, reach.near.after)
            )
            return {day} | self._near(transform, read, before, after, day)
        if reach.referring:
            parent = self.spec.table_with_key(transform.grain)
            return {other for other, m in standing.items() if str(day) in m.refers.get(parent, ())}
        if reach.referred:
            child = self.tables[reach.referred.by].get(day)
            days = child.refers.get(read, ()) if child else ()
            return {day, *(date.fromisoformat(other) for other in days)}
        return {day}

    def _near(
        self, transform: Transform, read: str, before: timedelta, after: timedelta, day: date
    ) -> set[date]:
        first, last = self._bounds(self.spec.table_with_key(transform.grain), day)
        if first is None or last is None:
            return set()
        first, last = first - before, last + after
        found = set()
        for other in self.tables[read]:
            low, high = self._bounds(read, other)
            if low and high and low <= last and high >= first:
                found.add(other)
        return found

    def _bounds(self, table: str, day: date) -> tuple[datetime | None, datetime | None]:
        manifest = self.tables[table].get(day)
        business = self.spec.tables[table].business_date
        if not manifest or not business or business.source not in manifest.bounds:
            return None, None
        low, high = manifest.bounds[business.source]
        return datetime.fromisoformat(low), datetime.fromisoformat(high)
