"""Which marts a run builds, and which of their days, derived from what they were made from.

A mart whose rows belong to a day is built day by day: a day has a fingerprint of the partitions
it is made from, and one whose fingerprint is not the recorded one is built again. Days that
arrive out of order, come again, come out empty or are changed by what a later day brought are
all found in this one way. Other marts are built whole if anything that they read has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from medallion.dbt_project.declared import Mart
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import PartitionManifest
from medallion.lake.views import folder_of
from medallion.terminal import counted

# Under which name a mart that is not built by day notes what it was made from.
WHOLE = "whole"
#: What each mart was made from: a fingerprint by ISO day, or by `WHOLE`.
MadeFrom = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class MartsState:
    """What the marts that stand were made from.

    Attributes:
        code: The models and macros.
        made_from: The partitions, by mart.
    """

    code: str = ""
    made_from: MadeFrom = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class PlannedMart:
    """What of a mart a run builds.

    Attributes:
        days: ISO days, ascending; None for all of it.
        reads: Of each table the ISO days that are read, ascending; a table that is not named is
            read whole.
    """

    days: tuple[str, ...] | None = None
    reads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def as_var(self) -> dict[str, Any]:
        """The plan as dbt's macros read it."""
        days = {} if self.days is None else {"days": list(self.days)}
        return {**days, "reads": {table: list(read) for table, read in self.reads.items()}}


@dataclass(frozen=True)
class MartsPlan:
    """What a run builds of Gold.

    Attributes:
        stamp: Everything that Gold is made from, in one fingerprint.
        is_whole: Whether every mart is built from nothing; what stands counts for nothing then.
        marts: The marts to build.
        reads: The tables that these marts read, such as `enriched.sales_velocity`, and the days
            of each; None for all of it.
        state: What all marts are made from when they are built.
    """

    stamp: str
    is_whole: bool
    marts: Mapping[str, PlannedMart]
    reads: Mapping[str, frozenset[str] | None] = field(repr=False)
    state: MartsState = field(repr=False)

    def __str__(self) -> str:
        """What is built, in a few words."""
        by_day = [planned.days for planned in self.marts.values() if planned.days is not None]
        days = sorted({day for listed in by_day for day in listed})
        whole = len(self.marts) - len(by_day)
        if self.is_whole or not days:
            return f"{counted(whole, 'mart')} whole"
        span = days[0] if len(days) == 1 else f"{len(days):,} days, {days[0]} to {days[-1]}"
        return f"{counted(len(by_day), 'mart')} for {span}; {counted(whole, 'mart')} whole"


def plan_marts(
    marts: Mapping[str, Mart], lake: LakeInventory, stamp: str, code: str, before: MartsState
) -> MartsPlan:
    """Finds what of Gold is not what the lake says now.

    Args:
        marts: The marts as dbt declares them.
        lake: What they are built on.
        stamp: Everything that Gold is made from.
        code: The models and macros, as a fingerprint.
        before: What those that stand were made from; nothing if they do not count.
    """
    contents = {table: _contents(lake, table) for mart in marts.values() for table in mart.reads}
    digests = {table: _digest(content.items()) for table, content in contents.items()}
    now = {
        name: _days(mart, contents) if mart.is_by_day else _whole(mart, contents, digests)
        for name, mart in marts.items()
    }
    state = MartsState(code, now)
    is_whole = before.code != code
    due = {name: _due(now[name], before.made_from.get(name, {})) for name in marts}
    planned = {
        name: _listed(mart, due[name])
        if mart.is_by_day and not is_whole
        else PlannedMart(None, _read_at_all(mart, contents))
        for name, mart in marts.items()
        if is_whole or due[name]
    }
    return MartsPlan(stamp, is_whole, planned, _reads(marts, planned), state)


def _reads(
    marts: Mapping[str, Mart], planned: Mapping[str, PlannedMart]
) -> dict[str, frozenset[str] | None]:
    found: dict[str, frozenset[str] | None] = {}
    for name, mart in planned.items():
        for table in marts[name].reads:
            days = mart.reads.get(table)
            others = found.get(table, frozenset())
            found[table] = None if days is None or others is None else others | set(days)
    return found


def _contents(lake: LakeInventory, table: str) -> dict[str, str]:
    """The content of each partition of a table that marts read, by value, ascending."""
    layer, _, name = table.partition(".")
    if layer == "dims":
        newest = lake.newest_snapshot(name)
        return _hashes({newest.value: newest} if newest else {})
    return _hashes(lake.lake.partitions(folder_of(table)))


def _hashes(partitions: Mapping[str, PartitionManifest]) -> dict[str, str]:
    return {value: manifest.content_hash for value, manifest in partitions.items()}


def _days(mart: Mart, contents: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The fingerprint of each day of a mart that is built by day."""
    read = [contents[table] for table in mart.reads]
    return {
        day: _digest(_around(day, mart.days_before, read)) for day in sorted(set().union(*read))
    }


def _whole(
    mart: Mart, contents: Mapping[str, Mapping[str, str]], digests: Mapping[str, str]
) -> dict[str, str]:
    """The fingerprint of a mart that is built whole."""
    if mart.newest_only:
        return {WHOLE: _digest(sorted(_newest(contents[t]).items()) for t in mart.reads)}
    return {WHOLE: _digest(digests[table] for table in mart.reads)}


def _around(day: str, before: int, read: Sequence[Mapping[str, str]]) -> Iterable[str]:
    """The content of a day, and of those before it that it is made from."""
    days = days_until(day, before)
    return (contents.get(one, "") for contents in read for one in days)


def days_until(day: str, before: int) -> list[str]:
    """A day, and so many before it, ascending.

    >>> days_until("2025-10-01", 1)
    ['2025-09-30', '2025-10-01']
    """
    if not before:
        return [day]
    last = date.fromisoformat(day)
    return [str(last - timedelta(days=back)) for back in range(before, -1, -1)]


def _newest(contents: Mapping[str, str]) -> Mapping[str, str]:
    newest = max(contents, default=None)
    return {newest: contents[newest]} if newest else {}


def _digest(parts: Iterable[object]) -> str:
    return hashlib.blake2b("\n".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def _due(now: Mapping[str, str], before: Mapping[str, str]) -> list[str]:
    """What is not as it was; days that are gone are among them."""
    return sorted(day for day in {*now, *before} if now.get(day) != before.get(day))


def _listed(mart: Mart, days: Sequence[str]) -> PlannedMart:
    read = sorted({one for day in days for one in days_until(day, mart.days_before)})
    return PlannedMart(tuple(days), dict.fromkeys(mart.reads, tuple(read)))


def _read_at_all(
    mart: Mart, contents: Mapping[str, Mapping[str, str]]
) -> dict[str, tuple[str, ...]]:
    """The days that a mart reads although it is built whole, by table."""
    if not mart.newest_only:
        return {}
    return {table: tuple(_newest(contents[table])) for table in mart.reads}
