"""The run plan: which Bronze days a run processes, and the reason for each partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Literal

from medallion.errors import RequestError, UsageError
from medallion.lake.bronze import BronzeInventory, Finding, Listed
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import fingerprint
from medallion.lake.quarantined import Selection, check_selection, selected_rows
from medallion.lake.snapshots import lost_snapshots
from medallion.planning.code import Recoded, recoded
from medallion.planning.held_back import delivered_days, held_back, held_findings
from medallion.planning.request import RunRequest
from medallion.spec import BRONZE_DAY, Spec


@dataclass(frozen=True)
class PlannedPartition:
    """A Bronze partition that the run processes, and why."""

    table: str
    day: date
    reason: str
    listed: Listed | None = field(default=None, repr=False)

    @property
    def partition(self) -> str:
        """The folder's name in Bronze."""
        return f"{BRONZE_DAY}={self.day}"


@dataclass(frozen=True)
class PlannedDimension:
    """Whether a dimension gets a new snapshot, and why (not).

    Attributes:
        day: The snapshot's day.
        stale: Whether it is built.
        bronze: Fingerprint of all Bronze partitions of the dimension.
        partitions: Those partitions, to be opened if it is stale.
    """

    name: str
    day: date
    stale: bool
    reason: str
    bronze: str
    partitions: tuple[Listed, ...] = field(repr=False)


@dataclass(frozen=True)
class RunPlan:
    """What a run processes.

    Attributes:
        mode: `window` if days were asked for, `replay` if quarantined rows were, `forget` if
            days go, else `pending`.
        start: First day of the window; None when nothing is pending.
        end: Last day of the window; the horizon when nothing is pending.
        horizon: The later of `end` and the newest Base Silver day.
        partitions: The Bronze partitions of the event tables.
        dimensions: The dimensions and whether they are fresh.
        findings: What a person should know about Bronze.
        snapshots: Which days the customer snapshots describe.
        recoded: The enriched tables whose days are made again because of their code.
    """

    mode: Literal["window", "replay", "forget", "pending"]
    start: date | None
    end: date
    horizon: date
    partitions: tuple[PlannedPartition, ...]
    dimensions: tuple[PlannedDimension, ...]
    findings: tuple[Finding, ...]
    snapshots: Literal["last", "all"]
    recoded: tuple[Recoded, ...] = ()

    @property
    def days(self) -> list[date]:
        """The Bronze days, ascending."""
        return sorted({partition.day for partition in self.partitions})

    @property
    def asked_for(self) -> list[date]:
        """The calendar days of a window that was asked for."""
        return calendar(self.start, self.end) if self.mode == "window" and self.start else []

    @property
    def is_empty(self) -> bool:
        """Whether Bronze has nothing for this run."""
        return not self.partitions and not any(dim.stale for dim in self.dimensions)

    def summary(self) -> dict[str, Any]:
        """The plan as plain JSON, for reports and for people."""
        return {
            "mode": self.mode,
            "start": self.start and self.start.isoformat(),
            "end": self.end.isoformat(),
            "horizon": self.horizon.isoformat(),
            "snapshots": self.snapshots,
            "partitions": [
                {"table": p.table, "partition": p.partition, "reason": p.reason}
                for p in self.partitions
            ],
            "dimensions": [
                {
                    "name": d.name,
                    "snapshot_dt": d.day.isoformat(),
                    "stale": d.stale,
                    "reason": d.reason,
                }
                for d in self.dimensions
            ],
            "recoded": [
                {"table": f"enriched.{one.name}", "days": one.days, "reason": one.reason}
                for one in self.recoded
            ],
            "findings": [str(finding) for finding in self.findings],
        }


def calendar(first: date, last: date) -> list[date]:
    """All days from first to last."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def plan_run(
    request: RunRequest, spec: Spec, bronze: BronzeInventory, lake: LakeInventory
) -> RunPlan:
    """Decides what a run processes, and which days of Enriched it makes again for their code.

    Without a window that is every Bronze day that is new, or of which a partition was
    delivered again since it was processed. A replay is every partition with the quarantined
    rows that were asked for, and no other.

    Raises:
        RequestError: The window that was asked for has no data.
        UsageError: The window ends far behind all data.
    """
    if request.replay:
        plan = _plan_replay(request, spec, bronze, lake)
    elif request.forget:
        plan = _plan_forgetting(request, spec, bronze, lake)
    else:
        plan = _plan_days(request, spec, bronze, lake)
    findings = (*plan.findings, *_ahead(plan, spec, bronze, lake), *_lost_snapshots(spec, lake))
    return replace(plan, findings=findings, recoded=recoded(spec, lake))


def found_here(plan: RunPlan, bronze: BronzeInventory) -> RunPlan:
    """A plan that was made before, its partitions where this machine finds them now.

    Args:
        plan: The plan, which another machine may have made.
        bronze: What this machine sees of Bronze; what is gone of it stays as it was planned.
    """
    here = {(one.table, one.partition): one for found in bronze.tables.values() for one in found}

    def found(listed: Listed) -> Listed:
        return here.get((listed.table, listed.partition), listed)

    return replace(
        plan,
        partitions=tuple(
            replace(one, listed=one.listed and found(one.listed)) for one in plan.partitions
        ),
        dimensions=tuple(
            replace(one, partitions=tuple(map(found, one.partitions))) for one in plan.dimensions
        ),
    )


def _plan_days(
    request: RunRequest, spec: Spec, bronze: BronzeInventory, lake: LakeInventory
) -> RunPlan:
    """Plans the days of a window, or whatever is pending."""
    held = held_back(spec, bronze, lake)
    reasons = _reasons(request, spec, bronze, lake, held)
    planned = tuple(_planned(spec, bronze, lake, reasons))
    if request.window and not planned:
        raise _no_data(request, spec, bronze, held)
    days = [partition.day for partition in planned]
    known = _known_days(days, held, spec, bronze, lake)
    window = _without_held(request.window, days, held) if request.window else None
    start, end = window or (min(days, default=None), max(days or known))
    _check_window(window, [*days, *lake.base_days()], held, spec, bronze)
    return RunPlan(
        mode="window" if request.window else "pending",
        start=start,
        end=end,
        horizon=max(end, *known),
        partitions=planned,
        dimensions=tuple(
            _dimension(spec, name, end, bronze, lake, pending=not request.window)
            for name in spec.dimensions
        ),
        findings=_findings(spec, bronze, lake, held, reasons, request.window),
        snapshots=request.snapshots or spec.snapshots,
    )


def _without_held(
    window: tuple[date, date], days: Sequence[date], held: Mapping[date, str]
) -> tuple[date, date]:
    """A window as it is processed: it does not reach out for days that are held back.

    Args:
        window: The days that were asked for.
        days: Those of them that are processed; there is one.
        held: The days that are held back.
    """
    first, last = window
    left_out = [day for day in held if first <= day <= last and day not in days]
    start = min(days) if any(day < min(days) for day in left_out) else first
    end = max(days) if any(day > max(days) for day in left_out) else last
    return start, end


def _findings(
    spec: Spec,
    bronze: BronzeInventory,
    lake: LakeInventory,
    held: Mapping[date, str],
    reasons: Mapping[date, Any],
    window: tuple[date, date] | None = None,
) -> tuple[Finding, ...]:
    """What a person should know of Bronze, and of days that this run leaves as they are."""
    waiting = {day: why for day, why in held.items() if day not in reasons}
    return (
        *bronze.findings,
        *held_findings(spec, bronze, waiting, window),
        *_vanished(spec, bronze, lake, reasons),
        *_lost(spec, bronze, lake),
    )


def _ahead(
    plan: RunPlan, spec: Spec, bronze: BronzeInventory, lake: LakeInventory
) -> Iterable[Finding]:
    """Partitions of dimensions that no snapshot holds the rows of: no event day reaches them.

    Those within the days that events have been delivered for come with a later run.
    """
    held, newest = held_back(spec, bronze, lake), lake.newest_snapshots()
    usual = [day for day in delivered_days(spec, bronze) if day not in held]
    for name in spec.dimensions:
        reached = max([plan.horizon, *usual, newest.get(name, plan.horizon)])
        for listed in bronze.tables.get(name, ()):
            if listed.day and listed.day > reached and not (listed.is_empty or listed.problem):
                ahead = (listed.day - reached).days
                rows = f"{listed.total_rows:,} rows" if listed.total_rows else "rows"
                yield Finding(
                    "partition_ahead",
                    name,
                    listed.partition,
                    f"lies {ahead:,} {'day' if ahead == 1 else 'days'} after {reached}, the last "
                    f"day that there is a snapshot for: its {rows} count when "
                    "a run reaches its day, its keys are known already. If the date is wrong, "
                    "take it out of Bronze",
                    critical=ahead > spec.max_day_gap,
                )


def _check_window(
    window: tuple[date, date] | None,
    known: Iterable[date],
    held: Mapping[date, str],
    spec: Spec,
    bronze: BronzeInventory,
) -> None:
    """Refuses a window that reaches far beyond all data: every day of it would be made."""
    if window is None:
        return
    usual = [day for day in delivered_days(spec, bronze) if day not in held]
    days = [*known, *usual]
    oldest, start = min(days), window[0]
    if oldest - start > timedelta(days=spec.max_day_gap):
        raise UsageError(
            f"The window starts on {start}, {(oldest - start).days:,} days before {oldest}, the "
            f"first day that there is (at most {spec.max_day_gap} days are taken for no mistake).",
            hint=f"start the window on {oldest}.",
        )
    newest, end = max(days), window[1]
    if end - newest > timedelta(days=spec.max_day_gap):
        raise UsageError(
            f"The window ends on {end}, {(end - newest).days:,} days after {newest}, the newest "
            f"day that there is (at most {spec.max_day_gap} days are taken for no mistake).",
            hint=f"end the window on {newest}, or leave `end` to the day that was meant.",
        )


def _known_days(
    days: list[date],
    held: Mapping[date, str],
    spec: Spec,
    bronze: BronzeInventory,
    lake: LakeInventory,
) -> list[date]:
    known = [*days, *lake.days()]
    if not known:
        delivered = delivered_days(spec, bronze)
        known = [day for day in delivered if day not in held] or list(delivered)
    if not known:
        raise RequestError(
            f"Bronze at {bronze.root} has no complete partition of an event table.",
            details=[str(finding) for finding in bronze.findings],
            hint="a partition is complete when its _MANIFEST.json is there.",
        )
    return known


def _plan_replay(
    request: RunRequest, spec: Spec, bronze: BronzeInventory, lake: LakeInventory
) -> RunPlan:
    """Plans the partitions of quarantined rows; its end is the horizon, as nothing is newer."""
    waiting = _waiting(request, lake)
    there = {table: {p.day: p for p in bronze.tables.get(table, ())} for table in spec.events}
    planned = tuple(
        PlannedPartition(table, day, _replay_reason(rows), listed)
        for table, listed_days in there.items()
        for day, rows in waiting.get(table, {}).items()
        if (listed := listed_days.get(day))
    )
    days = [partition.day for partition in planned]
    held = held_back(spec, bronze, lake)
    end = max(_known_days(days, held, spec, bronze, lake))
    return RunPlan(
        mode="replay",
        start=min(days, default=None),
        end=end,
        horizon=end,
        partitions=planned,
        dimensions=tuple(
            _replayed_dimension(
                _dimension(spec, name, end, bronze, lake, pending=True),
                waiting.get(name, {}),
                lake,
            )
            for name in spec.dimensions
        ),
        findings=(
            *bronze.findings,
            *held_findings(spec, bronze, held),
            *_left_in_quarantine(waiting, bronze, spec),
        ),
        snapshots=request.snapshots or spec.snapshots,
    )


def _plan_forgetting(
    request: RunRequest, spec: Spec, bronze: BronzeInventory, lake: LakeInventory
) -> RunPlan:
    """Plans days that go: no partition is delivered for them. Its end is what remains.

    Raises:
        RequestError: Bronze holds such a day, or the lake does not.
    """
    check_forgettable(request.forget, spec, bronze, lake)
    gone = sorted(set(request.forget))
    remaining = [day for day in lake.days() if day not in gone]
    end = max(remaining or gone)
    return RunPlan(
        mode="forget",
        start=gone[0],
        end=end,
        horizon=end,
        partitions=tuple(
            PlannedPartition(table, day, "is forgotten")
            for table in spec.events
            for day in gone
            if day in {**lake.base(table), **lake.quarantine(table)}
        ),
        dimensions=tuple(
            replace(planned, stale=True, reason="days are forgotten")
            if planned.partitions
            else planned
            for name in spec.dimensions
            for planned in [_dimension(spec, name, end, bronze, lake, pending=True)]
        ),
        findings=_findings(spec, bronze, lake, {}, dict.fromkeys(gone)),
        snapshots=request.snapshots or spec.snapshots,
    )


def check_forgettable(
    days: Iterable[date], spec: Spec, bronze: BronzeInventory, lake: LakeInventory
) -> None:
    """Makes sure that Bronze no longer holds days, and that the lake does.

    Raises:
        RequestError: It is otherwise.
    """
    reached, delivered = lake.reached_days(), delivered_days(spec, bronze)
    for day in sorted(set(days)):
        incomplete = [f.table for f in bronze.findings if f.partition == f"{BRONZE_DAY}={day}"]
        if there := sorted({*delivered.get(day, ()), *incomplete}):
            raise RequestError(
                f"Bronze at {bronze.root} still holds {day}: {', '.join(there)}.",
                hint="take it out of Bronze first; otherwise the next run would process it again.",
            )
        if day not in reached:
            held = f"{min(reached)} to {max(reached)}" if reached else "no day"
            raise RequestError(
                f"The lake holds nothing of {day}; it has {held}.",
                hint="`kedro lake plan` names the days that are no longer in Bronze.",
            )


def _waiting(request: RunRequest, lake: LakeInventory) -> dict[str, dict[date, int]]:
    """Rows asked for, by table and day."""
    wanted = request.replay
    selection = Selection(wanted.tables, wanted.reasons, request.window) if wanted else Selection()
    checked = check_selection(selection, lake)
    return {table: selected_rows(lake, table, checked) for table in checked.tables}


def _replay_reason(rows: int) -> str:
    return f"replay: {rows:,} {'row' if rows == 1 else 'rows'} in quarantine"


def _replayed_dimension(
    planned: PlannedDimension, rows: Mapping[date, int], lake: LakeInventory
) -> PlannedDimension:
    """A dimension is made again, for the same day, if its newest snapshot left rows behind."""
    if not planned.partitions:
        reason = "Bronze has no partition of it; its snapshot stays"
        return replace(planned, stale=False, reason=reason)
    newest = lake.newest_snapshots().get(planned.name)
    if planned.stale or newest is None or newest not in rows:
        return planned
    return replace(planned, day=newest, stale=True, reason=_replay_reason(rows[newest]))


def _left_in_quarantine(
    waiting: Mapping[str, Mapping[date, int]], bronze: BronzeInventory, spec: Spec
) -> Iterable[Finding]:
    """Rows that cannot be scored again, because Bronze no longer has their partition."""
    for table, days in waiting.items():
        partitions = bronze.tables.get(table, ())
        there = {listed.day for listed in partitions}
        for day, rows in days.items():
            if day not in there and not (table in spec.dimensions and partitions):
                where = f"{BRONZE_DAY}={day}" if table in spec.events else ""
                kept = f"is not in Bronze; its {rows:,} rows in quarantine stay there"
                yield Finding("partition_kept", table, where, kept)


def _reasons(
    request: RunRequest,
    spec: Spec,
    bronze: BronzeInventory,
    lake: LakeInventory,
    held: Mapping[date, str],
) -> dict[date, dict[str, str]]:
    """Why each day is processed: per day, the tables that ask for it."""
    if request.window:
        first, last = request.window
        delivered = delivered_days(spec, bronze)
        # A window of one day names it; a longer one takes no day along that is held back.
        named = first == last
        return {day: {} for day in delivered if first <= day <= last and (named or day not in held)}
    reasons: dict[date, dict[str, str]] = {}
    for table in spec.events:
        processed = lake.processed(table)
        for listed in bronze.tables.get(table, ()):
            day = listed.day
            if day is None or day in held or (listed.is_empty and day not in processed):
                continue
            if processed.get(day) != listed.fingerprint:
                reasons.setdefault(day, {})[table] = _reason(processed.get(day))
    return dict(sorted(reasons.items()))


def _reason(made_from: str | None) -> str:
    """Why a partition is pending, by what its day in the lake was made from."""
    if made_from is None:
        return "new"
    return "delivered again" if made_from else "incomplete in the lake"


def _planned(
    spec: Spec,
    bronze: BronzeInventory,
    lake: LakeInventory,
    reasons: dict[date, dict[str, str]],
) -> Iterable[PlannedPartition]:
    for table in spec.events:
        listed = {found.day: found for found in bronze.tables.get(table, ())}
        processed = lake.processed(table)
        for day, asking in reasons.items():
            if day in listed or day in processed:
                reason = asking.get(table) or _shared_reason(asking)
                yield PlannedPartition(table, day, reason, listed.get(day))


def _shared_reason(asking: dict[str, str]) -> str:
    return f"{', '.join(asking)} of the day changed" if asking else "asked for"


def _no_data(
    request: RunRequest, spec: Spec, bronze: BronzeInventory, held: Mapping[date, str]
) -> RequestError:
    first, last = request.window or (date.min, date.max)
    if waiting := [day for day in held if first <= day <= last]:
        return RequestError(
            f"All days from {first} to {last} that Bronze at {bronze.root} has are held back:",
            details=[f"{day} {held[day]}" for day in waiting],
            hint=f"ask for such a day by its name (`kedro run --params ingest_dt={waiting[0]}`) "
            "if it is right; if not, take it out of Bronze.",
        )
    days = list(delivered_days(spec, bronze))
    there = f"it has {days[0]} to {days[-1]}" if days else "it has no complete partition"
    window = f"on {first}" if first == last else f"from {first} to {last}"
    return RequestError(
        f"Bronze at {bronze.root} has no data {window}; {there}.",
        hint="ask for days that are there, or for none: then everything pending is processed.",
    )


def _vanished(
    spec: Spec,
    bronze: BronzeInventory,
    lake: LakeInventory,
    reasons: Mapping[date, Any],
) -> Iterable[Finding]:
    """One finding for each day that was processed and is no longer in Bronze."""
    delivered = delivered_days(spec, bronze)
    gone: dict[date, list[str]] = {}
    for table in spec.events:
        for day in lake.processed(table):
            if table not in delivered.get(day, ()) and day not in reasons:
                gone.setdefault(day, []).append(table)
    for day, tables in sorted(gone.items()):
        command = f"run --params ingest_dt={day}" if day in delivered else f"lake forget {day}"
        yield Finding(
            "partition_kept",
            "",
            f"{BRONZE_DAY}={day}",
            f"is no longer in Bronze ({', '.join(tables)}); its Silver rows stay."
            f" `kedro {command}` takes them out",
        )


def _lost(spec: Spec, bronze: BronzeInventory, lake: LakeInventory) -> Iterable[Finding]:
    """Days that a gate has seen, and that neither the lake nor Bronze holds any more."""
    delivered = delivered_days(spec, bronze)
    for table in spec.events:
        there = {str(day) for day in lake.processed(table)}
        for value in sorted(lake.seen("base_silver", table) - there):
            if table not in delivered.get(date.fromisoformat(value), ()):
                message = "its Silver rows were deleted, and Bronze no longer holds them"
                where = f"{BRONZE_DAY}={value}"
                yield Finding("partition_lost", table, where, message, critical=True)


def _lost_snapshots(spec: Spec, lake: LakeInventory) -> Iterable[Finding]:
    """Older snapshots that were deleted, and keys; Bronze says how it is now, not how it was."""
    for name in spec.dimensions:
        for path in lost_snapshots(lake, name):
            layer, _, partition = path.split("/")
            what = "snapshot" if layer == "dims" else "quarantined rows of this snapshot"
            message = (
                f"the {what} ({path}) {'was' if layer == 'dims' else 'were'} deleted, and Bronze no"
                " longer says what stood there; put the folder back from a copy if you need it"
            )
            yield Finding("snapshot_lost", name, partition, message)
        if left := _keys_at_risk(name, lake):
            message = (
                f"the known keys (keys/{name}) are not those of the last run: {left:,} of them had "
                "left Bronze, which no longer says them; put the folder back from a newer copy if "
                "rows that refer to them go to quarantine"
            )
            yield Finding("snapshot_lost", name, "", message)


def _keys_at_risk(name: str, lake: LakeInventory) -> int:
    """Keys that only the key set knew, if it is not there or not what it was."""
    newest = lake.newest_snapshot(name)
    return newest.counts.get("keys_left", 0) if newest and not lake.has_its_keys(name) else 0


def _dimension(
    spec: Spec,
    name: str,
    end: date,
    bronze: BronzeInventory,
    lake: LakeInventory,
    *,
    pending: bool,
) -> PlannedDimension:
    partitions = bronze.tables.get(name, ())
    stamp = fingerprint([(listed.key, listed.value, listed.fingerprint) for listed in partitions])
    stale, reason = _freshness(spec, name, end, stamp, lake)
    day = max(end, lake.newest_snapshots().get(name, end)) if pending else end
    return PlannedDimension(name, day, stale, reason, stamp, partitions)


def _freshness(
    spec: Spec, name: str, end: date, stamp: str, lake: LakeInventory
) -> tuple[bool, str]:
    newest = lake.newest_snapshot(name)
    if newest is None:
        return True, "there is no snapshot yet"
    hours = (end - date.fromisoformat(newest.value)).days * 24
    if hours >= (spec.tables[name].freshness_hours or 0):
        return True, f"the newest snapshot ({newest.value}) is {hours} hours older than the run"
    if newest.inputs.get("bronze") != stamp:
        return True, "Bronze has new or changed partitions of it"
    if not lake.lake.verifies(f"dims/{name}", newest):
        return True, f"the snapshot of {newest.value} is damaged"
    if not lake.is_whole(name):
        return (
            True,
            f"the key set or rows beside the snapshot of {newest.value} are not what they were",
        )
    return False, f"fresh: the snapshot of {newest.value} still stands"
