"""BigQuery behind the protocol of a warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from medallion.errors import UsageError
from medallion.lake.published import Published
from medallion.spec import Spec
from medallion.warehouse.bigquery.bringing import bring
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.gold import Gold
from medallion.warehouse.bigquery.loading import Loader, told
from medallion.warehouse.bigquery.settings import GOLD, BigQuerySettings, parse_settings
from medallion.warehouse.bigquery.shapes import shapes
from medallion.warehouse.bigquery.status import MartStatus, TableStatus, status_of, status_of_marts
from medallion.warehouse.bigquery.wanted import PublishedState
from medallion.warehouse.marts import MartsPlan, MartsState
from medallion.warehouse.protocol import VIEWS, MartsBuild, Publication

if TYPE_CHECKING:
    import duckdb
    import ibis.expr.types as ir
    from google.cloud.bigquery import Client

    from medallion.dbt_project.settings import EngineSettings
    from medallion.lake.inventory import LakeInventory


class BigQueryWarehouse:
    """Native tables in datasets of a project, which hold what is published in a bucket.

    Args:
        said: What `warehouse` of `globals.yml` says.
        make_client: Makes the client; by default one with Application Default Credentials.
    """

    def __init__(
        self,
        said: Mapping[str, Any],
        make_client: Callable[[BigQuerySettings], Client] | None = None,
    ) -> None:
        self.settings = parse_settings(said)
        self._calls = BigQuery(self.settings, make_client)

    def publish(self, publication: Publication) -> tuple[str, ...]:
        """Loads what is published and not there yet.

        The audit trail comes by the copy that `observability.yml` names.

        Raises:
            UsageError: The lake is on a disk, which BigQuery cannot read.
            WarehouseError: Something is not loaded; what is, stays, and the next run goes on.
        """
        return self.load(_published(publication.lake), publication.spec)

    def load(
        self, published: Published, spec: Spec, again: Iterable[tuple[str, date]] = ()
    ) -> tuple[str, ...]:
        """Loads what is current in a lake; returns the names of what BigQuery shows.

        Args:
            published: The lake.
            spec: Its tables.
            again: Partitions that are loaded although they are known to stand, by table and day.

        Raises:
            WarehouseError: Something is not loaded.
        """
        state = PublishedState.current(published)
        return Loader(self._calls, shapes(spec)).load(state, again) if state else ()

    def status(self, published: Published, spec: Spec) -> list[TableStatus]:
        """What is loaded of each table, and what is pending and why; nothing is changed.

        Raises:
            WarehouseError: BigQuery does not tell.
        """
        state = PublishedState.current(published)
        with told("BigQuery does not tell what it holds"):
            return status_of(self._calls, shapes(spec), state) if state else []

    def marts_status(self, plan: MartsPlan) -> list[MartStatus]:
        """What stands of each mart, from which run, and why the next one builds it.

        Args:
            plan: What of the marts is not what the lake says.

        Raises:
            WarehouseError: BigQuery does not tell.
        """
        with told("BigQuery does not tell what Gold is made from"):
            return status_of_marts(self._gold, plan)

    def marts_state(self) -> MartsState:
        """What each mart was made from; nothing where none was built.

        Raises:
            WarehouseError: BigQuery does not tell.
        """
        with told("BigQuery does not tell what Gold is made from"):
            return self._gold.state()

    def build(self, lake: LakeInventory, plan: MartsPlan, settings: EngineSettings) -> MartsBuild:
        """Lets dbt build marts in a dataset that nobody reads.

        Raises:
            DbtError: A model failed.
            WarehouseError: BigQuery does not do it, or it would read more than it may.
        """
        state = PublishedState.current(_published(lake))
        with told("Gold is not built in BigQuery"):
            return self._gold.build(lake, plan, settings, state.run_id if state else "")

    def accept(self, build: MartsBuild) -> None:
        """Puts built marts in place, all of them in one transaction.

        Raises:
            WarehouseError: BigQuery does not do it.
        """
        with told("Gold is not taken over in BigQuery"):
            self._gold.accept(build)

    def again(self, mart: str, days: tuple[date, ...]) -> None:
        """Lets the next run build a mart again, or days of it, although they are known to stand.

        Raises:
            WarehouseError: There is no such mart, or no such day.
        """
        with told(f"{mart} is not noted to be built again"):
            self._gold.again(mart, days)

    def made_from(self, part: str) -> str:
        """What a part is made from: of the tables, the run whose state is loaded."""
        with told("BigQuery does not tell what it holds"):
            return Loader(self._calls, {}).newest_run() if part == VIEWS else self._gold.made_from()

    def damage(self, *, thorough: bool = False) -> str:  # noqa: ARG002
        """Nothing: `kedro warehouse status` compares what is loaded with what is published."""
        return ""

    def relation(self, name: str) -> str:
        """Project, dataset and table."""
        return self.settings.table(name)

    @property
    def marts_place(self) -> str:
        """The project and the dataset."""
        return f"{self.settings.project}.{self.settings.dataset(GOLD)} in BigQuery"

    def table(self, name: str) -> ir.Table:
        """A table for ibis, which asks BigQuery as everything here does.

        Rows come by the API of queries: see `BigQuery.rows`.
        """
        import ibis

        client = self._calls.client
        # ibis makes a client of the storage API, and Google's client one of its own.
        client._ensure_bqstorage_client = lambda *_, **__: None  # type: ignore[method-assign]  # noqa: SLF001
        schema, _, table = name.partition(".")
        backend = ibis.bigquery.connect(
            client=client,
            storage_client=_Unused(),
            dataset_id=f"{self.settings.project}.{self.settings.dataset(schema)}",
        )
        return backend.table(table)

    def has(self, name: str) -> bool:
        """Whether there is such a table or view."""
        with told(f"BigQuery does not tell whether there is {name}"):
            return self._calls.table(self.settings.table(name)) is not None

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives.

        Raises:
            WarehouseError: BigQuery refuses it.
        """
        with told("A query was not answered"):
            return [tuple(row.values()) for row in self._calls.query(sql)]

    def show_to(self, connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
        """Brings the rows of marts into a gate's DuckDB, as `warehouse`, with views `gold.<table>`.

        Raises:
            WarehouseError: BigQuery does not give them.
        """
        with told("The gate cannot read the marts in BigQuery"):
            bring(self._calls, connection, tables)

    @property
    def _gold(self) -> Gold:
        return Gold(self._calls)


class _Unused:
    """Stands where ibis wants a client of the storage API; whoever asks uses none."""

    def __bool__(self) -> bool:
        """It is none."""
        return False


def _published(lake: LakeInventory) -> Published:
    """What BigQuery is loaded from.

    Raises:
        UsageError: The lake is on a disk, which BigQuery cannot read.
    """
    source = lake.lake.state.source
    if source is None:
        raise UsageError(
            f"BigQuery cannot read the lake at {lake.lake.root}: it is on a disk.",
            hint="name an environment whose lake is in an object store, such as --env prod.",
        )
    return source.published
