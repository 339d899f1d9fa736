"""Which days of which enriched tables a run makes, derived from what they were made from.

Every day of an enriched table has a fingerprint of the partitions it is computed from (the
spec's `reads` say which), of the parameters and of the context, and beside it one of the code
of the transform. A day whose fingerprints are not the recorded ones is made again. Lookbacks,
later conversions, superseded rows, days that arrive out of order, changed formulas and work
that a crash cut short are all found in this one way.

The work grows with the number of days, not with its square: see `planning.history`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache, cached_property
from typing import Literal

from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import Origin, PartitionManifest, fingerprint
from medallion.planning.code import CODE, code_of
from medallion.planning.history import ContentChain, TableHistory
from medallion.planning.plan import calendar
from medallion.spec import Spec
from medallion.spec.reach import (
    MICROSECONDS_PER_HOUR,
    Near,
    Newest,
    Referring,
    Span,
    Trailing,
    union,
)

_EPOCH = date(1970, 1, 1)
_DAY = 24 * MICROSECONDS_PER_HOUR
_EVENTS, _NEWEST = "events", "newest"
# Goes into every fingerprint. Raise it when they come to mean something else: the next run
# then makes every day of Enriched once more, and leaves those that come out the same.
_RULES = 2


@dataclass(frozen=True)
class PlannedTransform:
    """The days of one enriched table that a run makes.

    Attributes:
        name: The transform.
        days: Its days, ascending.
        made_from: Fingerprints of each day, by ISO day, to be recorded with it.
        origins: What each day is made from by input, by ISO day, for the audit trail.
        reads: Per event or enriched input, the partitions that these days are computed from.
        basis: Per event table or dimension, the fingerprint of what these days were planned for.
        parameters: Its parameters for this run.
    """

    name: str
    days: tuple[date, ...]
    made_from: Mapping[str, Mapping[str, str]] = field(repr=False)
    origins: Mapping[str, Mapping[str, Origin]] = field(repr=False)
    reads: Mapping[str, frozenset[date]] = field(repr=False)
    basis: Mapping[str, str] = field(repr=False)
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
class EnrichedRequest:
    """The part of the run plan that Enriched looks at.

    Attributes:
        days: Calendar days that were asked for and are made whatever their fingerprint.
        end: The window's last day.
        horizon: The later of `end` and the newest Base Silver day.
        snapshots: Which days the snapshots describe.
    """

    days: Collection[date]
    end: date
    horizon: date
    snapshots: Literal["last", "all"]


def unmade(plan: EnrichedPlan, lake: LakeInventory, names: Collection[str]) -> dict[str, int]:
    """How many planned days of some transforms do not stand yet as they were planned.

    Args:
        plan: What the run makes.
        lake: What stands now.
        names: The transforms; other inputs may be among them.

    Returns:
        Days by transform; transforms that are made are left out.
    """
    found: dict[str, int] = {}
    for name in names:
        planned = plan.transforms.get(name)
        if planned is None or not planned.days:
            continue
        state = lake.enriched_state(name)
        missing = [
            day
            for day, made_from in planned.made_from.items()
            if not made_from.items() <= state.get(day, {}).items()
        ]
        if missing:
            found[name] = len(missing)
    return found


def moved(planned: PlannedTransform, lake: LakeInventory) -> dict[str, list[date]]:
    """The inputs of a transform that are not what its days were planned for.

    Args:
        planned: The days of the transform.
        lake: What stands now.

    Returns:
        By event table or dimension, its planned days that are gone; none if others came in
        their place.
    """
    found: dict[str, list[date]] = {}
    for read, basis in planned.basis.items():
        if read in lake.spec.dimensions:
            if _described(lake.newest_snapshot(read)) != basis:
                found[read] = []
            continue
        wanted, there = planned.reads[read], lake.base(read)
        if _contents({day: there[day] for day in wanted & there.keys()}) != basis:
            found[read] = sorted(wanted - there.keys())
    return found


def _contents(partitions: Mapping[date, PartitionManifest]) -> str:
    chain = ContentChain({day: manifest.content_hash for day, manifest in partitions.items()})
    return chain.fingerprint([(date.min, date.max)])


def _described(snapshot: PartitionManifest | None) -> str:
    return snapshot.content_hash if snapshot else ""


def plan_enriched(
    request: EnrichedRequest,
    spec: Spec,
    lake: LakeInventory,
    values: Mapping[str, str],
    overrides: Mapping[str, Mapping[str, int | float]],
) -> EnrichedPlan:
    """Finds the days of the ten tables that are not what their inputs say now.

    Args:
        request: What the run was asked for.
        spec: The transforms and what they read.
        lake: What stands in the lake.
        values: Fingerprint of the dimension columns that reach every day, by transform.
        overrides: Parameters that differ from the spec for this run.
    """
    base = _Base(request, spec, lake)
    chains = {name: table.contents for name, table in base.tables.items()}
    planned: dict[str, PlannedTransform] = {}
    for name in _in_order(spec):
        planner = _Planner(name, base, chains, values.get(name, ""), overrides.get(name, {}))
        planned[name] = planner.planned()
        chains[name] = ContentChain(planner.made)
    rows = {name: table.rows for name, table in base.tables.items()}
    return EnrichedPlan(request.horizon, base.first_order_day, planned, rows)


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


class _Base:
    """Base Silver and the dimensions, as all transforms see them."""

    def __init__(self, request: EnrichedRequest, spec: Spec, lake: LakeInventory) -> None:
        self.request = request
        self.spec = spec
        self.lake = lake
        self.asked = frozenset(request.days)
        self.tables = {
            name: TableHistory(
                lake.base(name), table.business_date.source if table.business_date else None
            )
            for name, table in spec.events.items()
        }
        self.snapshots = {name: lake.newest_snapshot(name) for name in spec.dimensions}

    @cached_property
    def days(self) -> list[date]:
        return sorted({day for table in self.tables.values() for day in table.days})

    @property
    def first_order_day(self) -> date | None:
        return self.tables["orders"].contents.first

    @cached_property
    def event_days(self) -> list[date]:
        """Every calendar day from the first Base Silver day to the last, and those asked for."""
        between = calendar(self.days[0], self.days[-1]) if self.days else []
        return sorted({*between, *self.asked})


@dataclass(frozen=True)
class InputHistory:
    """What the reach of one input may ask: see `medallion.spec.reach.History`.

    Attributes:
        table: The name of the input.
        chain: Its days and their content.
        parameters: Those of the transform, for this run.
        tables: The event tables.
        described: The event table whose rows the transform describes, if its grain is a key.
    """

    table: str
    chain: ContentChain
    parameters: Mapping[str, int | float]
    tables: Mapping[str, TableHistory]
    described: str | None

    @property
    def first(self) -> date | None:
        """The first day with a partition."""
        return self.chain.first

    def parameter(self, name: str) -> int | float:
        """A parameter of the transform."""
        return self.parameters[name]

    def times(self, day: date) -> tuple[int, int] | None:
        """First and last event time of the rows that the transform describes."""
        return self.tables[self.described].times.get(day) if self.described else None

    def overlapping(self, first: int, last: int) -> list[Span]:
        """Days whose event times meet a closed interval."""
        return self.tables[self.table].overlapping(first, last)

    def referring(self, day: date) -> Sequence[date]:
        """Days with rows that refer to the rows that the transform describes."""
        return self.tables[self.table].referring(self.described, day) if self.described else ()

    def referred(self, by: str, day: date) -> list[date]:
        """Days that the rows of a day of another table refer to."""
        return self.tables[by].referred(self.table, day)


class _Planner:
    """Plans one transform.

    Args:
        name: The transform.
        base: Its surroundings.
        chains: Content of the event tables and of the transforms planned so far.
        values: Fingerprint of the dimension columns that reach every day.
        overrides: Parameters that differ from the spec for this run.
    """

    def __init__(
        self,
        name: str,
        base: _Base,
        chains: Mapping[str, ContentChain],
        values: str,
        overrides: Mapping[str, int | float],
    ) -> None:
        transform = base.spec.transforms[name]
        described = base.spec.described_by(transform)
        self._name = name
        self._base = base
        self._transform = transform
        self._parameters = {**transform.parameters, **overrides}
        self._code = code_of(name)
        self._always = fingerprint([_RULES, self._parameters, values])
        self._inputs = {
            read: InputHistory(read, chains[read], self._parameters, base.tables, described)
            for read in transform.reads
            if read in chains
        }
        reaches = transform.reads.values()
        windows = [int(self._parameters[r.parameter]) for r in reaches if isinstance(r, Trailing)]
        self._longest_window = max(windows, default=None)
        self._looks_ahead = any(isinstance(reach, Referring) for reach in reaches)
        self.made: dict[date, str] = {}

    def planned(self) -> PlannedTransform:
        recorded = self._base.lake.enriched_state(self._name)
        newest = self._newest()
        made_from: dict[str, dict[str, str]] = {}
        origins: dict[str, dict[str, Origin]] = {}
        reached: dict[str, list[Span]] = {}
        days: list[date] = []
        for day in self._candidates():
            spans = self._spans(day)
            contents = {r: self._inputs[r].chain.fingerprint(s) for r, s in spans.items()}
            context = self._context(day)
            events = fingerprint([self._always, context, contents])
            now = {_EVENTS: events, _NEWEST: newest, CODE: self._code}
            self.made[day] = fingerprint([events, self._code])
            if self._is_stale(day, now, recorded.get(day.isoformat(), {})):
                days.append(day)
                made_from[day.isoformat()] = now
                origins[day.isoformat()] = self._origins(spans, contents, context)
                for read, found in spans.items():
                    reached.setdefault(read, []).extend(found)
        reads = {
            read: frozenset(self._inputs[read].chain.within(union(spans)))
            for read, spans in reached.items()
        }
        return PlannedTransform(
            self._name, tuple(days), made_from, origins, reads, self._basis(reads), self._parameters
        )

    def _basis(self, reads: Mapping[str, Collection[date]]) -> dict[str, str]:
        """What the planned days stand on; other transforms are asked for by `unmade`."""
        base = self._base
        contents = {
            read: self._inputs[read].chain.fingerprint([(day, day) for day in days])
            for read, days in reads.items()
            if read in base.tables
        }
        snapshots = {
            read: _described(base.snapshots[read])
            for read in self._transform.reads
            if read in base.snapshots
        }
        return {**contents, **snapshots}

    def _candidates(self) -> list[date]:
        base, request = self._base, self._base.request
        current = base.lake.enriched_days(self._name)
        if self._transform.kind != "snapshot" or request.snapshots == "all":
            return sorted({*base.event_days, *current})
        if not base.days:
            return sorted(current)
        # An old day that is delivered late, or mended, is described by the days after it.
        described = {request.horizon, request.end} if base.asked else {request.horizon}
        return sorted({*current, *described})

    def _spans(self, day: date) -> dict[str, tuple[Span, ...]]:
        """The partitions of each input that a day is computed from."""
        return {
            read: self._transform.reads[read].partitions(history, day)
            for read, history in self._inputs.items()
        }

    def _is_stale(self, day: date, now: Mapping[str, str], then: Mapping[str, str]) -> bool:
        request, asked = self._base.request, self._base.asked
        is_asked = day == request.end if self._transform.kind == "snapshot" else day in asked
        if (is_asked and asked) or any(now[name] != then.get(name) for name in (_EVENTS, CODE)):
            return True
        return day == request.horizon and now[_NEWEST] != then.get(_NEWEST)

    def _newest(self) -> str:
        """Fingerprint of the dimensions that only the newest day follows."""
        snapshots = (
            self._base.snapshots[read]
            for read, reach in self._transform.reads.items()
            if isinstance(reach, Newest)
        )
        return fingerprint([snapshot.content_hash for snapshot in snapshots if snapshot])

    def _context(self, day: date) -> dict[str, int | str]:
        """What else decides a day's rows, cut off where it stops to matter."""
        context: dict[str, int | str] = {}
        if self._longest_window is not None:
            first = self._base.first_order_day
            length = min(self._longest_window, (day - first).days + 1) if first else 0
            context["window_days"] = length
        if self._looks_ahead:
            context["horizon"] = str(self._settled(day))
        return context

    def _settled(self, day: date) -> date:
        """The day after which nothing changes the rows of a day, or the horizon before that."""
        reaches = self._transform.reads
        ends = [
            end
            for read, reach in reaches.items()
            if isinstance(reach, Near) and (end := reach.settles(self._inputs[read], day))
        ]
        horizon = self._base.request.horizon
        if not ends:
            return min(horizon, day)
        return _EPOCH + timedelta(days=min(max(ends) // _DAY, (horizon - _EPOCH).days))

    def _origins(
        self,
        spans: Mapping[str, tuple[Span, ...]],
        contents: Mapping[str, str],
        context: Mapping[str, int | str],
    ) -> dict[str, Origin]:
        """The inputs of a day one by one; rows of another enriched table are not made yet."""
        origins: dict[str, Origin] = {}
        for read in sorted(self._transform.reads):
            if table := self._base.tables.get(read):
                rows = table.row_count(spans[read])
                origins[read] = Origin(fingerprint=contents[read], rows=rows)
            elif read in contents:
                origins[read] = Origin(fingerprint=contents[read])
            else:
                origins[read] = self._snapshot_origin(read)
        origins["parameters"] = self._decided(tuple(context.items()))
        origins[CODE] = Origin(fingerprint=self._code, rows=0)
        return origins

    @cached_property
    def _decided(self) -> Callable[[tuple[tuple[str, int | str], ...]], Origin]:
        """The origin that stands for parameters and context, made once for days that share it."""

        @cache
        def decided(context: tuple[tuple[str, int | str], ...]) -> Origin:
            return Origin(fingerprint=fingerprint([self._parameters, dict(context)]), rows=0)

        return decided

    def _snapshot_origin(self, dimension: str) -> Origin:
        snapshot = self._base.snapshots[dimension]
        if snapshot is None:
            return Origin(fingerprint="", rows=0)
        return Origin(fingerprint=snapshot.content_hash, rows=snapshot.rows)
