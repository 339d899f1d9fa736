"""dbt on BigQuery, of which there is only Google's analyzer: no data, no network.

Everything dbt-bigquery asks of its client is answered from what the analyzer makes of the
statements. A query that names no table, as those of unit tests, is computed.

`python -m tests.dbt_project.analysed_bigquery FILE` builds Gold with its tests twice, from nothing
and again for some days, and writes what was said and what came of it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from medallion.dbt_project import EngineSettings, run_gold
from medallion.dbt_project.running import Target, manifest
from medallion.dbt_project.spec_vars import spec_vars
from medallion.lake.views import silver_columns
from medallion.spec import INGESTION_DAY, Spec, load_spec
from medallion.spec.types import SILVER
from medallion.warehouse.marts import PlannedMart
from tests.conftest import PROJECT
from tests.dbt_project.googlesql import Analysed, Columns, GoogleSql, RefusedError


def listed(read: tuple[str, ...], *tables: str) -> PlannedMart:
    """A mart of which `DAYS` are built."""
    return PlannedMart(DAYS, {f"enriched.{table}": read for table in tables})


SHOP = "shop"
# Days of the marts that are built by day, of which one came out empty, and what they are made from.
DAYS = ("2025-10-06", "2025-10-08")
_WEEK = tuple(f"2025-{day}" for day in (
    "09-29", "09-30", "10-01", "10-02", "10-03", "10-04", "10-05", "10-06", "10-07", "10-08",
))  # fmt: skip
LISTED = {
    "fct_cart_abandonment": listed(DAYS, "cart_attribution"),
    "fct_customer_segments": listed(DAYS, "customer_lifetime_value"),
    "fct_daily_dashboard": listed(_WEEK, "daily_business_metrics"),
    "fct_finance_revenue": listed(DAYS, "regional_financials"),
    "fct_marketing_attribution": listed(DAYS, "attributed_purchases"),
    "fct_sales_operations": listed(DAYS, "product_performance", "sales_velocity", "inventory_risk"),
    "fct_shipping_analysis": listed(DAYS, "shipping_economics"),
    "fct_customers": PlannedMart(
        None,
        {
            "enriched.customer_lifetime_value": DAYS[-1:],
            "enriched.customer_retention_signals": DAYS[:1],
        },
    ),
}
# What the API calls types, where GoogleSQL has another name.
_API = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}
_STATEMENTS = {
    "Query": "SELECT",
    "CreateTableAsSelect": "CREATE_TABLE_AS_SELECT",
    "Merge": "MERGE",
    "Drop": "DROP_TABLE",
    "CreateSchema": "CREATE_SCHEMA",
    "Script": "SCRIPT",
}
_CREATED = re.compile(r"create or replace table `(\w+)`\.`(\w+)`\.`(\w+)`")


def silver(spec: Spec) -> dict[str, Columns]:
    """The tables that Gold reads, as they are loaded."""
    tables = {
        f"base_silver.{t}": {**spec_types(spec, t), INGESTION_DAY: "DATE"} for t in spec.events
    }
    for name in spec.dimensions:
        tables[f"dims.{name}"] = {**spec_types(spec, name), "snapshot_dt": "DATE"}
    for name, transform in spec.transforms.items():
        columns = {c: SILVER[kind].bigquery for c, kind in transform.columns.items()}
        tables[f"enriched.{name}"] = columns
    return {f"{SHOP}.{name}": columns for name, columns in tables.items()}


def spec_types(spec: Spec, table: str) -> dict[str, str]:
    """The columns of a table of Base Silver or a dimension, as BigQuery names their types."""
    of_duckdb = {kind.duckdb: kind.bigquery for kind in SILVER.values()}
    return {name: of_duckdb[kind] for name, kind in silver_columns(spec, table).items()}


@dataclass
class Said:
    """A statement that dbt has sent.

    Attributes:
        node: The model or test that it is of.
        sql: The statement.
        refusal: What the analyzer has against it.
    """

    node: str
    sql: str
    refusal: str = ""


@dataclass
class AnalysedBigQuery:
    """What dbt-bigquery takes for BigQuery.

    Attributes:
        sql: The analyzer, which knows the tables that are there.
        said: All statements.
        descriptions: What tables and columns are described as, by table.
    """

    sql: GoogleSql
    said: list[Said] = field(default_factory=list)
    descriptions: dict[str, dict[str, str]] = field(default_factory=dict)

    def query(self, statement: str, node: str) -> tuple[Any, Any]:
        """A job and its rows.

        Raises:
            BadRequest: It is no GoogleSQL.
        """
        from google.api_core.exceptions import BadRequest

        said = Said(node, statement)
        self.said.append(said)
        try:
            found = self.sql.analyse(statement)
            rows = self._rows(statement, found)
        except RefusedError as error:
            said.refusal = str(error)
            raise BadRequest(said.refusal) from error
        if found.kind == "CreateTableAsSelect" and (table := _CREATED.search(statement)):
            self.sql.add(".".join(table.groups()), found.columns)
        return _job(_STATEMENTS[found.kind]), _Rows(_schema(found.columns), rows)

    def _rows(self, statement: str, found: Analysed) -> list[Mapping[str, Any]]:
        """What a query over no tables gives; over tables that are empty, tests count nothing."""
        if found.kind != "Query":
            return []
        if re.search(rf"`{SHOP}`", statement):
            nothing = {"failures": 0, "should_warn": False, "should_error": False}
            return [nothing] if found.columns.keys() == nothing.keys() else []
        return list(self.sql.rows(statement))

    # What dbt-bigquery asks of the client.

    def get_table(self, reference: Any) -> Any:
        """A table that is there; of a job's result, dbt asks for the rows."""
        from google.api_core.exceptions import NotFound
        from google.cloud.bigquery import Table

        if reference is None:
            return SimpleNamespace(num_rows=0)
        columns = self.sql.columns(_named(reference))
        if columns is None:
            raise NotFound(f"{_named(reference)} is not there")
        return Table(reference, schema=_schema(columns))

    def update_table(self, table: Any, fields: Iterable[str]) -> Any:
        """Describes a table or its columns."""
        told = self.descriptions.setdefault(_named(table.reference), {})
        if "description" in fields:
            told[""] = table.description
        if "schema" in fields:
            told |= {one.name: one.description for one in table.schema if one.description}
        return table

    def list_tables(self, dataset: Any, **_: Any) -> list[Any]:
        """The tables of a dataset."""
        start = f"{dataset.project}.{dataset.dataset_id}."
        return [
            SimpleNamespace(
                project=dataset.project,
                dataset_id=dataset.dataset_id,
                table_id=name.removeprefix(start),
                table_type="TABLE",
            )
            for name in self.sql.tables()
            if name.startswith(start)
        ]

    def list_routines(self, _: Any) -> list[Any]:
        """None."""
        return []

    def list_datasets(self, **_: Any) -> list[Any]:
        """All that have a table."""
        return [SimpleNamespace(dataset_id=name.split(".")[1]) for name in self.sql.tables()]

    def delete_table(self, reference: Any, **_: Any) -> None:
        """Takes a table away."""
        self.sql.drop(_named(reference))

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def behind_dbt(self) -> Iterator[None]:
        """Lets dbt-bigquery take this for BigQuery."""
        from dbt.adapters.bigquery import BigQueryConnectionManager
        from dbt.adapters.bigquery.connections import get_node_info
        from dbt.adapters.contracts.connection import ConnectionState

        def opened(connection: Any) -> Any:
            connection.handle, connection.state = self, ConnectionState.OPEN
            return connection

        def executed(manager: Any, sql: str, **_: Any) -> tuple[Any, Any]:
            manager.get_thread_connection().handle  # noqa: B018  (connects, as dbt does)
            with manager.exception_handler(sql):
                return self.query(sql, get_node_info().get("node_name", ""))

        with (
            mock.patch.object(BigQueryConnectionManager, "open", staticmethod(opened)),
            mock.patch.object(BigQueryConnectionManager, "raw_execute", executed),
        ):
            yield


class _Rows(list[Mapping[str, Any]]):
    """Rows as an iterator of the client's gives them."""

    def __init__(self, schema: list[Any], rows: Iterable[Mapping[str, Any]]) -> None:
        super().__init__(rows)
        self.schema = schema


def _job(statement: str) -> Any:
    return SimpleNamespace(
        statement_type=statement,
        destination=None,
        num_dml_affected_rows=0,
        total_bytes_processed=None,
        total_bytes_billed=None,
        slot_millis=None,
        location="EU",
        job_id="1",
        project=SHOP,
    )


def _schema(columns: Columns) -> list[Any]:
    from google.cloud.bigquery import SchemaField

    return [SchemaField(name, _API.get(kind, kind)) for name, kind in columns.items()]


def _named(reference: Any) -> str:
    return f"{reference.project}.{reference.dataset_id}.{reference.table_id}"


def main(target: Path) -> None:
    """Builds Gold and writes what was said and what came of it.

    Args:
        target: The file.
    """
    spec = load_spec(PROJECT / "conf" / "base" / "spec.yml")
    bigquery = AnalysedBigQuery(GoogleSql(silver(spec)))
    os.environ["MEDALLION_BIGQUERY_PROJECT"] = SHOP
    os.environ["MEDALLION_BIGQUERY_LOCATION"] = "EU"
    with tempfile.TemporaryDirectory() as folder, bigquery.behind_dbt():
        for root in ("BRONZE", "DATA"):
            os.environ[f"MEDALLION_{root}_ROOT"] = f"{folder}/{root.lower()}"
        limits = EngineSettings("1GB", 1, Path(folder) / "spill", Path(folder) / "dbt")
        engines = {n: Target(limits.dbt_folder, spec_vars(spec), n) for n in ("bigquery", "duckdb")}
        on_bigquery = _invoked(engines["bigquery"], "build")
        results = [_result(run) for run in on_bigquery]
        # dbt writes into the nodes that it has parsed, so each is read before it goes on.
        compiled = {"whole": {"bigquery": _compiled(on_bigquery)}, "listed": {}}
        whole = len(bigquery.said)
        run_gold(spec, {name: mart.as_var() for name, mart in LISTED.items()}, limits, "bigquery")
        for days, engine in (("whole", "duckdb"), ("listed", "duckdb"), ("listed", "bigquery")):
            compiled[days][engine] = _compiled(_invoked(engines[engine], "compile", *_vars(days)))
    written = {
        "said": [asdict(said) for said in bigquery.said[:whole]],
        "said_of_days": [asdict(said) for said in bigquery.said[whole:]],
        "results": results,
        "tables": {name: bigquery.sql.columns(name) for name in bigquery.sql.tables()},
        "descriptions": bigquery.descriptions,
        "compiled": compiled,
    }
    target.write_text(json.dumps(written), encoding="utf-8")


def _vars(days: str) -> list[str]:
    marts = {name: mart.as_var() for name, mart in LISTED.items()}
    return ["--vars", json.dumps({"marts": marts})] if days == "listed" else []


def _invoked(target: Target, command: str, *options: str) -> list[Any]:
    from dbt.cli.main import dbtRunner

    gold = ["--select", "path:models/gold", "path:tests/gold"]
    runner = dbtRunner(manifest=manifest(target))
    outcome = runner.invoke([command, "--no-write-json", *target.given, *gold, *options])
    if outcome.exception:
        raise outcome.exception
    return list(outcome.result)


def _result(run: Any) -> dict[str, str]:
    """How a node ended, and the mart that it is or that it tests; a test of several names none."""
    node = run.node
    kind = str(node.resource_type)
    mart = {"model": node.unique_id, "unit_test": node.unique_id.rpartition(".")[0]}.get(kind)
    attached = mart or getattr(node, "attached_node", None) or ""
    return {
        "name": node.name,
        "mart": attached.rpartition(".")[2],
        "status": str(run.status),
        "message": str(run.message or ""),
    }


def _compiled(runs: Iterable[Any]) -> dict[str, str]:
    """What dbt has made of the models."""
    models = (run.node for run in runs if str(run.node.resource_type) == "model")
    return {node.name: node.compiled_code for node in models}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
