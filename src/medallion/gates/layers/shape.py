"""The shape that the gates of all layers have: a module that declares, and a gate that measures.

A layer's module answers what its gate looks at (`subjects`), what the spec implies of it
(`expectations`) and, as a `LayerGate`, what must be looked at now and how it is measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol

from medallion.gates.batch import Batch
from medallion.gates.declared import Declared, Types
from medallion.gates.layers._common import Expectations
from medallion.gates.measured_table import MeasuredTable
from medallion.gates.result import Due, Failure, Partitions
from medallion.gates.suite import Suite

if TYPE_CHECKING:
    import duckdb


class Layer(Protocol):
    """What the module of a layer says of its tables."""

    TITLE: str
    """The layer, as the head of its report names it."""

    def tables(self, declared: Declared) -> tuple[str, ...]:
        """The tables of the layer, in the order in which they are checked."""

    def subjects(self, declared: Declared, table: str) -> dict[str, Types]:
        """What a suite can look at, and the columns of each.

        `rows` are the rows themselves; the others are small relations that the gate fills.
        """

    def key(self, declared: Declared, table: str) -> tuple[str, ...]:
        """The columns by which a person finds a row of a table."""

    def other_tables(self, declared: Declared) -> Mapping[str, Types]:
        """The tables that queries of the layer can name beside `{batch}`, and their columns."""

    def expectations(self, declared: Declared, table: str) -> Expectations:
        """What the spec implies of a table, so that no suite has to repeat it, by subject."""


class LayerGate(ABC):
    """What the gate of a layer looks at in a run."""

    layer: ClassVar[str]

    @abstractmethod
    def current(self) -> Partitions:
        """Fingerprints of the partitions that there are now, by table and value."""

    def findings(self) -> Iterable[Failure]:
        """What a person should know and no suite asks for."""
        return ()

    def prepare(  # noqa: B027 - the queries of most suites name nothing but their own table
        self, connection: duckdb.DuckDBPyConnection, suites: Mapping[str, Suite]
    ) -> None:
        """Lets the queries of the suites that are due name tables; here they name none."""

    @abstractmethod
    def measure(self, table: MeasuredTable, due: Due) -> Iterable[Batch]:
        """Makes the relations of a table of the partitions that are due."""
