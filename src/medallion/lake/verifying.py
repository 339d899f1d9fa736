"""Everything that stands, compared with what was recorded of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from medallion.lake.damage import find_damage
from medallion.lake.inventory import LakeInventory, unreadable_state
from medallion.lake.manifest import PartitionManifest
from medallion.lake.snapshots import lost_snapshots
from medallion.lake.store import Lake
from medallion.lake.strangers import own, strangers

_AGAIN = "run `kedro run`: it makes again what Bronze still says, and names the rest."
_FOREIGN = "move the folders that no run has written out of the lake, then run `kedro run`."


@dataclass(frozen=True)
class Verified:
    """What came of it.

    Attributes:
        partitions: Partitions that are what their manifests say.
        bytes: Bytes of their files.
        problems: What is not, a line each.
        advice: What to do about it.
    """

    partitions: int
    bytes: int
    problems: list[str]
    advice: str


def verify_lake(lake: LakeInventory, warehouse: str) -> Verified:
    """Reads all partitions and compares their checksums.

    Args:
        lake: The lake.
        warehouse: What is wrong with the warehouse's file; nothing if it is what it was.
    """
    found = find_damage(lake.lake, thorough=True)
    sound = list(_manifests(Lake(lake.lake.root, {damage.path for damage in found})))
    damaged, strange = own(found, lake), strangers(lake)
    problems = [
        *strange,
        *map(str, damaged),
        *_incomplete(lake, {damage.path for damage in damaged}),
        *_lost(lake, {damage.path for damage in damaged}),
        *unreadable_state(lake),
        *([f"the warehouse {warehouse}"] if warehouse else []),
    ]
    return Verified(
        partitions=len(sound),
        bytes=sum(manifest.bytes for manifest in sound),
        problems=problems,
        advice=_FOREIGN if strange or any(damage.is_foreign for damage in damaged) else _AGAIN,
    )


def _manifests(lake: Lake) -> Iterator[PartitionManifest]:
    for table in lake.state.tables():
        yield from lake.partitions(table).values()


def _lost(lake: LakeInventory, damaged: set[str]) -> Iterator[str]:
    """Older snapshots that were deleted."""
    sound = lake.without(damaged)
    for name in lake.spec.dimensions:
        for path in lost_snapshots(sound, name):
            if path not in damaged:
                yield f"{path}: is not there"


def _incomplete(lake: LakeInventory, damaged: set[str]) -> Iterator[str]:
    """What should stand beside what stands, and does not."""
    sound = lake.without(damaged)
    for table in lake.spec.events:
        for day, made_from in sound.processed(table).items():
            places = {f"{layer}/{table}/ingestion_dt={day}" for layer in ("base", "quarantine")}
            if not made_from and not places & damaged:
                yield f"{table} of {day}: its rows, accepted and put aside, are not those it had"
        there = (*sound.lake.state.table(f"base/{table}").folders,
                 *sound.lake.state.table(f"quarantine/{table}").folders)  # fmt: skip
        reached = {name.partition("=")[2] for name in there}
        for value in sorted(sound.seen("base_silver", table) - reached):
            yield f"base/{table}/ingestion_dt={value}: is not there"
    for name in lake.spec.dimensions:
        if sound.newest_snapshots().get(name) and not sound.is_whole(name):
            yield (
                f"dims/{name}: the key set or the rows put aside of the newest snapshot are not "
                "what they were"
            )
    for name in lake.spec.transforms:
        gone = sound.seen("enriched", name) - {str(day) for day in sound.enriched_days(name)}
        for value in sorted({*sound.days_without_rows(name), *gone}):
            if f"enriched/{name}/ingestion_dt={value}" not in damaged:
                yield f"enriched/{name}/ingestion_dt={value}: is not there"
