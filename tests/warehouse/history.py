"""A lake of few rows, made up and the same each time, and Gold on top of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import polars as pl

from medallion.dbt_project import EngineSettings, gold_marts
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import fingerprint
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.pipelines.gold.nodes import _inputs
from medallion.spec import Spec
from medallion.spec.types import SILVER
from medallion.warehouse import MartsBuild, MartsPlan, plan_marts
from medallion.warehouse.duckdb import DuckDBWarehouse

FIRST = date(2025, 9, 29)
DAYS = 12
_FILE = "part-0000.parquet"
_TEXTS = {
    "customer_id": ["CUST-1", "CUST-2", "CUST-3", "GUEST-7"],
    "region": ["west", "south"],
    "customer_segment": ["whale", "regular"],
    "actual_clv_bucket": ["high", "low"],
    "cart_status": ["converted", "abandoned", "open", "emptied"],
    "order_channel": ["web", "phone", None],
    "shipping_speed": ["standard", "overnight", None],
}
# In every row there is a value of these: contracts want them, or a mart is grouped by them.
_ALWAYS = {"product_id", "order_id", "is_final", "orders", "carts"}


def day(n: int) -> str:
    """The n-th day of the history."""
    return str(FIRST + timedelta(days=n))


class History:
    """A lake in which partitions are delivered, come again, and come out empty.

    Args:
        root: Its folder.
        spec: The tables.
    """

    def __init__(self, root: Path, spec: Spec) -> None:
        self.spec = spec
        self.inventory = LakeInventory(Lake(root / "silver"), spec)
        self.tables: dict[str, dict[str, str]] = {
            **{f"base/{name}": _silver(spec, name) for name in spec.events},
            **{
                f"enriched/{name}": {c: k for c, k in one.columns.items() if c != "ingestion_dt"}
                for name, one in spec.transforms.items()
            },
        }

    def deliver(self, tables: Iterable[str], n: int, version: int = 0) -> None:
        """Puts other rows into the n-th day of some tables."""
        for table in tables:
            self._write(table, f"ingestion_dt={day(n)}", self._rows(table, n, version))

    def put(self, table: str, n: int, **row: object) -> None:
        """Puts one row into the n-th day of a table; what is not named of it is null."""
        self._write(table, f"ingestion_dt={day(n)}", [{**dict.fromkeys(self.tables[table]), **row}])

    def deliver_day(self, n: int, version: int = 0) -> None:
        """Puts other rows into the n-th day of all tables."""
        self.deliver(self.tables, n, version)

    def empty(self, tables: Iterable[str], n: int) -> None:
        """Takes the n-th day out of some tables."""
        for table in tables:
            shutil.rmtree(self._folder(table, f"ingestion_dt={day(n)}"), ignore_errors=True)

    def snapshot(self, n: int) -> None:
        """Describes the dimensions at the end of the n-th day."""
        for name in self.spec.dimensions:
            table, columns = f"dims/{name}", _silver(self.spec, name)
            rows = [_row(columns, n, _chance(name, n, k)) for k in range(3)]
            keys = ["CUST-1", "CUST-2", f"CUST-{n + 10}"] if name == "customers" else [1, 2, n + 10]
            (key,) = self.spec.tables[name].key
            keyed = [{**row, key: value} for row, value in zip(rows, keys, strict=True)]
            self._write(table, f"snapshot_dt={day(n)}", keyed, columns)

    def _rows(self, table: str, n: int, version: int) -> list[dict[str, object]]:
        chance = _chance(table, n, version)
        rows = 1 if table == "enriched/daily_business_metrics" else chance.randint(1, 3)
        return [_row(self.tables[table], n, chance) for _ in range(rows)]

    def _write(
        self,
        table: str,
        partition: str,
        rows: list[dict[str, object]],
        columns: Mapping[str, str] | None = None,
    ) -> None:
        kinds = columns or self.tables[table]
        folder = self._folder(table, partition)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        schema = {name: SILVER[kind].as_polars() for name, kind in kinds.items()}
        pl.DataFrame(rows, schema=schema).write_parquet(folder / _FILE)
        named = {name: SILVER[kind].duckdb for name, kind in kinds.items()}
        seal(folder, table, {_FILE: len(rows)}, named)

    def _folder(self, table: str, partition: str) -> Path:
        return self.inventory.lake.root / table / partition


class Gold:
    """The marts on a history.

    Args:
        folder: Where the warehouse is.
        history: The lake.
    """

    def __init__(self, folder: Path, history: History) -> None:
        self.warehouse = DuckDBWarehouse(folder / "medallion.duckdb")
        self._history = history
        self._settings = EngineSettings("1GB", 2, folder / "spill")

    def plan(self, code: str = "") -> MartsPlan:
        """What is not what the lake says; `code` stands for other models than those there are."""
        spec, lake = self._history.spec, self._history.inventory
        inputs = {name: origin.fingerprint for name, origin in _inputs(spec, lake).items()}
        marts = gold_marts(spec, self._settings)
        before = self.warehouse.marts_state()
        return plan_marts(marts, lake, fingerprint(inputs), code or inputs["code"], before)

    def draft(self, plan: MartsPlan) -> MartsBuild:
        """Builds marts that do not stand yet."""
        return self.warehouse.build(self._history.inventory, plan, self._settings)

    def build(self) -> MartsPlan:
        """Builds what the plan says, and gives it."""
        plan = self.plan()
        if plan.marts:
            self.warehouse.accept(self.draft(plan))
        return plan

    def rows(self) -> dict[str, list[str]]:
        """All rows of all marts, in an order of their own."""
        found = self.warehouse.query(
            "select table_name from duckdb_tables() where schema_name = 'gold' order by all"
        )
        return {
            mart: sorted(map(repr, self.warehouse.query(f"select * from gold.{mart}")))
            for (mart,) in found
        }


def _silver(spec: Spec, table: str) -> dict[str, str]:
    columns = {name: column.silver for name, column in spec.contract(table).items()}
    business = spec.tables[table].business_date
    return {**columns, business.column: "date"} if business else columns


def _row(columns: Mapping[str, str], n: int, chance: Random) -> dict[str, object]:
    return {name: _value(name, kind, n, chance) for name, kind in columns.items()}


def _value(name: str, kind: str, n: int, chance: Random) -> object:
    if name not in {*_ALWAYS, *_TEXTS} and chance.random() < 0.1:
        return None
    if name == "order_id":
        # Of this day or of one before: children come later than their orders.
        return f"ORD-{chance.randint(n - 5, n)}-{chance.randint(1, 2)}"
    if name == "product_id":
        return chance.randint(1, 5)
    if kind == "text":
        return chance.choice(_TEXTS.get(name, ["a", "b"]))
    return _NUMBERS[kind](chance)


_NUMBERS: dict[str, Callable[[Random], object]] = {
    "date": lambda chance: FIRST + timedelta(days=chance.randint(-30, 30)),
    "timestamp": lambda chance: datetime(2025, 10, chance.randint(1, 30)),
    "float": lambda chance: chance.random(),
    "money": lambda chance: Decimal(chance.randint(-500, 5_000)) / 100,
    "bool": lambda chance: chance.random() < 0.5,
    "int": lambda chance: chance.randint(0, 9),
}


def _chance(*seed: object) -> Random:
    """The same numbers each time."""
    return Random(repr(seed))  # noqa: S311  (nothing is secret here)
