"""Siblings of the given inputs in values and columns: one partition each, one run for all.

Each sibling gets a day of its own (an event table) or a folder of its own (a dimension), with
one good row per table, and spoils it. `reason` is the quarantine's code, or None for a row that
is accepted; `values` are then some of its columns in Silver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.faults.bronze import again, as_bytes, broken_text, put

Step = Callable[[pa.Table], pa.Table]
MAX_MONEY, MAX_QUANTITY, MAX_STOCK = 10_000_000_000.0, 100_000, 1_000_000_000


@dataclass(frozen=True)
class Sibling:
    """One spoiled partition.

    Attributes:
        also: Steps for other tables of the same day.
        folder: The name of the partition's folder, for the dimensions.
    """

    name: str
    table: str
    steps: tuple[Step, ...]
    reason: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, tuple[Step, ...]] = field(default_factory=dict)
    folder: str = ""


def _rename(old: str, new: str) -> Step:
    return lambda table: table.rename_columns([new if n == old else n for n in table.schema.names])


def _drop(name: str) -> Step:
    return lambda table: table.drop_columns([name])


def _binary(name: str, value: bytes) -> Step:
    return put(name, pa.array([value], pa.binary()))


def _unnamed(table: pa.Table) -> pa.Table:
    nameless = pa.field("", pa.int64())
    return table.append_column(nameless, pa.array([1])).add_column(0, nameless, pa.array([2]))


def _number(value: Any, kind: pa.DataType) -> Step:
    return put("agent_id", pa.array([value], kind))


BYTES = (
    Sibling(
        "bytes in names",
        "order_items",
        (as_bytes("product_name", "category"),),
        values={"product_name": "Smart Lamp", "category": "home"},
    ),
    Sibling(
        "bytes in keys",
        "orders",
        (as_bytes("order_id", "customer_id"),),
        values={"customer_id": "CUST-1"},
    ),
    Sibling(
        "large bytes in keys",
        "shopping_carts",
        (as_bytes("cart_id", kind=pa.large_binary()),),
        values={"status": "converted"},
    ),
    Sibling(
        "a null word in bytes", "returns", (_binary("reason", b" N/A\t"),), values={"reason": None}
    ),
    Sibling(
        "a blank around bytes",
        "returns",
        (_binary("return_channel", b"\tWeb "),),
        values={"return_channel": "web"},
    ),
    Sibling(
        "a timestamp in bytes",
        "cart_items",
        (_binary("added_at", b"2025-10-01T10:01:00"),),
        values={"added_at": datetime(2025, 10, 1, 10, 1)},
    ),
    Sibling(
        "money in bytes",
        "returns",
        (_binary("refunded_amount", b" 12.50 "),),
        values={"refunded_amount": Decimal("12.50")},
    ),
    Sibling(
        "a whole number in bytes",
        "return_items",
        (_binary("product_id", b"1"),),
        values={"product_id": 1},
    ),
    Sibling(
        "a boolean in bytes",
        "orders",
        (_binary("is_expedited", b"Yes"),),
        values={"is_expedited": True},
    ),
    Sibling(
        "no UTF-8 in a key",
        "orders",
        (broken_text("order_id", 0, b"ORD-\xff"),),
        "unparseable:order_id",
    ),
    Sibling(
        "no UTF-8 in unmarked bytes",
        "shopping_carts",
        (_binary("customer_id", b"\xff\xfeC"),),
        "unparseable:customer_id",
    ),
    Sibling(
        "no UTF-8 in an optional timestamp",
        "shopping_carts",
        (broken_text("updated_at", 0, b"\xc3("),),
        values={"updated_at": None},
    ),
    Sibling(
        "no UTF-8 in a required date",
        "returns",
        (broken_text("return_date", 0, b"2025\x80"),),
        "unparseable:return_date",
    ),
    Sibling(
        "no UTF-8 in money",
        "returns",
        (_binary("refunded_amount", b"1\xff"),),
        "unparseable:refunded_amount",
    ),
    Sibling(
        "no UTF-8 in an e-mail",
        "orders",
        (broken_text("email", 0, b"secret.person\xe9@shop.example"),),
        values={"email": None},
    ),
    Sibling(
        "no UTF-8 in an unknown column",
        "cart_items",
        (put("note", "x", pa.string()), broken_text("note", 0, b"\xe9")),
        values={},
    ),
    Sibling(
        "no UTF-8 in a product's name",
        "product_catalog",
        (broken_text("product_name", 0, b"Caf\xe9"),),
        "unparseable:product_name",
        folder="category=Books",
    ),
    Sibling(
        "bytes in a customer",
        "customers",
        (as_bytes("customer_id", "first_name"),),
        values={"first_name": "Ann"},
    ),
)

TWICE = (
    Sibling("a key twice", "orders", (again("order_id"),), "ambiguous:order_id"),
    Sibling("a quantity twice", "cart_items", (again("quantity", 7),), "ambiguous:quantity"),
    Sibling(
        "an optional column twice", "shopping_carts", (again("status"),), values={"status": None}
    ),
    Sibling("lineage twice", "returns", (again("batch_id"),), values={"reason": "defective"}),
    Sibling(
        "an unknown column twice",
        "return_items",
        (put("note", "a", pa.string()), again("note", "b")),
        values={"product_id": 1},
    ),
    Sibling(
        "two columns without a name",
        "shopping_carts",
        (_unnamed,),
        values={"cart_total": Decimal("100.00"), "status": "converted"},
    ),
    Sibling(
        "a column three times",
        "order_items",
        (again("product_name"), again("product_name")),
        values={"product_name": None, "category": "home"},
    ),
    Sibling(
        "two required columns twice",
        "returns",
        (again("refunded_amount"), again("return_id")),
        "ambiguous:return_id|ambiguous:refunded_amount",
    ),
    Sibling(
        "one twice, one missing",
        "orders",
        (again("net_total"), put("order_date", pa.array([None], pa.string()))),
        "missing:order_date|ambiguous:net_total",
    ),
    Sibling(
        "another type the second time",
        "order_items",
        (again("unit_price", "cheap"),),
        "ambiguous:unit_price",
    ),
    Sibling("an age twice", "customers", (again("age"),), values={"age": None}),
    Sibling(
        "a customer's key twice", "customers", (again("customer_id"),), "ambiguous:customer_id"
    ),
    Sibling(
        "a product's name twice",
        "product_catalog",
        (again("product_name"),),
        "ambiguous:product_name",
        folder="category=Toys",
    ),
    Sibling(
        "another case of a name",
        "shopping_carts",
        (put("STATUS", "?", pa.string()),),
        values={"status": "converted"},
    ),
    Sibling(
        "a mark before a name",
        "order_items",
        (_rename("product_id", "\ufeffproduct_id"),),
        values={"product_id": 1},
    ),
    Sibling(
        "a mark before a customer",
        "customers",
        (_rename("customer_id", "\ufeffcustomer_id"),),
        values={"first_name": "Ann"},
    ),
)

LARGE = (
    Sibling(
        "money at its bound",
        "orders",
        (put("gross_total", MAX_MONEY), put("net_total", MAX_MONEY)),
        values={"net_total": Decimal("10000000000.00")},
    ),
    Sibling(
        "money above its bound",
        "orders",
        (put("gross_total", MAX_MONEY + 0.01), put("net_total", MAX_MONEY + 0.01)),
        "too_large:gross_total|too_large:net_total",
    ),
    Sibling(
        "optional money above its bound",
        "orders",
        (put("shipping_cost", 1e11),),
        "too_large:shipping_cost",
    ),
    Sibling(
        "too large and negative",
        "orders",
        (put("gross_total", 1e12), put("net_total", -1.0)),
        "too_large:gross_total|negative:net_total",
    ),
    Sibling(
        "money in text above its bound",
        "orders",
        (put("gross_total", "10000000000.01", pa.string()),),
        "too_large:gross_total",
    ),
    Sibling(
        "a quantity at its bound",
        "order_items",
        (put("quantity", MAX_QUANTITY),),
        values={"quantity": MAX_QUANTITY},
    ),
    Sibling(
        "a quantity above its bound",
        "order_items",
        (put("quantity", MAX_QUANTITY + 1),),
        "too_large:quantity",
    ),
    Sibling(
        "a quantity as a float above its bound",
        "cart_items",
        (put("quantity", 1e15),),
        "too_large:quantity",
    ),
    Sibling(
        "a cart line's quantity and price",
        "cart_items",
        (put("quantity", 2**63 - 1), put("unit_price", 9e15)),
        "too_large:quantity|too_large:unit_price",
    ),
    Sibling("a cart's total", "shopping_carts", (put("cart_total", 1e15),), "too_large:cart_total"),
    Sibling("a refund", "returns", (put("refunded_amount", 1e15),), "too_large:refunded_amount"),
    Sibling(
        "a returned quantity",
        "return_items",
        (put("quantity_returned", MAX_QUANTITY + 1),),
        "too_large:quantity_returned",
    ),
    Sibling(
        "a returned item's refund",
        "return_items",
        (put("refunded_amount", 2e10),),
        "too_large:refunded_amount",
    ),
    Sibling("a cost", "order_items", (put("cost_price", 2e10),), "too_large:cost_price"),
    Sibling(
        "optional money beyond its type",
        "orders",
        (put("shipping_cost", 1e16), put("payment_processing_fee", -1e17)),
        "too_large:shipping_cost|negative:payment_processing_fee",
    ),
    Sibling(
        "a cart beyond money", "shopping_carts", (put("cart_total", 1e18),), "too_large:cart_total"
    ),
    Sibling(
        "a quantity beyond int64",
        "order_items",
        (put("quantity", pa.array([2**63 + 5], pa.uint64())), put("cost_price", 1e17)),
        "too_large:quantity|too_large:cost_price",
    ),
    Sibling(
        "no number in money", "orders", (put("net_total", float("nan")),), "unparseable:net_total"
    ),
    Sibling("infinite money", "orders", (put("net_total", float("inf")),), "unparseable:net_total"),
    Sibling(
        "infinite optional money",
        "orders",
        (put("shipping_cost", float("-inf")),),
        values={"shipping_cost": None},
    ),
    Sibling(
        "no number in a quantity",
        "order_items",
        (put("quantity", float("nan")),),
        "unparseable:quantity",
    ),
    Sibling(
        "a product's price",
        "product_catalog",
        (put("unit_price", 2e10),),
        "too_large:unit_price",
        folder="category=Garden",
    ),
    Sibling(
        "stock at its bound",
        "product_catalog",
        (put("inventory_quantity", MAX_STOCK),),
        values={"inventory_quantity": MAX_STOCK},
        folder="category=Clothing",
    ),
    Sibling(
        "stock above its bound",
        "product_catalog",
        (put("inventory_quantity", MAX_STOCK + 1),),
        values={"inventory_quantity": None},
        folder="category=Electronics",
    ),
)

NUMBERS = (
    Sibling(
        "a float in text", "orders", (_number(1001.0, pa.float64()),), values={"agent_id": "1001"}
    ),
    Sibling(
        "a fraction in text", "orders", (_number(2.5, pa.float64()),), values={"agent_id": "2.5"}
    ),
    Sibling(
        "a huge float in text",
        "orders",
        (_number(1e20, pa.float64()),),
        values={"agent_id": "100000000000000000000"},
    ),
    Sibling(
        "an id that a float just holds",
        "orders",
        (_number(9007199254740992.0, pa.float64()),),
        values={"agent_id": "9007199254740992"},
    ),
    Sibling(
        "a single float in text",
        "orders",
        (_number(0.1, pa.float32()),),
        values={"agent_id": "0.1"},
    ),
    Sibling(
        "a whole single float in text",
        "orders",
        (_number(1001.0, pa.float32()),),
        values={"agent_id": "1001"},
    ),
    Sibling(
        "a decimal in text",
        "orders",
        (_number(Decimal("1001.00"), pa.decimal128(10, 2)),),
        values={"agent_id": "1001"},
    ),
    Sibling(
        "a decimal's fraction in text",
        "orders",
        (_number(Decimal("10.50"), pa.decimal128(10, 2)),),
        values={"agent_id": "10.5"},
    ),
    Sibling(
        "a wide decimal in text",
        "orders",
        (_number(Decimal(10) ** 30, pa.decimal128(38, 0)),),
        values={"agent_id": "1" + "0" * 30},
    ),
    Sibling(
        "an unsigned number in text",
        "orders",
        (_number(2**64 - 1, pa.uint64()),),
        values={"agent_id": "18446744073709551615"},
    ),
    Sibling(
        "no number in text",
        "orders",
        (_number(float("nan"), pa.float64()),),
        values={"agent_id": None},
    ),
    Sibling(
        "text that looks like a float",
        "orders",
        (_number("1001.0", pa.string()),),
        values={"agent_id": "1001.0"},
    ),
    Sibling(
        "keys of three types",
        "orders",
        (put("order_id", pa.array([7001.0])),),
        values={"order_id": "7001"},
        also={
            "order_items": (put("order_id", pa.array([7001])),),
            "returns": (put("order_id", pa.array([Decimal("7001.0")])),),
            "return_items": (put("order_id", pa.array(["7001"])),),
        },
    ),
    Sibling(
        "a product's key as a float",
        "order_items",
        (put("product_id", pa.array([1.0])),),
        values={"product_id": 1},
    ),
    Sibling(
        "a product's key as text",
        "cart_items",
        (put("product_id", pa.array(["1.0"])),),
        values={"product_id": 1},
    ),
    Sibling(
        "a product's key with an exponent",
        "cart_items",
        (put("product_id", pa.array(["1e0"])),),
        "unparseable:product_id",
    ),
    Sibling(
        "a customer's key as a float",
        "customers",
        (put("customer_id", pa.array([5005.0])),),
        values={"customer_id": "5005"},
    ),
)

_SPARK = (_drop("category"),)
FOLDERS = (
    *(
        Sibling(
            f"the folder {name}",
            "product_catalog",
            _SPARK,
            values={"category": value},
            folder=f"category={name}",
        )
        for name, value in (
            ("Größe & Maß", "größe & maß"),
            ("O'Neill, Sons [10]", "o'neill, sons [10]"),
            ("A%2FB", "a/b"),
            ("50%25 off", "50% off"),
            ("100%", "100%"),
            ("What?*", "what?*"),
            ("x=y", "x=y"),
            ("日本", "日本"),
            ("Caf%C3%A9", "café"),
            ("a+b", "a+b"),
        )
    ),
    Sibling(
        "no category",
        "product_catalog",
        _SPARK,
        "missing:category",
        folder="category=__HIVE_DEFAULT_PARTITION__",
    ),
    Sibling(
        "a moment in a folder's name",
        "customers",
        (_drop("signup_date"),),
        values={"signup_date": date(2025, 3, 4)},
        folder="signup_date=2025-03-04 00%3A00%3A00",
    ),
    Sibling(
        "no signup in a folder's name",
        "customers",
        (),
        values={"signup_date": date(2025, 1, 1)},
        folder="signup_date=__HIVE_DEFAULT_PARTITION__",
    ),
    Sibling(
        "a column that says otherwise",
        "customers",
        (put("signup_date", "2024-05-06", pa.string()),),
        values={"signup_date": date(2024, 5, 6)},
        folder="signup_date=2024-05-07",
    ),
)

KINDS = {
    "bytes": BYTES,
    "columns twice": TWICE,
    "large numbers": LARGE,
    "numbers in text": NUMBERS,
    "folders": FOLDERS,
}
SIBLINGS = tuple(sibling for siblings in KINDS.values() for sibling in siblings)
