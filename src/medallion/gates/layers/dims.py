"""The gate behind the dimensions: the newest snapshot of each, and what it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from medallion.gates.batch import Batch, Row
from medallion.gates.declared import Declared, Types
from medallion.gates.layers import _common as common
from medallion.gates.layers import _silver as silver
from medallion.gates.layers._common import Expectations
from medallion.gates.layers.shape import LayerGate
from medallion.gates.measured_table import MeasuredTable
from medallion.gates.result import Due, Failure, Partitions, finding
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import PartitionManifest
from medallion.spec import SNAPSHOT_DAY

TITLE = "Dimension snapshots"

# One row: the newest snapshot.
MEASURES = {
    "snapshot_dt": "date",
    **silver.OUTCOME,
    "superseded_rows": "bigint",
    "rows_of_last_snapshot": "bigint",
    "share_of_last_snapshot": "double",  # null for the first one
    **common.SCHEMA,
}


def tables(declared: Declared) -> tuple[str, ...]:
    """The dimensions."""
    return tuple(declared.spec.dimensions)


def subjects(declared: Declared, table: str) -> dict[str, Types]:
    """The rows of the newest snapshot, its measures, and why rows or values were refused."""
    return {
        "rows": declared.silver(table, SNAPSHOT_DAY),
        "measures": MEASURES,
        "reasons": silver.REASONS,
        "nullified": silver.NULLIFIED,
    }


def key(declared: Declared, table: str) -> tuple[str, ...]:
    """The key that the spec declares."""
    return declared.spec.tables[table].key


def other_tables(declared: Declared) -> dict[str, Types]:  # noqa: ARG001
    """None: its queries look at the table itself."""
    return {}


def expectations(declared: Declared, table: str) -> Expectations:
    """There is a snapshot, nothing is lost on the way into it, and it has not shrunk."""
    spec = declared.spec
    origin = f"spec.yml: tables.{table}"
    return {
        "rows": list(silver.columns_hold(table, spec)),
        "measures": [
            common.is_there("snapshot_dt", "The day needs a snapshot.", origin),
            silver.key_is_unique(table, spec),
            silver.none_is_left_over(table),
            *silver.enough_pass(table, spec),
            common.is_between(
                "share_of_last_snapshot",
                "critical",
                "A dimension does not lose many of its rows from one snapshot to the next.",
                "spec.yml: quality.max_snapshot_shrink",
                min_value=round(1 - spec.quality.max_snapshot_shrink, 6),
            ),
            common.schema_is_declared(origin),
        ],
    }


@dataclass(frozen=True)
class DimsGate(LayerGate):
    """The newest snapshots.

    Attributes:
        declared: What the tables should be.
        lake: The lake.
        nullified: Values that this run has made null, by dimension and column.
    """

    layer = "dims"
    declared: Declared
    lake: LakeInventory
    nullified: Mapping[str, Mapping[str, int]]

    def current(self) -> Partitions:
        """The newest snapshots; the absence of one is something to be looked at, too."""
        return {
            name: self.lake.snapshot_stamp(name) or {"": ""}
            for name in self.declared.spec.dimensions
        }

    def findings(self) -> Iterable[Failure]:
        """Keys that are known and have left Bronze: no failure, but something to be told."""
        for name in self.declared.spec.dimensions:
            newest = self.lake.newest_snapshot(name)
            left = newest.counts.get("keys_left", 0) if newest else 0
            if left:
                said = (
                    f"{left:,} known {'key is' if left == 1 else 'keys are'} no longer in Bronze:"
                    " rows that refer to them stay, without their attributes"
                )
                yield replace(finding(self.layer, "keys_left", name, "", said), severity="info")

    def measure(self, table: MeasuredTable, due: Due) -> Iterable[Batch]:  # noqa: ARG002
        """The newest snapshot of a dimension and what it was made from."""
        name, lake = table.name, self.lake.lake
        newest = self.lake.newest_snapshot(name)
        if newest is None:
            yield table.fill("measures", [dict.fromkeys(MEASURES)])
            return
        files = lake.files(f"dims/{name}", {newest.value})
        yield table.view_partitions(lake, f"dims/{name}", {newest.value})
        put_aside = lake.partitions(f"quarantine/{name}").get(newest.value)
        aside = lake.files(f"quarantine/{name}", {newest.value})
        ended = silver.outcome([newest], [put_aside] if put_aside else [])
        columns = key(self.declared, name)
        measures = {
            "snapshot_dt": date.fromisoformat(newest.value),
            **ended.as_row(),
            "repeated_keys": table.count_repeated(columns),
            **_against_last(newest, lake.partitions(f"dims/{name}")),
            # The producer leaves source_file out when it is given no prefix.
            "schema_differences": table.schema_differences(
                files, SNAPSHOT_DAY, optional=self.declared.spec.lineage
            ),
        }
        yield table.fill("measures", [measures], silver.evidence(table, columns, aside))
        yield from silver.breakdown(table, aside, ended.bronze, self.nullified.get(name))


def _against_last(newest: PartitionManifest, snapshots: Mapping[str, PartitionManifest]) -> Row:
    before = [manifest for value, manifest in snapshots.items() if value < newest.value]
    last = before[-1].rows if before else None
    return {
        "rows_of_last_snapshot": last,
        "share_of_last_snapshot": newest.rows / last if last else None,
    }
