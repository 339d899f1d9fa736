"""What stands in the lake that this project wrote."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from pydantic import ConfigDict
from typing_extensions import TypedDict

from medallion.lake.manifest import PartitionManifest, fingerprint
from medallion.lake.names import is_day
from medallion.lake.store import Lake
from medallion.spec import Spec
from medallion.storage import Document
from medallion.storage.layout import REPORTS, Layout

_CONTENT = "content"
# What a row of Bronze can become.
_OUTCOMES = ("base", "quarantine")
_Texts = dict[str, str]


class _Verdict(TypedDict, total=False):
    """What a ledger says of a table, as far as the lake itself relies on it."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    suite: str
    partitions: _Texts
    snapshots: list[str]
    keys: str
    failures: list[dict[str, Any]]


class LakeInventory:
    """A reader's view of the lake: manifests, pointer and what Enriched was made from.

    Args:
        lake: The lake.
        spec: The tables in it.
        layout: Where the rest is; beside the lake if nobody says.
    """

    def __init__(self, lake: Lake, spec: Spec, layout: Layout | None = None) -> None:
        self.lake = lake
        self.spec = spec
        self.layout = layout or Layout.below(lake.root.parent)
        self._ledgers: dict[str, tuple[bytes | None, dict[str, _Verdict]]] = {}
        # By table: what was looked at, and what came of it.
        self._processed: dict[str, tuple[tuple[object, ...], dict[date, str]]] = {}

    def without(self, partitions: Iterable[str]) -> LakeInventory:
        """The same lake as if some partitions, by their path below its root, were not there."""
        return LakeInventory(Lake(self.lake.root, partitions), self.spec, self.layout)

    def base(self, table: str) -> dict[date, PartitionManifest]:
        """Accepted partitions of an event table, by day."""
        return _by_day(self.lake.partitions(f"base/{table}"))

    def quarantine(self, table: str) -> dict[date, PartitionManifest]:
        """Quarantined partitions of a table, by day."""
        return _by_day(self.lake.partitions(f"quarantine/{table}"))

    def base_days(self) -> list[date]:
        """All days that any event table of Base Silver has, ascending."""
        return sorted({day for table in self.spec.events for day in self.base(table)})

    def reached_days(self) -> set[date]:
        """All days that an event table has rows of, accepted or put aside."""
        tables = self.spec.events
        return {day for table in tables for day in (*self.base(table), *self.quarantine(table))}

    def days(self) -> list[date]:
        """All days that a run has reached: those of Base Silver and of Enriched, ascending."""
        enriched = {
            day
            for name, transform in self.spec.transforms.items()
            if not transform.grain
            for day in self.enriched_days(name)
        }
        return sorted({*self.base_days(), *enriched})

    def processed(self, table: str) -> dict[date, str]:
        """The fingerprint of the Bronze partition that each day was made from.

        A day of which rows are gone was made from nothing: Bronze rows are Silver rows and
        quarantined rows together, so a folder that was deleted is noticed. So is one that was put
        back from an older copy: it is not what the gate has seen last.
        """
        judged = self.validated("base_silver").get(table, {}).get("partitions", {})
        stands = (*(self.lake.state.table(f"{one}/{table}") for one in _OUTCOMES), judged)
        known = self._processed.get(table)
        if known is None or any(a is not b for a, b in zip(known[0], stands, strict=True)):
            known = self._processed[table] = (stands, self._made_from_bronze(table, judged))
        return dict(known[1])

    def _made_from_bronze(self, table: str, judged: Mapping[str, str]) -> dict[date, str]:
        processed = {}
        for day, manifests in self._outcomes(table).items():
            content = _fingerprint_of_day(manifests)
            as_seen = judged.get(str(day), content) == content and _is_whole(manifests)
            processed[day] = manifests[0].inputs.get("bronze", "") if as_seen else ""
        return processed

    def outcomes(self, table: str) -> dict[str, str]:
        """A fingerprint of what became of each day of an event table, by ISO day.

        It is of the rows, accepted and put aside, and of their counts.
        """
        found = self._outcomes(table).items()
        return {str(day): _fingerprint_of_day(manifests) for day, manifests in found}

    def _outcomes(self, table: str) -> dict[date, list[PartitionManifest]]:
        """The manifests of each day: of accepted rows, then of those put aside, as they stand."""
        accepted, aside = self.base(table), self.quarantine(table)
        return {
            day: [m for m in (accepted.get(day), aside.get(day)) if m]
            for day in sorted({*accepted, *aside})
        }

    def enriched_days(self, transform: str) -> list[date]:
        """The days of an enriched table, ascending."""
        return list(_by_day(self.lake.partitions(f"enriched/{transform}")))

    def enriched_state(self, transform: str) -> dict[str, dict[str, str]]:
        """What each day of an enriched table was made from, by ISO day.

        It counts as long as the rows that were made of it stand; a day may have none.
        """
        state = _made_from(self.lake, transform)
        current = self.lake.partitions(f"enriched/{transform}")
        return {
            day: made_from
            for day, made_from in state.items()
            if _content(current.get(day))
            == made_from.get(_CONTENT, _content(current.get(day)) or None)
        }

    def days_without_rows(self, transform: str) -> list[str]:
        """Days whose rows were made and do not stand, by ISO day, ascending."""
        state = _made_from(self.lake, transform)
        current = self.lake.partitions(f"enriched/{transform}")
        return sorted(d for d, f in state.items() if f.get(_CONTENT) and d not in current)

    def validated(self, layer: str) -> dict[str, Any]:
        """What the gate of a layer has validated, by table."""
        document = self.lake.document(self.lake.places.ledger_key(layer))
        content = document.content()
        known = self._ledgers.get(layer)
        if known is None or known[0] != content:
            known = self._ledgers[layer] = (content, document.read_or(dict[str, _Verdict], {}))
        return dict(known[1])

    def seen(self, layer: str, table: str) -> set[str]:
        """The partitions of a table that the gate of its layer has validated, by value."""
        judged = self.validated(layer).get(table, {}).get("partitions", {})
        return {value for value in judged if is_day(value)}

    def newest_snapshots(self) -> dict[str, date]:
        """The newest snapshot of each dimension that stands.

        The pointer says the same for others; here the snapshots themselves count, because a
        pointer may be lost, or outlive what it names.
        """
        newest = {name: self.newest_snapshot(name) for name in self.spec.dimensions}
        return {name: date.fromisoformat(one.value) for name, one in newest.items() if one}

    def newest_snapshot(self, dimension: str) -> PartitionManifest | None:
        """The manifest of the newest snapshot of a dimension."""
        snapshots = self.lake.partitions(f"dims/{dimension}")
        return snapshots[max(snapshots)] if snapshots else None

    def snapshot_stamp(self, dimension: str) -> dict[str, str]:
        """A fingerprint of the newest snapshot and of what was put aside, by ISO day."""
        newest = self.newest_snapshot(dimension)
        if newest is None:
            return {}
        put_aside = self.lake.partitions(f"quarantine/{dimension}").get(newest.value)
        aside = put_aside.content_hash if put_aside else ""
        return {newest.value: fingerprint([newest.content_hash, newest.counts, aside])}

    def keys_stamp(self, dimension: str) -> str:
        """A fingerprint of the known keys of a dimension; empty if there is no key set."""
        return "".join(m.content_hash for m in self.lake.partitions(f"keys/{dimension}").values())

    def has_its_keys(self, dimension: str) -> bool:
        """Whether the key set is there, and is the one that the gate has seen last.

        It grows from run to run, so an older one, put back from a copy, lacks keys.
        """
        keys = self.keys_stamp(dimension)
        newest = self.newest_snapshot(dimension)
        # A dimension without any row in Bronze has no keys.
        may_be_absent = newest is not None and newest.counts.get("bronze_rows") == 0
        is_there = bool(keys) or may_be_absent
        return is_there and self._verdict(dimension).get("keys", keys) == keys

    def is_whole(self, dimension: str) -> bool:
        """Whether the newest snapshot has beside it what belongs to it, as the gate has seen it.

        That is the key set, and all rows that were put aside.
        """
        newest = self.newest_snapshot(dimension)
        if newest is None or not self.has_its_keys(dimension):
            return False
        seen = self._verdict(dimension).get("partitions", {})
        if any(seen.get(day, now) != now for day, now in self.snapshot_stamp(dimension).items()):
            return False
        aside = self.lake.partitions(f"quarantine/{dimension}").get(newest.value)
        return _is_whole([m for m in (newest, aside) if m])

    def _verdict(self, dimension: str) -> _Verdict:
        found: _Verdict = self.validated("dims").get(dimension, {})
        return found


def _fingerprint_of_day(manifests: Iterable[PartitionManifest]) -> str:
    return _fingerprint(tuple((m.content_hash, tuple(m.counts.items())) for m in manifests))


@lru_cache(maxsize=1 << 16)
def _fingerprint(days: tuple[tuple[str, tuple[tuple[str, int], ...]], ...]) -> str:
    return fingerprint([[content, dict(counts)] for content, counts in days])


def write_pointer(lake: LakeInventory) -> None:
    """Lets the pointer name the newest snapshots that stand."""
    newest = {name: day.isoformat() for name, day in lake.newest_snapshots().items()}
    pointer = lake.lake.document(lake.lake.places.pointer)
    if newest or pointer.exists():
        pointer.write(newest)


def unreadable_state(lake: LakeInventory) -> list[str]:
    """Files of state that cannot be read, and a pointer that names other snapshots, a line each."""
    places, storage = lake.lake.places, lake.lake.storage
    shapes: dict[str, Any] = {
        **{places.made_from_key(name): dict[str, _Texts] for name in lake.spec.transforms},
        **{places.ledger_key(layer): dict[str, _Verdict] for layer in REPORTS},
    }
    there = [
        entry.key
        for prefix in (places.made_from, places.ledgers)
        for entry in storage.listed(prefix)
    ]
    found = [
        f"{key}: cannot be read"
        for key in there
        if key in shapes and not lake.lake.document(key).read_or(shapes[key], {})
    ]
    newest = {name: day.isoformat() for name, day in lake.newest_snapshots().items()}
    if lake.lake.document(places.pointer).read_or(_Texts, {}) != newest:
        found.append(f"{places.pointer}: does not name the newest snapshots")
    return found


def move_pointer(lake: Lake, dimension: str, day: date) -> None:
    """Lets the pointer name a newer snapshot; it never moves back."""
    document = lake.document(lake.places.pointer)
    pointer = document.read_or(_Texts, {})
    if pointer.get(dimension, "") < day.isoformat():
        document.write({**pointer, dimension: day.isoformat()})


def write_state(lake: Lake, transform: str, made_from: Mapping[str, Mapping[str, str]]) -> None:
    """Records what days of an enriched table were made from, and that they stand."""
    current = lake.partitions(f"enriched/{transform}")
    made = {day: {**f, _CONTENT: _content(current.get(day))} for day, f in made_from.items()}
    document = lake.document(lake.places.made_from_key(transform))
    document.write({**_made_from(lake, transform), **made})


def drop_state(lake: Lake, transform: str, days: set[str]) -> None:
    """Forgets what days of an enriched table were made from."""
    state = _made_from(lake, transform)
    if days & state.keys():
        left = {day: made for day, made in state.items() if day not in days}
        lake.document(lake.places.made_from_key(transform)).write(left)


def _made_from(lake: Lake, transform: str) -> dict[str, _Texts]:
    """What is noted of the days of an enriched table; what cannot be read is made again."""
    document = lake.document(lake.places.made_from_key(transform))
    return _noted(document, document.content())


@lru_cache(maxsize=32)
def _noted(document: Document, _content: bytes | None) -> dict[str, _Texts]:
    """What a document notes of days, read again when its content is another one."""
    noted = document.read_or(dict[str, _Texts], {})
    return {day: made for day, made in noted.items() if is_day(day)}


def _content(manifest: PartitionManifest | None) -> str:
    return manifest.content_hash if manifest else ""


def _is_whole(manifests: list[PartitionManifest]) -> bool:
    """Whether all rows that came in are there: accepted, put aside or superseded."""
    counts = manifests[0].counts
    rows = sum(manifest.rows for manifest in manifests) + counts.get("superseded", 0)
    return rows == counts.get("bronze_rows", rows)


def _by_day(partitions: Mapping[str, PartitionManifest]) -> dict[date, PartitionManifest]:
    return {date.fromisoformat(value): manifest for value, manifest in partitions.items()}
