"""Real defects, planted on purpose and written down with what should be found of them.

A defect is an extra row, made from a good one, so nothing else goes wrong because of it: a bad
order has no lines that would be orphans with it. Each record says under which reason its row
must be found, or which of its values must be counted as nullified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import duckdb

from medallion.sample.request import SampleRequest
from medallion.sample.writing import DROPPED
from medallion.spec import BRONZE_DAY, Spec

_LATER = "2099-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Planted:
    """One kind of bad row: what is changed, and what must be found.

    Attributes:
        name: The kind; it becomes part of the row's key.
        changes: SQL of the changed columns; `{day}` is the row's day.
        reason: The reason it must be quarantined under; empty if it must be accepted.
        nullified: Columns that must be counted as nullified.
    """

    name: str
    changes: Mapping[str, str]
    reason: str = ""
    nullified: tuple[str, ...] = ()


_BAD_ORDER_MONEY = {"gross_total": "-5.0", "net_total": "-7.5"}
_ROWS: dict[str, tuple[Planted, ...]] = {
    "orders": (
        Planted("no-date", {"order_date": "null"}, "missing:order_date"),
        Planted("null-word", {"customer_id": "' N/A '"}, "missing:customer_id"),
        Planted("garbage-date", {"order_date": "'32.13.2025'"}, "unparseable:order_date"),
        Planted("midnight-24", {"order_date": "'{day}T24:00:00'"}, "unparseable:order_date"),
        Planted(
            "negative",
            _BAD_ORDER_MONEY,
            "negative:gross_total|negative:net_total",
        ),
        Planted("not-a-number", {"net_total": "'nan'::double"}, "unparseable:net_total"),
        Planted("sentinel", {"gross_total": "99999999999.0"}, "too_large:gross_total"),
        Planted("net-above-gross", {"net_total": "gross_total + 1"}, "rule:net_exceeds_gross"),
        Planted("future", {"order_date": "'2101-01-01'"}, "rule:implausible_date:order_date"),
        Planted("unknown-customer", {"customer_id": "'CUST-0'"}, "fk:customer_id"),
        Planted(
            "all-wrong",
            {"order_date": "'soon'", "customer_id": "'CUST-0'", "shipping_cost": "-1.0"},
            "unparseable:order_date|negative:shipping_cost|fk:customer_id",
        ),
    ),
    "order_items": (
        Planted("orphan", {"order_id": "'ORD-NOWHERE'"}, "fk:order_id"),
        Planted(
            "no-units",
            {"order_id": "'ORD-NOTHING'", "quantity": "0"},
            "not_positive:quantity|fk:order_id",
        ),
        Planted("no-product", {"product_id": "999999"}, "fk:product_id"),
    ),
    "shopping_carts": (
        Planted(
            "backwards",
            {"created_at": "'{day}T12:00:00'", "updated_at": "'{day}T11:00:00'"},
            "rule:updated_before_created",
        ),
        Planted("no-customer", {"customer_id": "''"}, "missing:customer_id"),
        Planted("old", {"created_at": "'1999-12-31'"}, "rule:implausible_date:created_at"),
        Planted("bad-update", {"updated_at": "'later'"}, nullified=("updated_at",)),
    ),
    "cart_items": (
        Planted("orphan", {"cart_id": "'CART-NOWHERE'"}, "fk:cart_id"),
        Planted("no-units", {"quantity": "-2"}, "not_positive:quantity"),
        Planted("barcode", {"quantity": "4006381333931"}, "too_large:quantity"),
        Planted("garbage-time", {"added_at": "'noon'"}, "unparseable:added_at"),
    ),
    "returns": (
        Planted("orphan", {"order_id": "'ORD-NOWHERE'"}, "fk:order_id"),
        Planted("negative", {"refunded_amount": "-1.0"}, "negative:refunded_amount"),
        Planted("bad-mail", {"email": "'not an address'"}, nullified=("email",)),
    ),
    "return_items": (
        Planted("orphan", {"return_id": "'RTN-NOWHERE'"}, "fk:return_id"),
        Planted("no-units", {"quantity_returned": "0"}, "not_positive:quantity_returned"),
    ),
}
_DRIFTED_TYPES = {
    "order_items": {"quantity": "double"},
    "orders": {"is_expedited": "varchar"},
    "shopping_carts": {"cart_total": "varchar"},
}
# What makes the key of an extra row its own.
_OWN_KEY = {
    "orders": "order_id",
    "shopping_carts": "cart_id",
    "returns": "return_id",
    "cart_items": "cart_item_id",
    "return_items": "return_item_id",
}


@dataclass
class Defects:
    """Plants defects into a sample, day by day.

    Attributes:
        request: The sample.
        spec: The contract.
        planted: What was planted: table, partition, key, and reason or nullified columns.
    """

    request: SampleRequest
    spec: Spec
    planted: list[dict[str, Any]] = field(default_factory=list)
    _held_back: dict[str, str] = field(default_factory=dict)

    def rows(self, table: str, day: date, connection: duckdb.DuckDBPyConnection) -> list[str]:
        """Queries of the extra rows of a day, made from the rows in `delivery`."""
        if not connection.execute("select count(*) from delivery").fetchall()[0][0]:
            return []
        key = self.spec.tables[table].key
        order = ", ".join(key)
        one = f"(select * from delivery order by {order} limit 1)"
        queries = [self._bad_row(table, day, n, p, one) for n, p in enumerate(_ROWS[table])]
        queries += self._versions(table, day, connection)
        for n, planted in enumerate(_ROWS[table]):
            key_text = connection.execute(f"select {_texts(key)} from ({queries[n]})").fetchall()
            self._note(table, day, list(key_text[0]), planted)
        return queries

    def _bad_row(self, table: str, day: date, n: int, planted: Planted, one: str) -> str:
        changes = {name: sql.replace("{day}", str(day)) for name, sql in planted.changes.items()}
        own = _OWN_KEY.get(table)
        if own and own not in changes:
            is_text = self.spec.tables[table].columns[own].silver == "text"
            number = 1_000_000_000 + (day - self.request.start).days * 100 + n
            changes[own] = f"{own} || '-{planted.name}'" if is_text else str(number)
        replaced = ", ".join(f"{sql} as {name}" for name, sql in changes.items())
        return f"select * replace ({replaced}) from {one}"

    def _versions(
        self, table: str, day: date, connection: duckdb.DuckDBPyConnection
    ) -> Iterable[str]:
        """An exact copy, a later version of the same day, and one of the day before's rows."""
        key = self.spec.tables[table].key
        code = f"duplicate:{'+'.join(key)}"
        found = connection.execute(
            f"select {_texts(key)} from delivery order by {', '.join(key)} limit 3"
        ).fetchall()
        for n, values in enumerate(found[1:], start=1):
            # The first of them is repeated to the letter, the other delivered again later.
            stamp = "" if n == 1 else f", '{_LATER}' as ingestion_ts"
            own = " and ".join(
                f"{column}::varchar = '{value}'" for column, value in zip(key, values, strict=True)
            )
            yield f"select *{stamp} from delivery where {own}"
            self._note_key(table, day, list(values), code)
        if table == "shopping_carts":
            yield from self._from_the_day_before(day, connection)

    def _from_the_day_before(
        self, day: date, connection: duckdb.DuckDBPyConnection
    ) -> Iterable[str]:
        """An emptied cart that is delivered again a day later, so the older one must go."""
        if "cart" in self._held_back:
            connection.execute(
                "create or replace temp table cart_of_yesterday as from cart_of_tomorrow"
            )
            yield "select * from cart_of_yesterday"
            before = day - timedelta(days=1)
            self._note_key("shopping_carts", before, [self._held_back["cart"]], "duplicate:cart_id")
        chosen = connection.execute(
            "select cart_id from delivery where lower(trim(status)) = 'emptied'"
            " order by cart_id desc limit 1"
        ).fetchall()
        self._held_back = {"cart": chosen[0][0]} if chosen else {}
        if chosen:
            connection.execute(
                "create or replace temp table cart_of_tomorrow as"
                f" select *, '{_LATER}' as ingestion_ts from delivery"
                f" where cart_id = '{chosen[0][0]}'"
            )

    def plants_empty_partition(self, table: str, day: date) -> bool:
        """The first day has no returns; its partition is delivered all the same, without rows."""
        return table in ("returns", "return_items") and day == self.request.start

    def drifted(self, table: str, partition: str, query: str) -> tuple[str, dict[str, str]]:
        """Lets some partitions have other columns or types than the contract's."""
        if partition == f"{BRONZE_DAY}={self.request.start}":
            return query, _DRIFTED_TYPES.get(table, {})
        if partition == f"{BRONZE_DAY}={self.request.end}" and table == "orders":
            return f"select *, 'spring' as campaign from ({query})", {"campaign": "varchar"}
        if partition == f"{BRONZE_DAY}={self.request.end}" and table == "returns":
            return query, {"agent_id": DROPPED}
        return query, {}

    def _note(self, table: str, day: date, key: list[str], planted: Planted) -> None:
        if planted.reason:
            self._note_key(table, day, key, planted.reason)
        for column in planted.nullified:
            self.planted.append(_record(table, day, key, nullified=column))

    def _note_key(self, table: str, day: date, key: list[str], reason: str) -> None:
        self.planted.append(_record(table, day, key, reason=reason))


def _record(table: str, day: date, key: list[str], **expected: str) -> dict[str, Any]:
    return {"table": table, "partition": f"{BRONZE_DAY}={day}", "key": key, **expected}


def _texts(columns: Iterable[str]) -> str:
    return ", ".join(f"{column}::varchar" for column in columns)
