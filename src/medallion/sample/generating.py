"""Making a sample day by day: memory holds one day and the returns that are still to come."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date

import duckdb

from medallion.planning.plan import calendar
from medallion.sample.defects import Defects
from medallion.sample.mess import Damage
from medallion.sample.randomness import Dice
from medallion.sample.request import SampleReport, SampleRequest
from medallion.sample.shop import CATEGORIES, ShopSql
from medallion.sample.tables import bronze_queries
from medallion.sample.writing import BronzeWriter
from medallion.spec import BRONZE_DAY, Spec

Progress = Callable[[str, int, int], None]
PLANTED = "_planted.json"
_DAILY = ("shopping_carts", "cart_items", "orders", "order_items", "returns", "return_items")


def generate(
    request: SampleRequest, *, spec: Spec, progress: Progress | None = None
) -> SampleReport:
    """Writes a sample of Bronze.

    Args:
        request: What to generate.
        spec: The contract of the tables.
        progress: Told a step's name, how many are done and how many there are.

    Returns:
        Rows by table, and how many defects were planted.
    """
    with duckdb.connect() as connection:
        return _Generator(request, spec, connection, progress or _silent).run()


def _silent(step: str, done: int, of: int) -> None:
    """Nobody listens."""


class _Generator:
    def __init__(
        self,
        request: SampleRequest,
        spec: Spec,
        connection: duckdb.DuckDBPyConnection,
        progress: Progress,
    ) -> None:
        self._request = request
        self._spec = spec
        self._connection = connection
        self._progress = progress
        self._shop = ShopSql(request)
        damage = Damage(request.mess, Dice(request.seed))
        self._queries = bronze_queries(damage, request.start.strftime("%Y-%m"))
        self._writer = BronzeWriter(connection, request, spec)
        self._defects = Defects(request, spec) if request.defects else None
        self._last_id = {"cart_item_id": 0, "return_item_id": 0}

    def run(self) -> SampleReport:
        self._request.output.mkdir(parents=True, exist_ok=True)
        self._table("products", self._shop.products())
        self._dimensions()
        days = calendar(self._request.start, self._request.end)
        for number, day in enumerate(days):
            self._progress(day.isoformat(), number, len(days))
            self._work_out(day)
            for table in _DAILY:
                self._deliver(table, day)
        self._progress("done", len(days), len(days))
        return SampleReport(self._request.output, dict(self._writer.rows), self._record())

    def _dimensions(self) -> None:
        for category in CATEGORIES:
            query = f"select * from ({self._queries['product_catalog']}) where day = '{category}'"
            self._write("product_catalog", f"category={category}", query, None)
        self._table("customers", self._shop.customers())
        self._table("delivered_customers", self._queries["customers"])
        days = self._connection.execute(
            "select distinct day from delivered_customers order by day"
        ).fetchall()
        for (day,) in days:
            query = f"select * from delivered_customers where day = '{day}' order by customer_id"
            self._write("customers", f"signup_date={day}", query, day)
        self._connection.execute("drop table delivered_customers; drop table customers")

    def _work_out(self, day: date) -> None:
        """Fills the working tables with a day of the shop."""
        self._table("carts", self._shop.carts(day))
        self._table("lines", self._shop.lines())
        self._table("order_lines", self._shop.order_lines())
        self._table("orders", self._shop.orders())
        self._number_lines(day)
        self._collect_returns(day)

    def _number_lines(self, day: date) -> None:
        """A line added after midnight is delivered with the next day."""
        first = day == self._request.start
        held = "" if first else "union all by name select * from late_lines"
        numbered = f"""
            select *, {self._last_id["cart_item_id"]} + row_number() over (order by n, j)
                as cart_item_id from lines"""
        self._table("numbered", numbered)
        self._table(
            "day_lines",
            f"select * from numbered where added_at::date = '{day}' {held}",
        )
        self._table("late_lines", f"select * from numbered where added_at::date > '{day}'")
        self._last_id["cart_item_id"] += self._count("numbered")

    def _collect_returns(self, day: date) -> None:
        """New returns wait for their day; those of today are taken out."""
        self._table("new_returns", self._shop.returns(day))
        for name, query in (
            ("waiting_returns", "select * from new_returns"),
            ("waiting_return_lines", self._shop.return_lines()),
        ):
            if day == self._request.start:
                self._table(name, query)
            else:
                self._connection.execute(f"insert into {name} by name {query}")
        due = f"where return_day = '{day}'"
        self._table("due_returns", f"select * from waiting_returns {due}")
        self._table(
            "due_return_lines",
            f"""select *, {self._last_id["return_item_id"]}
                + row_number() over (order by return_id, product_id) as return_item_id
                from waiting_return_lines {due}""",
        )
        self._last_id["return_item_id"] += self._count("due_return_lines")
        for name in ("waiting_returns", "waiting_return_lines"):
            self._connection.execute(f"delete from {name} {due}")

    def _deliver(self, table: str, day: date) -> None:
        self._table("delivery", self._queries[table])
        extra = self._defects.rows(table, day, self._connection) if self._defects else []
        query = "select * from delivery"
        for n, rows in enumerate(extra):
            self._table(f"extra_{n}", rows)
            query += f" union all by name select * from extra_{n}"
        is_planted = self._defects and self._defects.plants_empty_partition(table, day)
        if extra or is_planted or self._count("delivery"):
            self._write(table, f"{BRONZE_DAY}={day}", query, day)

    def _write(self, table: str, partition: str, query: str, day: date | None) -> None:
        types: dict[str, str] = {}
        if self._defects:
            query, types = self._defects.drifted(table, partition, query)
        self._writer.write(table, partition, query, day, types)

    def _record(self) -> int:
        if not self._defects:
            return 0
        planted = self._defects.planted
        text = json.dumps(planted, indent=2, sort_keys=True) + "\n"
        (self._request.output / PLANTED).write_text(text, encoding="utf-8")
        return len(planted)

    def _table(self, name: str, query: str) -> None:
        self._connection.execute(f"create or replace temp table {name} as {query}")

    def _count(self, table: str) -> int:
        return int(self._connection.execute(f"select count(*) from {table}").fetchall()[0][0])
