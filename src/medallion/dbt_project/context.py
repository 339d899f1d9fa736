"""What one dbt invocation sees and where it writes.

Nothing that changes from run to run goes through dbt's `--vars` or environment variables: each
change would make dbt parse the whole project again. Only the spec does (see `spec_vars`). The
plugin applies the current context to dbt's connection.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from medallion.dbt_project.results import StagedTable
from medallion.dbt_project.settings import EngineSettings
from medallion.dbt_project.sources import BronzeView
from medallion.lake.bronze import BronzePartition
from medallion.lake.scans import read_files
from medallion.lake.views import silver_columns
from medallion.spec import INGESTION_DAY, Spec
from medallion.spec.types import DATE, SILVER
from medallion.sql import literal, no_rows


@dataclass
class Context:
    """The inputs and outputs of one invocation.

    Attributes:
        spec: The tables.
        settings: What DuckDB may use.
        staging: Where partitions are written, laid out as the lake is.
        bronze: The window's partitions by table.
        history: SQL of the accepted rows outside the window, by event table.
        dimension_keys: The file of keys of each dimension.
        forgotten: Days whose keys are not remembered.
        snapshot: The day of the snapshots that are built.
        warehouse: A DuckDB file to attach for Gold.
        lake: What Gold reads: SELECTs by name, such as `base_silver.orders`.
        staged: What has been written so far; the plugin fills it.
    """

    spec: Spec
    settings: EngineSettings
    staging: Path
    bronze: Mapping[str, Sequence[BronzePartition]] = field(default_factory=dict)
    history: Mapping[str, str] = field(default_factory=dict)
    dimension_keys: Mapping[str, Path] = field(default_factory=dict)
    forgotten: Sequence[date] = ()
    snapshot: date | None = None
    warehouse: Path | None = None
    lake: Mapping[str, str] = field(default_factory=dict)
    staged: dict[str, StagedTable] = field(default_factory=dict)

    def statements(self) -> list[str]:
        """The SQL that makes this context visible to dbt.

        Relations that models of this invocation make, such as the keys of the dimensions that
        it builds, are replaced by them.
        """
        views = {table: self._view(table) for table in self.spec.tables}
        known = literal(json.dumps(self._run(views)))
        shown = {
            **{f"bronze.{table}": view.statement for table, view in views.items()},
            **{f"history.{table}": self._history(table) for table in self.spec.events},
            **{f"known_keys.{name}": self._keys(name) for name in self.spec.dimensions},
            **{f"base_silver.keys_{name}": self._keys(name) for name in self.spec.dimensions},
        }
        schemas = ("bronze", "history", "known_keys", "base_silver", "run")
        in_lake = sorted({f"lake.{name.partition('.')[0]}" for name in self.lake})
        shown |= {f"lake.{name}": query for name, query in self.lake.items()}
        return [
            *(f"create schema if not exists {schema}" for schema in (*schemas, *in_lake)),
            f"create or replace table run.context as select {known} as context",
            *(f"create or replace view {name} as {query}" for name, query in shown.items()),
        ]

    def _view(self, table: str) -> BronzeView:
        return BronzeView(table, self.bronze.get(table, ()), self.spec)

    def _run(self, views: Mapping[str, BronzeView]) -> dict[str, Any]:
        """What macros must know of the run: how the window holds each column, and the like."""
        tables = {
            name: {
                "physical": view.physical,
                "ambiguous": sorted(view.ambiguous),
                "unknown": list(view.unknown.values()),
                "has_history": bool(self.history.get(name)),
            }
            for name, view in views.items()
        }
        return {
            "tables": tables,
            "snapshot": str(self.snapshot) if self.snapshot else None,
            "forgotten": [str(day) for day in self.forgotten],
        }

    def _history(self, table: str) -> str:
        columns = {**silver_columns(self.spec, table), INGESTION_DAY: "date"}
        return self.history.get(table) or no_rows(columns)

    def _keys(self, name: str) -> str:
        """The keys that are known; a set of an earlier version has fewer columns."""
        (key,) = self.spec.tables[name].key
        kind = SILVER[self.spec.tables[name].columns[key].silver].duckdb
        none = no_rows({key: kind, "last_seen_dt": DATE.duckdb})
        if name not in self.dimension_keys:
            return none
        known = f"select * from {read_files([self.dimension_keys[name]])}"
        return f"select {key}, last_seen_dt from ({known} union all by name {none})"
