"""Damage in the lake before a run: taken away if the run makes it again, else refused."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from medallion.errors import LakeError
from medallion.lake.damage import Damage, find_damage
from medallion.lake.inventory import LakeInventory, write_pointer
from medallion.lake.strangers import own, strangers
from medallion.planning.request import RunRequest

logger = logging.getLogger(__name__)

_DATASETS = {
    "base": "base_silver.{}",
    "quarantine": "quarantine.{}",
    "dims": "dims.{}",
    "keys": "dims.{}_keys",
    "enriched": "enriched.{}",
}
_EVENT_LAYERS = ("base", "quarantine")


def mend(catalog: Any, written: Collection[str]) -> None:
    """Takes damaged partitions out of the lake, so that the run makes them again.

    Args:
        catalog: The catalog of the run.
        written: The datasets that the run writes.

    Raises:
        LakeError: This run would not make one of them again, or no run can.
    """
    lake: LakeInventory = catalog.load("lake")
    for stranger in strangers(lake):
        logger.warning("%s. Move it out of the lake, if you need it.", stranger)
    damaged = own(find_damage(lake.lake), lake)
    if damaged:
        _check(damaged, lake, catalog, written)
        lake.lake.remove((damage.path for damage in damaged), is_damaged=True)
        for damage in damaged:
            logger.warning("%s. It is made again.%s", damage, _lost(damage, lake))
    write_pointer(lake)


def _check(
    damaged: Sequence[Damage], lake: LakeInventory, catalog: Any, written: Collection[str]
) -> None:
    _refuse(
        [one for one in damaged if one.is_foreign],
        "There are folders in the lake that no run has written:",
        "move them out of the lake; copies of partitions are read as partitions.",
    )
    delivered = catalog.load("bronze.inventory").tables if any(d.is_copy for d in damaged) else {}
    _refuse(
        [one for one in damaged if one.is_copy and not _was_here(one, lake, delivered)],
        "There are copies of partitions in the lake, under names that no run has written:",
        "move them out of the lake: they would be read beside what they are copies of.",
    )
    _refuse(
        [one for one in damaged if _dataset(one) not in written],
        "Partitions of the lake are damaged, and this run does not write their tables:",
        "run `kedro run`, which makes them again.",
    )
    events = [one for one in damaged if _event_day(one, lake)]
    if not events:
        return
    request: RunRequest = catalog.load("params:run")
    _refuse(
        [one for one in events if not _is_asked(request, _event_day(one, lake))],
        "Partitions of the lake are damaged, and this run is asked for other days:",
        "run `kedro run` without days first, which makes them again.",
    )
    delivered = catalog.load("bronze.inventory").tables
    _refuse(
        [one for one in events if not _is_delivered(one, lake, delivered)],
        "Partitions of the lake are damaged, and Bronze no longer holds their days:",
        "put the files back from a copy, have the days delivered again, or remove these "
        "folders and take the days out of the lake (`kedro lake forget`).",
    )


def _refuse(damaged: Iterable[Damage], message: str, hint: str) -> None:
    if details := [str(damage) for damage in damaged]:
        raise LakeError(message, details=details, hint=hint)


def _dataset(damage: Damage) -> str:
    layer, table = damage.table.split("/")
    return _DATASETS[layer].format(table)


def _event_day(damage: Damage, lake: LakeInventory) -> date | None:
    """The day of an accepted or quarantined partition of an event table."""
    layer, table = damage.table.split("/")
    if layer not in _EVENT_LAYERS or table not in lake.spec.events:
        return None
    return date.fromisoformat(damage.partition.partition("=")[2])


def _is_asked(request: RunRequest, day: date | None) -> bool:
    if request.replay or request.forget:
        return False
    first, last = request.window or (day, day)
    return bool(day and first and last and first <= day <= last)


def _is_delivered(
    damage: Damage, lake: LakeInventory, delivered: Mapping[str, Sequence[Any]]
) -> bool:
    day, table = _event_day(damage, lake), damage.table.split("/")[1]
    return any(listed.day == day for listed in delivered.get(table, ()))


def _was_here(damage: Damage, lake: LakeInventory, delivered: Mapping[str, Sequence[Any]]) -> bool:
    """Whether there was a partition of this name before: a gate has seen it, or Bronze has it."""
    layer, table = damage.table.split("/")
    value = damage.partition.partition("=")[2]
    if _event_day(damage, lake):
        is_seen = value in lake.seen("base_silver", table)
        return is_seen or _is_delivered(damage, lake, delivered)
    gate = "enriched" if layer == "enriched" else "dims"
    known = lake.validated(gate).get(table, {}).get("snapshots", [])
    return layer == "keys" or value in lake.seen(gate, table) or damage.path in known


def _lost(damage: Damage, lake: LakeInventory) -> str:
    """What cannot be made again, because Bronze as it is now does not say it."""
    layer, table = damage.table.split("/")
    if layer == "keys":
        return " Keys that had left Bronze before are no longer known."
    value = damage.partition.partition("=")[2]
    newest = lake.newest_snapshots().get(table)
    if layer == "dims" and newest and value < newest.isoformat():
        return " The snapshot of a day that is over is not: Bronze no longer says it."
    return ""
