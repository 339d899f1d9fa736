"""What stands in the lake that this project wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from medallion.errors import LakeError
from medallion.lake.manifest import PartitionManifest
from medallion.lake.store import Lake
from medallion.spec import Spec

_POINTER = "dims/_latest.json"
_STATE = "enriched/_state"
_VALIDATED = "_validated"
_T = TypeVar("_T")


class LakeInventory:
    """A reader's view of the lake: manifests, pointer and what Enriched was made from.

    Args:
        lake: The lake.
        spec: The tables in it.
    """

    def __init__(self, lake: Lake, spec: Spec) -> None:
        self.lake = lake
        self.spec = spec

    def base(self, table: str) -> dict[date, PartitionManifest]:
        """Accepted partitions of an event table, by day."""
        return _by_day(self.lake.partitions(f"base/{table}"))

    def quarantine(self, table: str) -> dict[date, PartitionManifest]:
        """Quarantined partitions of a table, by day."""
        return _by_day(self.lake.partitions(f"quarantine/{table}"))

    def base_days(self) -> list[date]:
        """All days that any event table of Base Silver has, ascending."""
        return sorted({day for table in self.spec.events for day in self.base(table)})

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
        """The fingerprint of the Bronze partition that each day was made from."""
        both = {**self.quarantine(table), **self.base(table)}
        return {day: manifest.inputs.get("bronze", "") for day, manifest in both.items()}

    def enriched_days(self, transform: str) -> list[date]:
        """The days of an enriched table, ascending."""
        return list(_by_day(self.lake.partitions(f"enriched/{transform}")))

    def enriched_state(self, transform: str) -> dict[str, dict[str, str]]:
        """What each day of an enriched table was made from, by ISO day."""
        state: dict[str, dict[str, str]] = read_json(
            self.lake.root / _STATE / f"{transform}.json", {}
        )
        return state

    def validated(self, layer: str) -> dict[str, Any]:
        """What the gate of a layer has validated, by table."""
        ledger: dict[str, Any] = read_json(self.lake.root / _VALIDATED / f"{layer}.json", {})
        return ledger

    def newest_snapshots(self) -> dict[str, date]:
        """The newest snapshot of each dimension, as the pointer names it."""
        pointer: dict[str, str] = read_json(self.lake.root / _POINTER, {})
        return {name: date.fromisoformat(day) for name, day in pointer.items()}

    def newest_snapshot(self, dimension: str) -> PartitionManifest | None:
        """The manifest of the newest snapshot of a dimension."""
        day = self.newest_snapshots().get(dimension)
        snapshots = self.lake.partitions(f"dims/{dimension}")
        return snapshots.get(day.isoformat()) if day else None


def move_pointer(lake: Lake, dimension: str, day: date) -> None:
    """Lets the pointer name a newer snapshot; it never moves back."""
    pointer: dict[str, str] = read_json(lake.root / _POINTER, {})
    if pointer.get(dimension, "") < day.isoformat():
        write_json(lake.root / _POINTER, {**pointer, dimension: day.isoformat()})


def write_state(lake: Lake, transform: str, made_from: Mapping[str, Mapping[str, str]]) -> None:
    """Records what days of an enriched table were made from."""
    path = lake.root / _STATE / f"{transform}.json"
    write_json(path, {**read_json(path, {}), **made_from})


def write_json(path: Path, content: object, *, sort_keys: bool = True) -> None:
    """Replaces a small JSON file in one step, unless it says the same already."""
    text = json.dumps(content, indent=2, sort_keys=sort_keys) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        replace_text(path, text)


def replace_text(path: Path, text: str) -> None:
    """Replaces a file in one step: whoever reads it finds the old text or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _by_day(partitions: Mapping[str, PartitionManifest]) -> dict[date, PartitionManifest]:
    return {date.fromisoformat(value): manifest for value, manifest in partitions.items()}


def read_json(path: Path, default: _T) -> _T:
    """Reads a small JSON file, or gives the default where there is none.

    Raises:
        LakeError: It is no JSON.
    """
    if not path.is_file():
        return default
    try:
        content: _T = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise LakeError(f"{path} is not readable JSON.", hint="remove it and run again.") from error
    return content
