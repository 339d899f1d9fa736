"""What is published, as a test writes it down, and loading it into a BigQuery in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, cast

from medallion.lake.manifest import fingerprint
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.loading import Loader
from medallion.warehouse.bigquery.settings import BigQuerySettings
from medallion.warehouse.bigquery.shapes import Field, Shape
from medallion.warehouse.bigquery.wanted import PublishedState, Wanted
from tests.warehouse.bigquery_fake import LOCATION, PROJECT, FakeBigQuery

FIRST = date(2025, 10, 1)


def shape(name: str, *, newest: str = "") -> Shape:
    """A table with a column."""
    schema, _, table = name.partition(".")
    return Shape(
        name=name,
        folder=f"{schema}/{table}",
        description=f"Rows of {table}.",
        fields=(Field("order_id", "STRING", "The order."),),
        day=Field("ingestion_dt", "DATE", "The day."),
        cluster_by=("order_id",),
        newest=newest,
    )


ORDERS, CARTS = shape("base_silver.orders"), shape("base_silver.carts")


def day(number: int) -> date:
    """A day, from 1 on."""
    return FIRST + timedelta(days=number - 1)


def partition(table: Shape, number: int, content: str, rows: int = 3) -> Wanted:
    """A partition of one file; what ends with `2` was published first by the second run."""
    run = "r2" if content.endswith("2") else "r1"
    folder = f"gs://lake/silver/_staging/{run}/{table.folder}/ingestion_dt={day(number)}"
    uri = f"{folder}/part-0000-{content}-{rows}rows.parquet"
    return Wanted(day(number), rows, (uri,), ("order_id",), content)


@dataclass(frozen=True)
class State:
    """What a run has published."""

    run_id: str
    tables: Mapping[str, Mapping[date, Wanted]]

    def stamp(self, table: Shape) -> str:
        held = self.tables.get(table.name, {})
        return fingerprint({str(one.day): one.content for one in held.values()})[:32]

    def partitions(self, table: Shape) -> Mapping[date, Wanted]:
        return self.tables.get(table.name, {})


def published(run: str, **tables: Mapping[int, str]) -> State:
    """What a run has published: the content of each day, by table."""
    shapes = {"orders": ORDERS, "carts": CARTS}
    made = {
        shapes[name].name: {
            day(number): partition(shapes[name], number, content)
            for number, content in days.items()
        }
        for name, days in tables.items()
    }
    return State(run, made)


@dataclass
class House:
    """A BigQuery, and the loader of one process."""

    workers: int = 1
    job_seconds: float = 60
    tables: tuple[Shape, ...] = (ORDERS, CARTS)
    server: FakeBigQuery = field(default_factory=FakeBigQuery)
    slept: list[float] = field(default_factory=list)

    @property
    def loader(self) -> Loader:
        return Loader(self.calls, {one.name: one for one in self.tables})

    @property
    def calls(self) -> BigQuery:
        settings = BigQuerySettings(
            backend="bigquery",
            project=PROJECT,
            location=LOCATION,
            datasets="shop",
            workers=self.workers,
            job_seconds=self.job_seconds,
        )
        return BigQuery(settings, self.server.client, self.slept.append)

    def load(self, state: State) -> tuple[str, ...]:
        return self.loader.load(cast("PublishedState", state))

    def holds(self, table: Shape) -> dict[date, list[str]]:
        """The files that each partition holds."""
        return self.server.content(f"shop_{table.name}")

    def is_as(self, state: State) -> bool:
        """Whether BigQuery holds what is published, and nothing else."""
        return all(
            self.holds(table)
            == {one.day: sorted(one.uris) for one in state.partitions(table).values()}
            for table in self.tables
        )

    def rows_noted(self) -> list[dict[str, Any]]:
        """The rows of the table of loads."""
        return self.server.tables["shop_audit.loads"].rows
