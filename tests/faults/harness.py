"""Runs the pipeline on bad input and compares every table with the run on the clean base.

Everything here reads the results with pyarrow, Polars and DuckDB, never with the product, so
that a mistake of the product cannot hide itself.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import runpy
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from medallion.errors import MedallionError
from tests.conftest import PROJECT
from tests.running import Shop

FAULTS = Path(os.environ.get("MEDALLION_FAULTS") or PROJECT.parent / "shared" / "faults")
EVENTS = ("orders", "order_items", "shopping_carts", "cart_items", "returns", "return_items")
DIMENSIONS = ("customers", "product_catalog")
LINEAGE = ("batch_id", "ingestion_ts", "event_id", "source_file")
SILVER = ("bronze", "dims", "base_silver")
# Tests set nothing of these for the pipeline: what a shell inherits is the subject of some.
_SHELL = ("DBT_", "MEDALLION_", "KEDRO_", "PYTHONPATH", "TZ")

Tables = dict[str, pl.DataFrame]
Reasons = Mapping[str, int]


def base_bronze() -> Path:
    """The clean Bronze of three days, or a skipped test where it is absent."""
    if not (FAULTS / "base").is_dir():
        pytest.skip(f"the bad inputs are not at {FAULTS} (MEDALLION_FAULTS names their folder)")
    return FAULTS / "base"


@dataclass(frozen=True)
class Made:
    """What a `make.py` left: where Bronze is, where results go, what the shell has set."""

    bronze: Path | str
    data: Path | str
    env: Mapping[str, str] = field(default_factory=dict)


def make(case: str, runs: Path) -> Made:
    """Runs a case's own `make.py`, with its scratch folder moved to `runs`."""
    base_bronze()
    script = FAULTS / case / "make.py"
    with (
        _helpers(runs),
        mock.patch.object(sys, "argv", [str(script)]),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        runpy.run_path(str(script), run_name="__main__")
    top = runs / case
    told = top / "case.json"
    facts = json.loads(told.read_text(encoding="utf-8")) if told.exists() else {}
    bronze, data = facts.get("bronze", top / "bronze"), facts.get("data", top / "data")
    return Made(bronze, data, facts.get("env", {}))


@contextlib.contextmanager
def _helpers(runs: Path) -> Iterator[None]:
    """The cases' `lib.py` under the name by which they import it."""
    found = importlib.util.spec_from_file_location("lib", FAULTS / "lib.py")
    assert found is not None
    assert found.loader is not None
    lib = importlib.util.module_from_spec(found)
    found.loader.exec_module(lib)
    lib.RUNS = runs
    with mock.patch.dict(sys.modules, {"lib": lib}):
        yield


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and what it left.

    Attributes:
        code: Exit code; 0 only for a run that succeeded.
        text: All that a person would read in the console.
        full: Whether the run was to go up to Gold.
    """

    bronze: Path
    data: Path
    code: int
    text: str
    full: bool = True

    @cached_property
    def words(self) -> str:
        """The text in one line, without the frames of tables, for a search across lines."""
        return " ".join(self.text.split())

    @cached_property
    def tables(self) -> Tables:
        return read_tables(self.data)

    @cached_property
    def report(self) -> dict[str, Any]:
        text = (self.data / "reports" / "run.json").read_text(encoding="utf-8")
        report: dict[str, Any] = json.loads(text)
        return report

    def failures(self, layer: str, severity: str = "") -> list[dict[str, Any]]:
        """What a gate found; without a severity all but what it only records."""
        found = self.report["gates"][layer]["failures"]
        return [
            failure
            for failure in found
            if (failure["severity"] == severity if severity else failure["severity"] != "info")
        ]

    def nullified(self, table: str) -> dict[str, int]:
        """Values that became null, per column, as the report counts them."""
        layer = "dims" if table in DIMENSIONS else "base_silver"
        (told,) = (row for row in self.report["tables"][layer] if row["table"] == table)
        nullified: dict[str, int] = told["nullified"]
        return nullified

    def reasons(self, table: str) -> dict[str, int]:
        """Quarantined rows per reason, counted in the files."""
        frame = self.tables.get(f"quarantine/{table}")
        return {} if frame is None else dict(Counter(frame["invalid_reason"].to_list()))

    def gold(self, query: str) -> list[tuple[Any, ...]]:
        return Shop(self.bronze, self.data).sql(query)


def run(
    bronze: Path | str,
    data: Path | str,
    *pipelines: str,
    env: Mapping[str, str] | None = None,
    **parameters: Any,
) -> Outcome:
    """Runs in this process, which spares the imports; an unknown error is a trace in the text."""
    shop = Shop(bronze, data)  # type: ignore[arg-type]
    told = io.StringIO()
    code = 0
    with (
        _environment(env or {}),
        contextlib.redirect_stdout(told),
        contextlib.redirect_stderr(told),
    ):
        try:
            with shop.session(**parameters) as session:
                session.run(pipeline_names=list(pipelines) or None)
        except Exception as error:  # noqa: BLE001 - the very thing that tests ask about
            code = 1
            told.write(_as_a_person_sees(error))
    return Outcome(_local(bronze), _local(data), code, told.getvalue(), full=not pipelines)


def command(
    bronze: Path | str,
    data: Path | str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
) -> Outcome:
    """A command in a process of its own, as a person types it."""
    with _environment({**(env or {}), "COLUMNS": "300"}):
        given = {
            **os.environ,
            "MEDALLION_BRONZE_ROOT": str(bronze),
            "MEDALLION_DATA_ROOT": str(data),
        }
    ended = subprocess.run(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=PROJECT,
        env=given,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=300,
    )
    text = ended.stdout + ended.stderr
    full = "--pipelines" not in arguments
    return Outcome(_local(bronze), _local(data), ended.returncode, text, full=full)


@contextlib.contextmanager
def _environment(env: Mapping[str, str]) -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SHELL)}
    with mock.patch.dict(os.environ, {**kept, **env}, clear=True):
        yield


def _as_a_person_sees(error: BaseException) -> str:
    """The message of an error that is meant for people, or else the trace that would come."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, MedallionError):
            return str(link)
        link = link.__cause__ or link.__context__
    return "".join(traceback.format_exception(error))


def _local(root: Path | str) -> Path:
    return Path(str(root).removeprefix("file://"))


def read_tables(data: Path) -> Tables:
    """Every table of the lake and of Gold, without lineage, sorted; empty ones are absent."""
    tables: Tables = {}
    for layer in ("base", "dims", "quarantine", "enriched"):
        for folder in sorted((data / "silver" / layer).glob("[a-z]*")):
            frame = _read(folder)
            if frame.height:
                tables[f"{layer}/{folder.name}"] = frame
    return tables | _read_gold(data / "warehouse" / "medallion.duckdb")


def _read(folder: Path) -> pl.DataFrame:
    frames = []
    for file in sorted(folder.glob("*=*/*.parquet")):
        frame = pl.read_parquet(file, glob=False, hive_partitioning=False)
        key, _, value = file.parent.name.partition("=")
        frames.append(frame.drop(key, strict=False).with_columns(pl.lit(value).alias(key)))
    if not frames:
        return pl.DataFrame()
    whole = pl.concat(frames, how="diagonal_relaxed")
    return tidy(whole.drop(*LINEAGE, strict=False))


def _read_gold(warehouse: Path) -> Tables:
    if not warehouse.exists():
        return {}
    ask = "select table_name from duckdb_tables() where schema_name = 'gold' order by 1"
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        names = [row[0] for row in connection.execute(ask).fetchall()]
        return {
            f"gold/{name}": tidy(connection.sql(f'select * from gold."{name}"').pl())
            for name in names
        }


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns and rows in an order of their own, so that equal tables are equal frames."""
    frame = frame.select(sorted(frame.columns))
    return frame.sort(frame.columns, nulls_last=True)


# ---------------------------------------------------------------- what must always hold


def holds_up(
    outcome: Outcome, *, held_back: tuple[str, ...] = (), products_superseded: int = 0
) -> None:
    """No trace; and a run that says it succeeded has lost no row and miscounted nothing."""
    assert "Traceback" not in outcome.text, outcome.text[-3000:]
    if outcome.code != 0:
        return
    for table in EVENTS:
        found = bronze_rows(outcome.bronze, table, "ingest_dt")
        expected = {day: rows for day, rows in found.items() if day not in held_back and rows}
        assert silver_rows(outcome.data, table) == expected, table
    for table in DIMENSIONS:
        there = sum(bronze_rows(outcome.bronze, table).values())
        superseded = products_superseded if table == "product_catalog" else 0
        assert _newest_rows(outcome.data, table) + superseded == there, table
    if outcome.full:
        _reconciles(outcome)


def bronze_rows(root: Path, table: str, key: str = "") -> Counter[str]:
    """Rows per partition, of the footers, in every folder that names a partition."""
    rows: Counter[str] = Counter()
    for file in sorted((root / table).rglob("*")):
        inside = file.relative_to(root / table).parts
        hidden = any(part.startswith(("_", ".")) for part in inside)
        if hidden or not file.is_file() or len(inside) < 2 or not inside[0].startswith(key):
            continue
        rows[unquote(inside[0].partition("=")[2])] += pq.ParquetFile(file).metadata.num_rows
    return rows


def silver_rows(data: Path, table: str) -> Counter[str]:
    """Accepted and quarantined rows per partition day, of the footers."""
    rows: Counter[str] = Counter()
    for layer in ("base", "quarantine"):
        for file in (data / "silver" / layer / table).glob("ingestion_dt=*/*.parquet"):
            rows[file.parent.name.partition("=")[2]] += pq.ParquetFile(file).metadata.num_rows
    return rows


def _newest_rows(data: Path, table: str) -> int:
    """Rows of a dimension's newest snapshot and of its quarantine."""
    total = 0
    for layer in ("dims", "quarantine"):
        folders = sorted((data / "silver" / layer / table).glob("snapshot_dt=*"))
        for file in folders[-1].glob("*.parquet") if folders else ():
            total += pq.ParquetFile(file).metadata.num_rows
    return total


def _reconciles(outcome: Outcome) -> None:
    """Totals of Gold equal those of Base Silver, to the cent."""
    tables = outcome.tables

    def total(name: str, column: str) -> Any:
        frame = tables[name] if name.startswith("gold/") else tables.get(name)
        return 0 if frame is None else (frame[column].sum() or 0)

    net = total("base/orders", "net_total")
    for name, column in (
        ("gold/fct_orders", "net_total"),
        ("gold/fct_finance_revenue", "net_revenue"),
        ("gold/fct_daily_dashboard", "net_revenue"),
        ("gold/fct_customers", "net_revenue"),
    ):
        assert total(name, column) == net, name
    refunds = total("base/returns", "refunded_amount")
    for name in ("gold/fct_orders", "gold/fct_finance_revenue", "gold/fct_daily_dashboard"):
        assert total(name, "refunds") == refunds, name
    units = total("base/order_items", "quantity")
    assert total("gold/fct_product_profitability", "units_sold") == units
    assert total("gold/fct_daily_dashboard", "units") == units
    carts = tables["base/shopping_carts"].height if "base/shopping_carts" in tables else 0
    assert total("gold/fct_cart_abandonment", "carts") == carts


# ---------------------------------------------------------------- how results are compared


def assert_same(expected: Tables, found: Tables, *names: str) -> None:
    """Tables equal each other cell by cell; without names, all tables of every layer do."""
    wanted = names or tuple(sorted({*expected, *found}))
    differing = [text for name in wanted if (text := _difference(expected, found, name))]
    assert not differing, "\n".join(differing)


def _difference(expected: Tables, found: Tables, name: str) -> str:
    was, now = expected.get(name), found.get(name)
    if was is None or now is None:
        return "" if was is now else f"{name}: {'appeared' if was is None else 'is absent'}"
    if was.columns != now.columns:
        return f"{name}: columns {sorted(set(was.columns) ^ set(now.columns))} differ"
    if was.equals(now):
        return ""
    types = {name: (was.schema[name], now.schema[name]) for name in was.columns}
    odd = {name: pair for name, pair in types.items() if pair[0] != pair[1]}
    lost, gained = (
        Counter(was.rows()) - Counter(now.rows()),
        Counter(now.rows()) - Counter(was.rows()),
    )
    example = [str(row)[:300] for row in (*list(lost)[:1], *list(gained)[:1])]
    return f"{name}: -{lost.total()} +{gained.total()} rows {odd or ''} {example}"


def changed(tables: Tables, name: str, *changes: pl.Expr, where: pl.Expr | None = None) -> Tables:
    """The tables with one of them changed: columns replaced, or rows filtered."""
    frame = tables[name] if where is None else tables[name].filter(where)
    return {**tables, name: tidy(frame.with_columns(*changes))}


def without(tables: Tables, name: str, *columns: str) -> Tables:
    """The tables, one of them without columns that a case changes on purpose."""
    return {**tables, name: tidy(tables[name].drop(*columns))}


def layers(tables: Tables, *names: str) -> list[str]:
    """Names of the tables of some layers, for a comparison of just these."""
    return [name for name in sorted(tables) if name.split("/")[0] in names]
