"""Folders in the lake that are none of its tables: nothing reads them, and people are told so."""

from __future__ import annotations

from collections.abc import Iterable

from medallion.lake.damage import Damage
from medallion.lake.inventory import LakeInventory
from medallion.lake.names import printable
from medallion.lake.state import LAYERS
from medallion.spec import Spec
from medallion.storage.litter import is_hidden


def own_tables(spec: Spec) -> frozenset[str]:
    """The tables of a lake, by layer and name, such as `base/orders`."""
    return frozenset(
        f"{layer}/{name}"
        for layer, names in {
            "base": spec.events,
            "quarantine": spec.tables,
            "dims": spec.dimensions,
            "keys": spec.dimensions,
            "enriched": spec.transforms,
        }.items()
        for name in names
    )


def own(damaged: Iterable[Damage], lake: LakeInventory) -> list[Damage]:
    """The damage of the lake's own tables; that of other folders is nobody's."""
    tables = own_tables(lake.spec)
    return [damage for damage in damaged if damage.table in tables]


def strangers(lake: LakeInventory) -> list[str]:
    """Folders that lie where layers or tables do and are none, such as a copy; a line each."""
    root, tables = lake.lake.root, own_tables(lake.spec)
    folders = [
        *root.glob("*/"),
        *(folder for layer in LAYERS for folder in root.glob(f"{layer}/*/")),
    ]
    paths = {folder.relative_to(root).as_posix(): folder.name for folder in folders}
    return [
        f"{printable(path)}: is no {'table' if '/' in path else 'layer'} of this lake; "
        "nothing reads it"
        for path, name in sorted(paths.items())
        if not is_hidden(name) and path not in LAYERS and path not in tables
    ]
