"""Laws of incremental planning, over random histories.

`tests.planning.quadratic` says the plain way which partitions a day is computed from.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import FileEntry, PartitionManifest
from medallion.lake.store import Lake
from medallion.planning.history import ContentChain, IntervalTree
from medallion.planning.incremental import EnrichedPlan, EnrichedRequest, plan_enriched
from medallion.spec import Spec, parse_spec
from tests.conftest import PROJECT
from tests.planning.quadratic import reached, times

MONDAY = date(2025, 10, 6)
TEXT = (PROJECT / "conf" / "base" / "spec.yml").read_text(encoding="utf-8")
# Windows of 5 days instead of 28, so that a short history has days outside of them.
SPEC = parse_spec(TEXT.replace("_days: 28", "_days: 5"))
TABLES = tuple(SPEC.events)
DAYS = st.integers(0, 12)
HORIZON = MONDAY + timedelta(days=13)
History = dict[str, dict[date, PartitionManifest]]


class MemoryInventory(LakeInventory):
    """A lake whose manifests are given; nothing has been made of them."""

    def __init__(self, spec: Spec, tables: History) -> None:
        super().__init__(Lake("nowhere"), spec)
        self.tables = tables

    def base(self, table: str) -> dict[date, PartitionManifest]:
        return self.tables[table]

    def enriched_days(self, transform: str) -> list[date]:  # noqa: ARG002
        return []

    def enriched_state(self, transform: str) -> dict[str, dict[str, str]]:  # noqa: ARG002
        return {}

    def newest_snapshot(self, dimension: str) -> PartitionManifest | None:  # noqa: ARG002
        return None


@st.composite
def partitions(draw: st.DrawFn, table: str) -> tuple[date, PartitionManifest]:
    """A partition with late rows and references to any day, also to days that are not there."""
    day = MONDAY + timedelta(days=draw(DAYS))
    late, hours = draw(st.sampled_from([0, 0, 1, 60, 200])), draw(st.integers(0, 23))
    bounds = (f"{day - timedelta(hours=late)}T{hours:02}:00:00", f"{day}T{hours:02}:30:00")
    referred = draw(st.lists(DAYS, max_size=3, unique=True))
    business = SPEC.tables[table].business_date
    parents = [fk.parent for fk in SPEC.tables[table].foreign_keys if fk.parent in SPEC.events]
    return day, PartitionManifest(
        table=f"base/{table}",
        partition=f"ingestion_dt={day}",
        files=(FileEntry(path="part-0000.parquet", rows=draw(DAYS), bytes=1, sha256=""),),
        content_hash=draw(st.sampled_from("ab")),
        bounds={business.source: bounds} if business and draw(st.booleans()) else {},
        refers={p: tuple(str(MONDAY + timedelta(days=n)) for n in referred) for p in parents},
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Some days of each table."""
    return {
        table: dict(draw(st.lists(partitions(table), max_size=6, unique_by=lambda p: p[0])))
        for table in TABLES
    }


def plan(tables: History, horizon: date = HORIZON) -> EnrichedPlan:
    wanted = EnrichedRequest((), horizon, horizon, "all")
    return plan_enriched(wanted, SPEC, MemoryInventory(SPEC, tables), {}, {})


@pytest.mark.parametrize("name", SPEC.transforms)
@given(tables=histories())
@settings(max_examples=10, deadline=None)
def test_every_reach_finds_the_partitions_that_a_plain_search_finds(
    name: str, tables: History
) -> None:
    transform = SPEC.transforms[name]
    planned = plan(tables).transforms[name]
    for read in set(transform.reads) & set(tables):
        each = {day: reached(SPEC, transform, read, tables, day) or set() for day in planned.days}
        assert planned.reads.get(read, frozenset()) == set().union(*each.values())
        for day, days in each.items():
            rows = sum(tables[read][other].rows for other in days)
            assert planned.origins[str(day)][read].rows == rows


@given(
    tables=histories(),
    changes=st.lists(
        st.sampled_from(TABLES).flatmap(
            lambda table: st.tuples(st.just(table), partitions(table), st.booleans())
        ),
        max_size=3,
    ),
    more_days=st.integers(0, 2),
)
@settings(max_examples=20, deadline=None)
def test_an_input_has_the_same_fingerprint_if_and_only_if_it_has_the_same_content(
    tables: History,
    changes: list[tuple[str, tuple[date, PartitionManifest], bool]],
    more_days: int,
) -> None:
    changed = deepcopy(tables)
    for table, (day, manifest), is_removed in changes:
        if is_removed:
            changed[table].pop(day, None)
        else:
            changed[table][day] = manifest
    later = HORIZON + timedelta(days=more_days)
    before, after = plan(tables), plan(changed, later)
    for name, transform in SPEC.transforms.items():
        for day in set(before.transforms[name].days) & set(after.transforms[name].days):
            then, now = (p.transforms[name].origins[str(day)] for p in (before, after))
            for read in set(transform.reads) & set(tables):
                same = _content(name, read, tables, day) == _content(name, read, changed, day)
                assert (then[read].fingerprint == now[read].fingerprint) == same
            prints = [p.transforms[name].made_from[str(day)] for p in (before, after)]
            same = _decides(name, tables, day, HORIZON) == _decides(name, changed, day, later)
            assert (prints[0]["events"] == prints[1]["events"]) == same


def _content(name: str, read: str, tables: History, day: date) -> dict[date, str]:
    days = reached(SPEC, SPEC.transforms[name], read, tables, day) or set()
    return {other: tables[read][other].content_hash for other in days}


def _decides(name: str, tables: History, day: date, horizon: date) -> Mapping[str, Any]:
    """All that a day's fingerprint should depend on, other transforms opened up."""
    transform = SPEC.transforms[name]
    found: dict[str, Any] = {
        read: _content(name, read, tables, day)
        if read in tables
        else _decides(read, tables, day, horizon)
        for read in transform.reads
        if read not in SPEC.dimensions
    }
    if name in ("inventory_risk", "sales_velocity"):
        orders = min(tables["orders"], default=None)
        found["window"] = min(5, (day - orders).days + 1) if orders else 0
    if name == "cart_attribution":
        carts = times(SPEC, "shopping_carts", tables, day)
        settled = (carts[1] + timedelta(hours=48)).date() if carts else day
        found["horizon"] = min(settled, horizon)
    return found


@given(
    st.lists(st.one_of(st.none(), st.tuples(DAYS, DAYS).map(sorted).map(tuple)), max_size=40),
    DAYS,
    DAYS,
)
def test_the_interval_tree_finds_what_a_look_at_every_interval_finds(
    intervals: list[tuple[int, int] | None], first: int, length: int
) -> None:
    last = first + length
    runs = IntervalTree(intervals).meeting(first, last)
    expected = [n for n, i in enumerate(intervals) if i and i[0] <= last and i[1] >= first]
    assert [position for run in runs for position in run] == expected
    assert all(one.stop < other.start for one, other in pairwise(runs))


@given(
    st.dictionaries(DAYS, st.sampled_from(["", "a", "b"])),
    st.dictionaries(DAYS, st.sampled_from(["", "a", "b"])),
    DAYS,
    DAYS,
)
def test_a_window_has_one_fingerprint_for_one_content(
    one: dict[int, str], other: dict[int, str], first: int, length: int
) -> None:
    span = (MONDAY + timedelta(days=first), MONDAY + timedelta(days=first + length))
    prints, contents = [], []
    for days in (one, other):
        chain = ContentChain({MONDAY + timedelta(days=n): word for n, word in days.items()})
        prints.append(chain.fingerprint([span]))
        contents.append({n: w for n, w in days.items() if w and first <= n <= first + length})
    assert (prints[0] == prints[1]) == (contents[0] == contents[1])


def test_planning_twice_the_days_costs_about_twice_the_steps() -> None:
    assert _steps(160) < 2.5 * _steps(80)


def _steps(days: int) -> int:
    """Python calls of a run that has every day to make: the same on every machine."""
    import cProfile
    import pstats

    tables: History = {
        table: {
            (day := MONDAY + timedelta(days=n)): PartitionManifest(
                table=f"base/{table}",
                partition=f"ingestion_dt={day}",
                files=(),
                content_hash=str(n),
                bounds={b.source: (f"{day - timedelta(days=1)}T08:00:00", f"{day}T20:00:00")}
                if (b := SPEC.tables[table].business_date)
                else {},
            )
            for n in range(days)
        }
        for table in TABLES
    }
    inventory = MemoryInventory(SPEC, tables)
    end = MONDAY + timedelta(days=days - 1)
    profile = cProfile.Profile()
    profile.runcall(plan_enriched, EnrichedRequest((), end, end, "all"), SPEC, inventory, {}, {})
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined]
