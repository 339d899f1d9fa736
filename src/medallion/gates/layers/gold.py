"""The gate behind Gold: the marts as they stand in the warehouse."""

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
from medallion.gates.relations import differences, view_lake
from medallion.gates.result import Due, Partitions
from medallion.gates.suite import Suite
from medallion.lake.inventory import LakeInventory
from medallion.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb

TITLE = "Gold"

# One row: the whole mart.
MEASURES = {
    "row_count": "bigint",
    "repeated_grains": "bigint",
    **common.SCHEMA,
}


def tables(declared: Declared) -> tuple[str, ...]:
    """The marts."""
    return tuple(declared.models)


def subjects(declared: Declared, table: str) -> dict[str, Types]:
    """The rows, and the measures of them."""
    return {"rows": declared.models[table].columns, "measures": MEASURES}


def key(declared: Declared, table: str) -> tuple[str, ...]:
    """The grain, which a test of dbt declares."""
    return declared.models[table].grain


def other_tables(declared: Declared) -> dict[str, Types]:
    """The marts, and the tables of the lake."""
    marts = {f"gold.{name}": model.columns for name, model in declared.models.items()}
    return {**declared.lake, **marts}


def expectations(declared: Declared, table: str) -> Expectations:
    """A mart has rows, one for each of its grain, and the columns of its contract."""
    model = declared.models[table]
    origin = f"dbt/models/gold/{table}.yml"
    note = "An empty mart answers nothing."
    return {
        "rows": list(common.grain_is_there(model.required, origin)),
        "measures": [
            common.grain_is_unique(model.grain, origin),
            common.is_between("row_count", "critical", note, origin, min_value=1),
            common.schema_is_declared(origin),
        ],
    }


@dataclass(frozen=True)
class GoldGate(LayerGate):
    """The marts, which are made anew together.

    Attributes:
        declared: What the tables should be.
        lake: The lake.
        marts: The warehouse.
        built: Rows that this run has built, by mart.
    """

    layer = "gold"
    declared: Declared
    lake: LakeInventory
    marts: Warehouse
    built: Mapping[str, int]

    def current(self) -> Partitions:
        """What all marts were made from."""
        stamp = self.marts.made_from("gold")
        return {model: {"": stamp} for model in self.declared.models}

    def prepare(self, connection: duckdb.DuckDBPyConnection, suites: Mapping[str, Suite]) -> None:
        """Lets queries name the marts and the tables of the lake."""
        view_lake(connection, self.declared.spec, self.lake, suites.values())
        self.marts.show_to(connection, self._asked(suites))

    def _asked(self, suites: Mapping[str, Suite]) -> list[str]:
        """The marts that are due, and those that their suites name beside them."""
        queries = " ".join(query for suite in suites.values() for query in suite.queries)
        return [
            name for name in self.declared.models if name in suites or f"gold.{name}" in queries
        ]

    def measure(self, table: MeasuredTable, due: Due) -> Iterable[Batch]:  # noqa: ARG002
        """A mart as it stands in the warehouse."""
        model = self.declared.models[table.name]
        relation = f"gold.{model.name}"
        counted = table.count(f"select count(*) from {relation}")
        yield table.view_relation(relation, self.built.get(model.name, counted))
        found = table.ask(
            "select column_name, data_type from duckdb_columns() where database_name ="
            f" 'warehouse' and schema_name = 'gold' and table_name = '{model.name}'"
        )
        measures = {
            "row_count": table.count(f"select count(*) from {table.rows}"),
            "repeated_grains": table.count_repeated(model.grain),
            "schema_differences": differences(found, model.columns),
        }
        evidence = {"repeated_grains": table.repeated_rows(model.grain)} if model.grain else {}
        yield table.fill("measures", [measures], evidence)
