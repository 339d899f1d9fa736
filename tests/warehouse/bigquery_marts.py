"""Marts in the BigQuery in memory: statements over rows, which DuckDB computes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlglot

from medallion.dbt_project.results import BuildResult, Counts
from medallion.lake.manifest import fingerprint
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.gold import Draft, Gold
from medallion.warehouse.bigquery.notes import SHAPE
from medallion.warehouse.bigquery.settings import BigQuerySettings
from medallion.warehouse.bigquery.shapes import Field, TableShape
from medallion.warehouse.bigquery.tables import Tables
from medallion.warehouse.bigquery.taking import Taken
from medallion.warehouse.marts import WHOLE, MartsState
from medallion.warehouse.protocol import MartsBuild
from tests.warehouse.bigquery_fake import (
    _KINDS,
    LOCATION,
    PROJECT,
    FakeBigQuery,
    Table,
    _duckdb,
    _duckdb_lock,
    _results,
)

_NAME = re.compile(r'"[\w-]+"\."(\w+)"\."(\w+)"')
_OF_DUCKDB = {"BIGINT": "INT64", "DATE": "DATE", "VARCHAR": "STRING"}

DAILY = TableShape(
    name="gold.fct_daily",
    description="A day of the shop.",
    columns=(Field("ingestion_dt", "DATE", "The day."), Field("made", "STRING", "Of what.")),
    partitioned_by="ingestion_dt",
)
WHOLES = TableShape(
    name="gold.dim_all", description="The shop.", columns=(Field("made", "STRING", "Of what."),)
)
SHAPES = {"fct_daily": DAILY, "dim_all": WHOLES}


class FakeGold(FakeBigQuery):
    """A BigQuery in memory in which statements change rows."""

    def _query(self, job: dict[str, Any]) -> int:
        sql = job["configuration"]["query"]["query"]
        if sql.startswith("create") or not ("gold" in sql or ".`marts`" in sql):
            return super()._query(job)
        job["configuration"]["query"]["destinationTable"] = {
            **dict.fromkeys(("projectId", "datasetId", "tableId"), "_")
        }
        job["_results"] = _results(job, *self._executed(sql))
        return 0

    def _executed(self, sql: str) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        statements = [one for one in sqlglot.transpile(sql, read="bigquery", write="duckdb") if one]
        named = {f"{dataset}.{table}" for one in statements for dataset, table in _named(one)}
        with _duckdb_lock:
            connection = _duckdb()
            for name in named:
                _put(connection, name, self.tables[name])
            for statement in statements:
                found = connection.execute(_NAME.sub(r'"\1__\2"', statement))
            columns = [
                (one[0], _OF_DUCKDB.get(str(one[1]), "TIMESTAMP")) for one in found.description
            ]
            rows = found.fetchall() if sql.startswith("select") else []
            if not sql.startswith("select"):
                for name in named:
                    self.tables[name].rows = _taken(connection, name)
        return columns, rows

    def finish(self) -> None:
        """Whatever still runs comes to its end."""
        for name in self.jobs:
            self._waiting[name] = 0
            self._go_on(name)

    def copy(self) -> FakeGold:
        """Another one that holds the same, and to which nothing happens."""
        made = super().copy()
        return FakeGold(
            jobs=made.jobs,
            datasets=made.datasets,
            tables=made.tables,
            _waiting=made._waiting,
            _clock=made._clock,
        )


def _named(sql: str) -> list[tuple[str, str]]:
    return _NAME.findall(sql)


def _put(connection: Any, name: str, table: Table) -> None:
    fields = table.resource["schema"]["fields"]
    declared = ", ".join(f"{one['name']} {_KINDS[one['type']]}" for one in fields)
    place = name.replace(".", "__")
    connection.execute(f"create or replace table {place} ({declared})")
    slots = ", ".join("?" * len(fields))
    for row in table.rows:
        connection.execute(
            f"insert into {place} values ({slots})", [row.get(one["name"]) for one in fields]
        )


def _taken(connection: Any, name: str) -> list[dict[str, Any]]:
    found = connection.execute(f"select * from {name.replace('.', '__')}")
    names = [one[0] for one in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@dataclass
class House:
    """Marts in BigQuery, and what a run builds of them: a word for each day, and one for all.

    Attributes:
        server: The BigQuery.
    """

    server: FakeGold = field(default_factory=FakeGold)

    @property
    def calls(self) -> BigQuery:
        settings = BigQuerySettings(
            backend="bigquery",
            project=PROJECT,
            location=LOCATION,
            datasets="shop",
            job_seconds=60,
        )
        return BigQuery(settings, self.server.client, lambda _: None)

    @property
    def gold(self) -> Gold:
        return Gold(self.calls)

    def build(self, run: str, days: dict[str, str], word: str) -> MartsBuild:
        """What dbt would have built of the days that differ, as drafts; all if none stands."""
        made = Tables(self.calls).prepare_marts([SHAPE, *SHAPES.values()])
        state = MartsState("code", {"fct_daily": days, "dim_all": {WHOLE: word}})
        before = self.gold.state()
        was = before.made_from.get("fct_daily", {})
        listed = tuple(sorted(d for d in {*days, *was} if days.get(d) != was.get(d)))
        marts = {"dim_all": Taken("dim_all", WHOLES)}
        if before.code:
            marts |= {"fct_daily": Taken("fct_daily", DAILY, listed)} if listed else {}
        else:
            marts["fct_daily"] = Taken("fct_daily", DAILY)
        rows = [{"ingestion_dt": day, "made": made_of} for day, made_of in days.items()]
        built = [row for row in rows if not before.code or row["ingestion_dt"] in listed]
        for name, held in (("fct_daily", built), ("dim_all", [{"made": word}])):
            like = self.server.tables[f"shop_gold.{name}"].resource
            self.server.tables[f"shop_gold_build.{name}"] = Table(like, rows=held)
        counts = {"fct_daily": Counts(accepted=len(days)), "dim_all": Counts(accepted=1)}
        return MartsBuild(
            fingerprint([days, word]),
            BuildResult(counts={name: counts[name] for name in marts}),
            Draft(marts, {name: made[shape.name] for name, shape in SHAPES.items()}, {}, run),
            state,
        )

    def run(self, run: str, days: dict[str, str], word: str) -> None:
        """Builds and takes over, if the stamp is another one."""
        if self.gold.made_from() != fingerprint([days, word]):
            self.gold.accept(self.build(run, days, word))

    def holds(self) -> tuple[dict[str, str], list[str]]:
        """What the marts hold."""
        daily = {str(row["ingestion_dt"]): row["made"] for row in self.rows("fct_daily")}
        assert len(daily) == len(self.rows("fct_daily"))
        return daily, [row["made"] for row in self.rows("dim_all")]

    def rows(self, mart: str) -> list[dict[str, Any]]:
        return self.server.tables[f"shop_gold.{mart}"].rows


def day(number: int) -> str:
    return str(date(2025, 10, number))
