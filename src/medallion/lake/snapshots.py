"""Snapshots of days that are over: nothing makes them again, so their loss has to be known."""

from __future__ import annotations

from medallion.lake.inventory import LakeInventory
from medallion.lake.names import is_day
from medallion.spec import SNAPSHOT_DAY

_KNOWN = "snapshots"
_LAYERS = ("dims", "quarantine")


def known_snapshots(lake: LakeInventory, dimension: str) -> list[str]:
    """What the gate of the dimensions remembers of one: its snapshots and their rows put aside."""
    return sorted(_current(lake, dimension))


def lost_snapshots(lake: LakeInventory, dimension: str) -> list[str]:
    """What the gate has seen of older snapshots of a dimension and does not stand any more.

    The newest snapshot is made again; those after it have been forgotten with their days.

    Returns:
        Their folders below the lake's root, ascending.
    """
    known = lake.validated("dims").get(dimension, {}).get(_KNOWN, [])
    newest = max(
        (_name(path) for path in _current(lake, dimension) or known if path.startswith("dims/")),
        default="",
    )
    gone = {path for path in known if _is_snapshot(path, dimension)} - _current(lake, dimension)
    return sorted(path for path in gone if _name(path) < newest)


def _current(lake: LakeInventory, dimension: str) -> set[str]:
    return {
        f"{layer}/{dimension}/{manifest.partition}"
        for layer in _LAYERS
        for manifest in lake.lake.partitions(f"{layer}/{dimension}").values()
    }


def _is_snapshot(path: str, dimension: str) -> bool:
    layer, _, name = path.partition(f"/{dimension}/")
    key, _, value = name.partition("=")
    return layer in _LAYERS and key == SNAPSHOT_DAY and is_day(value)


def _name(path: str) -> str:
    return path.rpartition("/")[2]
