"""A Bronze of a few rows, written out in the test."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

DEFAULTS: dict[str, dict[str, Any]] = {
    "customers": {"customer_id": "C1", "signup_date": "2025-01-01", "age": 30.0},
    "product_catalog": {
        "product_id": 1,
        "product_name": "smart lamp",
        "category": "Home",
        "unit_price": 5.0,
        "cost_price": 2.0,
        "inventory_quantity": 100,
    },
    "orders": {
        "order_id": "O1",
        "order_date": "2025-05-05T10:00:00",
        "customer_id": "C1",
        "email": "a@b.c",
        "is_expedited": False,
        "gross_total": 10.0,
        "net_total": 10.0,
        "shipping_cost": 5.0,
    },
    "order_items": {"order_id": "O1", "product_id": 1, "quantity": 2, "unit_price": 5.0},
    "shopping_carts": {
        "cart_id": "K1",
        "customer_id": "C1",
        "created_at": "2025-05-05T10:00:00",
        "updated_at": "2025-05-05T10:00:00",
        "cart_total": 10.0,
        "status": "converted",
    },
    "cart_items": {
        "cart_item_id": 1,
        "cart_id": "K1",
        "product_id": 1,
        "product_name": "smart lamp",
        "added_at": "2025-05-05T10:00:00",
        "quantity": 2,
        "unit_price": 5.0,
    },
    "returns": {
        "return_id": "R1",
        "order_id": "O1",
        "customer_id": "C1",
        "return_date": "2025-05-05",
        "refunded_amount": 5.0,
    },
    "return_items": {
        "return_item_id": 1,
        "return_id": "R1",
        "order_id": "O1",
        "product_id": 1,
        "quantity_returned": 1,
        "refunded_amount": 5.0,
    },
}
LINEAGE = {
    "batch_id": "b",
    "ingestion_ts": "2025-06-01T00:00:00+00:00",
    "event_id": "e",
    "source_file": "f",
}

Write = Callable[..., Path]


def write_partition(root: Path, table: str, partition: str, frames: Sequence[pl.DataFrame]) -> None:
    """Writes the frames as part files with their manifest."""
    folder = root / table / partition
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, frame in enumerate(frames):
        name = f"part-{number:04d}.parquet"
        frame.write_parquet(folder / name)
        files.append({"path": f"{table}/{partition}/{name}", "rows": frame.height})
    total = sum(frame.height for frame in frames)
    (folder / "_MANIFEST.json").write_text(json.dumps({"files": files, "total_rows": total}))


@pytest.fixture
def write_bronze(tmp_path: Path) -> Write:
    """Writes rows as Bronze: `write(orders={"2025-05-05": [{...}, ...]})`, defaults filled in.

    The two dimensions get a row each when they are not named; `schema` overrides types.
    """

    def write(
        *, schema: Mapping[str, Any] | None = None, **tables: Mapping[str, list[dict[str, Any]]]
    ) -> Path:
        root = tmp_path / "bronze"
        named = {
            "customers": {"signup_date=2025-01-01": [{}]},
            "product_catalog": {"category=Home": [{}]},
        } | tables
        for table, partitions in named.items():
            for partition, rows in partitions.items():
                filled = [DEFAULTS[table] | LINEAGE | row for row in rows]
                frame = pl.DataFrame(filled, schema_overrides=schema, infer_schema_length=None)
                name = partition if "=" in partition else f"ingest_dt={partition}"
                write_partition(root, table, name, [frame])
        return root

    return write
