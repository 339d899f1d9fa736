"""Taking days out of the lake: what was made for them alone goes, the next run does the rest."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from medallion.lake.inventory import LakeInventory, drop_state, write_pointer


def drop_beyond(lake: LakeInventory, days: Iterable[date]) -> list[str]:
    """Removes what only stands because the lake reached as far as the days that go.

    A day that lies after all others has been the horizon: every calendar day up to it is in
    Enriched, and the dimensions have a snapshot of it. The same holds before the first day.
    Base Silver is left to the run that scores again what else these days have changed.

    Returns:
        The partitions that went, by their path below the lake's root.
    """
    going = set(days)
    remaining = [day for day in lake.base_days() if day not in going]
    gone = [f"enriched/{name}/ingestion_dt={day}"
            for name in lake.spec.transforms
            for day in lake.enriched_days(name)
            if _is_beyond(day, going, remaining)]  # fmt: skip
    if remaining:
        gone += [f"{table}/{manifest.partition}"
                 for table in _snapshots(lake)
                 for value, manifest in lake.lake.partitions(table).items()
                 if date.fromisoformat(value) > remaining[-1]
                 and _is_beyond(date.fromisoformat(value), going, remaining)]  # fmt: skip
    lake.lake.note(gone)
    for name in lake.spec.transforms:
        state = lake.enriched_state(name)
        drop_state(
            lake.lake,
            name,
            {day for day in state if _is_beyond(date.fromisoformat(day), going, remaining)},
        )
    lake.lake.remove(gone)
    write_pointer(lake)
    return gone


def _snapshots(lake: LakeInventory) -> list[str]:
    return [f"{layer}/{name}" for layer in ("dims", "quarantine") for name in lake.spec.dimensions]


def _is_beyond(day: date, going: set[date], remaining: list[date]) -> bool:
    """Whether a day lies outside the days that remain, on the side where one goes."""
    if not remaining:
        return True
    after = max(going) > remaining[-1] and day > remaining[-1]
    return after or (min(going) < remaining[0] and day < remaining[0])
