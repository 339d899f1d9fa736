"""The gate behind Base Silver: accepted rows, and what became of all rows that came in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.gates.batch import Batch, Row
from medallion.gates.declared import Declared, Types
from medallion.gates.layers import _common as common
from medallion.gates.layers import _silver as silver
from medallion.gates.layers._common import Expectations
from medallion.gates.layers.shape import LayerGate
from medallion.gates.measured_table import MeasuredTable
from medallion.gates.relations import view_lake
from medallion.gates.result import Due, Partitions
from medallion.gates.suite import Suite
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import PartitionManifest
from medallion.spec import INGESTION_DAY
from medallion.sql import literal

if TYPE_CHECKING:
    import duckdb

TITLE = "Base Silver"

# One row per ingest day.
PARTITIONS = {
    "partition": "varchar",
    "bronze_rows": "bigint",
    "accepted_rows": "bigint",
    "quarantined_rows": "bigint",
    "unaccounted_rows": "bigint",
}


def tables(declared: Declared) -> tuple[str, ...]:
    """The event tables."""
    return tuple(declared.spec.events)


def subjects(declared: Declared, table: str) -> dict[str, Types]:
    """Accepted rows, the days, measures of all of them, and why rows or values were refused."""
    foreign = declared.spec.tables[table].foreign_keys
    shares = {silver.found_share(one.column): "double" for one in foreign}
    return {
        "rows": declared.silver(table, INGESTION_DAY),
        "partitions": PARTITIONS,
        "measures": {**silver.OUTCOME, **shares, **common.SCHEMA},
        "reasons": silver.REASONS,
        "nullified": silver.NULLIFIED,
    }


def key(declared: Declared, table: str) -> tuple[str, ...]:
    """The key that the spec declares."""
    return declared.spec.tables[table].key


def other_tables(declared: Declared) -> dict[str, dict[str, str]]:
    """The tables of the lake."""
    return declared.lake


def expectations(declared: Declared, table: str) -> Expectations:
    """Values are as declared, no row is lost, and rows refer to rows that exist."""
    spec = declared.spec
    found = [
        common.is_between(
            silver.found_share(one.column),
            "critical",
            f"Rows refer to {one.parent} that exist.",
            "spec.yml: quality.min_found_share",
            min_value=spec.quality.min_found_share,
        )
        for one in spec.tables[table].foreign_keys
    ]
    return {
        "rows": list(silver.columns_hold(table, spec)),
        "partitions": [silver.none_is_left_over(table)],
        "measures": [
            silver.key_is_unique(table, spec),
            *silver.enough_pass(table, spec),
            *found,
            common.schema_is_declared(f"spec.yml: tables.{table}"),
        ],
    }


@dataclass(frozen=True)
class BaseSilverGate(LayerGate):
    """The days of the event tables.

    Attributes:
        declared: What the tables should be.
        lake: The lake.
        nullified: Values that this run has made null, by table and column.
    """

    layer = "base_silver"
    declared: Declared
    lake: LakeInventory
    nullified: Mapping[str, Mapping[str, int]]

    def current(self) -> Partitions:
        """What became of each day: accepted, put aside, and made from what."""
        return {name: self.lake.outcomes(name) for name in self.declared.spec.events}

    def prepare(self, connection: duckdb.DuckDBPyConnection, suites: Mapping[str, Suite]) -> None:
        """Lets queries name the tables of the lake, as `base_silver.orders`."""
        view_lake(connection, self.declared.spec, self.lake, suites.values())

    def measure(self, table: MeasuredTable, due: Due) -> Iterable[Batch]:
        """The accepted rows of some days of a table, and what became of all Bronze rows."""
        name, days, lake = table.name, set(due.partitions), self.lake.lake
        accepted = {str(d): m for d, m in self.lake.base(name).items() if str(d) in days}
        aside = {str(d): m for d, m in self.lake.quarantine(name).items() if str(d) in days}
        files = lake.files(f"base/{name}", days)
        yield table.view_partitions(lake, f"base/{name}", days)
        partitions = [_day_row(day, accepted.get(day), aside.get(day)) for day in sorted(days)]
        yield table.fill("partitions", partitions)
        put_aside = lake.files(f"quarantine/{name}", days)
        ended = silver.outcome(list(accepted.values()), list(aside.values()))
        columns = key(self.declared, name)
        outside = {str(d) for d in self.lake.base(name)} - days
        others = lake.rows(f"base/{name}", outside, columns) if outside else ""
        measures = {
            **ended.as_row(),
            "repeated_keys": table.count_repeated(columns, others),
            **self._found_shares(table, put_aside, ended.bronze),
            # The producer leaves source_file out when it is given no prefix.
            "schema_differences": table.schema_differences(
                files, INGESTION_DAY, optional=self.declared.spec.lineage
            ),
        }
        foreign = [one.column for one in self.declared.spec.tables[name].foreign_keys]
        evidence = silver.evidence(table, columns, put_aside, foreign)
        yield table.fill("measures", [measures], evidence)
        yield from silver.breakdown(table, put_aside, ended.bronze, self.nullified.get(name))

    def _found_shares(
        self, table: MeasuredTable, put_aside: Sequence[Path], bronze_rows: int
    ) -> Row:
        """Per foreign key, the share of its values that have a parent; guests have none."""
        reasons = silver.reasons(table, put_aside)
        guest = literal(self.declared.spec.cleaning.guest_pattern)
        shares: dict[str, float | None] = {}
        for one in self.declared.spec.tables[table.name].foreign_keys:
            orphans = reasons.get(f"fk:{one.column}", 0)
            guests = 0
            if one.guests:
                guests = table.count(
                    f"select count(*) filter (regexp_full_match({one.column}, {guest}))"
                    f" from {table.rows}"
                )
            asked = bronze_rows - guests - reasons.get(f"missing:{one.column}", 0)
            shares[silver.found_share(one.column)] = silver.share(asked - orphans, asked)
        return shares


def _day_row(day: str, accepted: PartitionManifest | None, aside: PartitionManifest | None) -> Row:
    known = accepted or aside
    made_from: Mapping[str, int] = known.counts if known else Counter()
    bronze = made_from.get("bronze_rows", 0)
    good, bad = accepted.rows if accepted else 0, aside.rows if aside else 0
    return {
        "partition": f"{INGESTION_DAY}={day}",
        "bronze_rows": bronze,
        "accepted_rows": good,
        "quarantined_rows": bad,
        "unaccounted_rows": bronze - good - bad,
    }
