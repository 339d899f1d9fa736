"""Small Bronze folders written by tests: rows are good unless a test says otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from medallion.datasets.schema import bronze_schema
from medallion.spec import Spec

DAY = date(2025, 10, 1)
Row = dict[str, Any]

GOOD: Mapping[str, Row] = {
    "orders": {
        "order_id": "ORD-1",
        "total_items": 2,
        "order_date": "2025-10-01T10:00:00.000000",
        "customer_id": "CUST-1",
        "email": "a@b.com",
        "order_channel": "Web",
        "is_expedited": False,
        "customer_tier": "Gold",
        "gross_total": 100.0,
        "net_total": 90.0,
        "total_discount_amount": 10.0,
        "payment_method": "PayPal",
        "shipping_speed": "Standard",
        "shipping_cost": 5.0,
        "agent_id": "ONLINE",
        "actual_shipping_cost": 4.5,
        "payment_processing_fee": 0.9,
        "shipping_address": "1 A Street, B, CA 90001",
        "billing_address": "1 A Street, B, CA 90001",
        "clv_bucket": "Low",
        "is_reactivated": False,
    },
    "order_items": {
        "order_id": "ORD-1",
        "product_id": 1,
        "product_name": "Smart Lamp",
        "category": "Home",
        "quantity": 2,
        "unit_price": 50.0,
        "discount_amount": 10.0,
        "cost_price": 20.0,
    },
    "shopping_carts": {
        "cart_id": "CART-1",
        "customer_id": "CUST-1",
        "created_at": "2025-10-01T10:00:00.000000",
        "updated_at": "2025-10-01T10:05:00.000000",
        "cart_total": 100.0,
        "status": "converted",
    },
    "cart_items": {
        "cart_item_id": 1,
        "cart_id": "CART-1",
        "product_id": 1,
        "product_name": "Smart Lamp",
        "category": "Home",
        "added_at": "2025-10-01T10:01:00.000000",
        "quantity": 2,
        "unit_price": 50.0,
    },
    "returns": {
        "return_id": "RTN-1",
        "order_id": "ORD-1",
        "customer_id": "CUST-1",
        "email": "a@b.com",
        "return_date": "2025-10-01",
        "reason": "Defective",
        "return_type": "Refund",
        "refunded_amount": 50.0,
        "return_channel": "Web",
        "agent_id": "ONLINE",
        "refund_method": "PayPal",
    },
    "return_items": {
        "return_item_id": 1,
        "return_id": "RTN-1",
        "order_id": "ORD-1",
        "product_id": 1,
        "product_name": "Smart Lamp",
        "category": "Home",
        "quantity_returned": 1,
        "unit_price": 50.0,
        "cost_price": 20.0,
        "refunded_amount": 50.0,
    },
    "customers": {
        "customer_id": "CUST-1",
        "first_name": "Ann",
        "last_name": "Null",
        "email": "a@b.com",
        "phone_number": "555-1",
        "signup_date": "2025-01-01",
        "gender": "Female",
        "age": 30.0,
        "is_guest": False,
        "customer_status": "Active",
        "signup_channel": "email",
        "loyalty_tier": "Gold",
        "initial_loyalty_tier": None,
        "email_verified": True,
        "marketing_opt_in": None,
        "mailing_address": "1 A Street, B, CA 90001",
        "billing_address": "1 A Street, B, CA 90001",
        "loyalty_enrollment_date": None,
        "clv_bucket": "Low",
    },
    "product_catalog": {
        "product_id": 1,
        "product_name": "Smart Lamp",
        "category": "Home",
        "unit_price": 50.0,
        "cost_price": 20.0,
        "inventory_quantity": 100,
    },
}
LINEAGE: Row = {
    "batch_id": "batch_1",
    "ingestion_ts": "2025-12-01T00:00:00+00:00",
    "event_id": "evt_1",
    "source_file": None,
}


def write_partition(
    root: Path, spec: Spec, table: str, partition: str, rows: Iterable[Row]
) -> None:
    """Delivers a partition: each row is the good one with the given values changed."""
    full = [{**GOOD[table], **LINEAGE, **row} for row in rows]
    schema = bronze_schema(spec, table)
    unknown = sorted({name for row in full for name in row} - set(schema))
    frame = pl.DataFrame(full, schema={**schema, **dict.fromkeys(unknown, pl.String)})
    write_frame(root, table, partition, frame)


def write_frame(root: Path, table: str, partition: str, frame: pl.DataFrame) -> None:
    """Delivers a frame as it is."""
    folder = root / table / partition
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "part-0000.parquet")
    name = f"{table}/{partition}/part-0000.parquet"
    manifest = {
        "batch_id": "batch_1",
        "files": [{"path": name, "rows": frame.height}],
        "table": table,
        "partition": partition,
        "total_rows": frame.height,
    }
    (folder / "_MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")


def write_dimensions(root: Path, spec: Spec) -> None:
    """One customer and one product, for everything to refer to."""
    write_partition(root, spec, "customers", "signup_date=2025-01-01", [{}])
    write_partition(root, spec, "product_catalog", "category=Home", [{}])


def write_day(root: Path, spec: Spec, n: int = 0, **tables: list[Row]) -> None:
    """Delivers a day; tables that are not given have no folder."""
    for table, rows in tables.items():
        write_partition(root, spec, table, ingest(n), rows)


def ingest(n: int) -> str:
    """The partition of the n-th day."""
    return f"ingest_dt={DAY + timedelta(days=n)}"
