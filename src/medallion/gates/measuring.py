"""From the tables that are due to the batches that are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from medallion.gates.batch import Batch
from medallion.gates.layers import LAYERS, LayerGate
from medallion.gates.measured_table import MeasuredTable
from medallion.gates.result import Due
from medallion.gates.suites import Suites

if TYPE_CHECKING:
    import duckdb


def measure(
    connection: duckdb.DuckDBPyConnection, gate: LayerGate, suites: Suites, due: Sequence[Due]
) -> Iterable[Batch]:
    """Makes the relations of the tables that are due.

    Args:
        connection: The gate's connection.
        gate: The gate of the layer.
        suites: The suites of all layers.
        due: The tables, and their partitions.
    """
    module, declared, of_layer = LAYERS[gate.layer], suites.declared, suites.of(gate.layer)
    gate.prepare(connection, {one.table: of_layer[one.table] for one in due})
    for one in due:
        table = MeasuredTable(
            connection,
            of_layer[one.table],
            module.subjects(declared, one.table),
            module.key(declared, one.table),
            declared.hidden,
        )
        yield from gate.measure(table, one)
