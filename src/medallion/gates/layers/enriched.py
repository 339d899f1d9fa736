"""The gate behind Enriched Silver: the days of the ten tables, and the rows they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion.gates.batch import Batch
from medallion.gates.declared import Declared, Types
from medallion.gates.layers import _common as common
from medallion.gates.layers._common import Expectations
from medallion.gates.layers.shape import LayerGate
from medallion.gates.measured_table import MeasuredTable
from medallion.gates.relations import view_lake
from medallion.gates.result import Due, Partitions
from medallion.gates.suite import Suite
from medallion.lake.inventory import LakeInventory
from medallion.spec import INGESTION_DAY, Spec

if TYPE_CHECKING:
    import duckdb

TITLE = "Enriched Silver"

# One row: all days that are looked at.
MEASURES = {
    "row_count": "bigint",
    "repeated_grains": "bigint",
    "source_rows": "bigint",  # of the table with the same grain; null where there is none
    "unmatched_rows": "bigint",
    **common.SCHEMA,
}


def tables(declared: Declared) -> tuple[str, ...]:
    """The transforms."""
    return tuple(declared.spec.transforms)


def subjects(declared: Declared, table: str) -> dict[str, Types]:
    """The rows, and the measures of them."""
    return {"rows": declared.enriched(table), "measures": MEASURES}


def key(declared: Declared, table: str) -> tuple[str, ...]:
    """The grain, which is that of a day."""
    return (INGESTION_DAY, *declared.spec.transforms[table].grain)


def other_tables(declared: Declared) -> dict[str, dict[str, str]]:
    """The tables of the lake."""
    return declared.lake


def expectations(declared: Declared, table: str) -> Expectations:
    """Every day has rows, one for each of its grain, and none is lost of a table alike."""
    origin = f"spec.yml: transforms.{table}"
    columns = key(declared, table)
    measures = [
        common.is_between(
            "row_count", "critical", "A day that was made has rows.", origin, min_value=1
        ),
        common.grain_is_unique(columns, origin),
        common.schema_is_declared(origin),
    ]
    if _source(declared.spec, table):
        note = "Every accepted row has one row here."
        measures.append(common.is_zero("unmatched_rows", note, origin))
    return {"rows": list(common.grain_is_there(columns, origin)), "measures": measures}


def _source(spec: Spec, table: str) -> str | None:
    """The event table with the same grain, whose rows are those of the transform."""
    grain = spec.transforms[table].grain
    return next((name for name, event in spec.events.items() if event.key == grain), None)


@dataclass(frozen=True)
class EnrichedGate(LayerGate):
    """The days of the transforms.

    Attributes:
        declared: What the tables should be.
        lake: The lake.
    """

    layer = "enriched"
    declared: Declared
    lake: LakeInventory

    def current(self) -> Partitions:
        """The content of each day."""
        return {
            name: {
                value: manifest.content_hash
                for value, manifest in self.lake.lake.partitions(f"enriched/{name}").items()
            }
            for name in self.declared.spec.transforms
        }

    def prepare(self, connection: duckdb.DuckDBPyConnection, suites: Mapping[str, Suite]) -> None:
        """Lets queries name the tables of the lake, as `base_silver.orders`."""
        view_lake(connection, self.declared.spec, self.lake, suites.values())

    def measure(self, table: MeasuredTable, due: Due) -> Iterable[Batch]:
        """Some days of a transform's result, against the rows they were made from."""
        days = set(due.partitions)
        folder = f"enriched/{table.name}"
        files = self.lake.lake.files(folder, days)
        made = [m for value, m in self.lake.lake.partitions(folder).items() if value in days]
        rows = sum(manifest.rows for manifest in made)
        yield table.view_partitions(self.lake.lake, folder, days)
        source = _source(self.declared.spec, table.name)
        source_rows = self._rows_of(source, days) if source else None
        columns = key(self.declared, table.name)
        measures = {
            "row_count": rows,
            "repeated_grains": table.count_repeated(columns),
            "source_rows": source_rows,
            "unmatched_rows": None if source_rows is None else abs(source_rows - rows),
            "schema_differences": table.schema_differences(files, INGESTION_DAY),
        }
        evidence = {"repeated_grains": table.repeated_rows(columns)}
        yield table.fill("measures", [measures], evidence)

    def _rows_of(self, source: str, days: set[str]) -> int:
        return sum(m.rows for day, m in self.lake.base(source).items() if str(day) in days)
