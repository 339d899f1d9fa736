"""What a warehouse can do, whichever engine is behind it.

A warehouse has two parts, each with a stamp that says what it was made from: `views`, the tables
of the lake as it shows them, and `gold`, the marts. Making a part whose stamp is the same again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from medallion.dbt_project.results import BuildResult
from medallion.lake.inventory import LakeInventory
from medallion.spec import Spec
from medallion.warehouse.marts import MartsPlan, MartsState

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir

    from medallion.dbt_project.settings import EngineSettings

VIEWS, GOLD = "views", "gold"


@dataclass(frozen=True)
class Publication:
    """Everything of the lake that a warehouse shall show.

    Attributes:
        spec: The tables.
        lake: Which partitions stand.
        views: Views beside the tables of the lake: name to a SELECT that DuckDB understands.
    """

    spec: Spec
    lake: LakeInventory = field(repr=False)
    views: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class MartsBuild:
    """Marts that dbt has built and that do not stand yet; none if those that stand are right.

    Attributes:
        stamp: What they are made from.
        result: What dbt counted.
        draft: Where they are until they are put in place, as the warehouse knows it.
        state: What each of them is made from, day by day.
    """

    stamp: str
    result: BuildResult = field(default_factory=BuildResult)
    draft: object = field(default=None, repr=False)
    state: MartsState = field(default_factory=MartsState, repr=False)


class Warehouse(Protocol):
    """Shows the lake, builds the marts, answers queries."""

    def publish(self, publication: Publication) -> tuple[str, ...]:
        """Shows the lake as it stands; returns the names, such as `base_silver.orders`."""
        ...

    def marts_state(self) -> MartsState:
        """What each mart was made from; nothing while they do not stand as they were made."""
        ...

    def build(self, lake: LakeInventory, plan: MartsPlan, settings: EngineSettings) -> MartsBuild:
        """Lets dbt build marts, and days of them, where nobody reads them yet.

        Args:
            lake: What they are built on.
            plan: Which marts, and which of their days; all others stay as they are.
            settings: What the engine may use.
        """
        ...

    def accept(self, build: MartsBuild) -> None:
        """Puts built marts in place, all of them in one step."""
        ...

    def made_from(self, part: str) -> str:
        """The stamp of a part; empty while the part does not stand as it was made."""
        ...

    def damage(self, *, thorough: bool = False) -> str:
        """What is wrong with what this project has made; nothing if it is what it was.

        Args:
            thorough: Compare checksums even if size and time are the same.
        """
        ...

    def relation(self, name: str) -> str:
        """Where a table is, for people and lineage; names are such as `gold.fct_orders`."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is such a table or view."""
        ...

    @property
    def marts_place(self) -> str:
        """Where people find the marts."""
        ...

    def table(self, name: str) -> ir.Table:
        """A table for ibis; nothing is read before somebody asks for rows."""
        ...

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        ...

    def show_to(self, connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
        """Lets a gate's DuckDB read marts, under the names that they have here.

        Args:
            connection: The gate's database.
            tables: Marts, such as `fct_orders`.
        """
        ...
