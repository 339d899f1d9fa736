"""A sum that does not fit its column ends the run with the rows that cause it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from kedro.io import DatasetError

from medallion.datasets.lake_table import LakeTableDataset
from medallion.datasets.overflow import overflow_error
from medallion.errors import LakeError
from medallion.lake.writes import FrameWrite
from medallion.spec import Spec
from medallion.transforms._common import MONEY, money
from tests.bronze_writing import DAY
from tests.conftest import PROJECT


def test_the_largest_rows_are_named_by_key_and_day(tmp_path: Path) -> None:
    lines = pl.LazyFrame(
        {
            "ingestion_dt": [DAY, DAY],
            "order_id": ["small", "large"],
            "product_id": [1, 2],
            "quantity": [1, 100_000],
            "unit_price": [Decimal("5.00"), Decimal("1000000000000.00")],
            "discount_amount": [None, None],
            "cost_price": [None, Decimal("1.00")],
        },
        schema_overrides=dict.fromkeys(("unit_price", "discount_amount", "cost_price"), MONEY),
    )
    total = (pl.col("unit_price") * pl.col("quantity")).sum()
    frame = lines.select("ingestion_dt", gross_sales=money(total))
    write = FrameWrite(
        "enriched/product_performance", "run", (((DAY,), frame),), inputs={"order_items": lines}
    )
    spec = str(PROJECT / "conf" / "base" / "spec.yml")
    dataset = LakeTableDataset(filepath=str(tmp_path), spec=spec, table=write.table)
    with pytest.raises(DatasetError) as raised:
        dataset.save(write)
    error = raised.value.__cause__
    assert isinstance(error, LakeError)
    told = str(error)
    assert told.startswith(f"enriched/product_performance of {DAY}: a sum does not fit")
    first, second = error.details
    assert "order_id large, product_id 2: 100,000,000,000,000,000.00" in first
    assert "order_id small, product_id 1: 5.00" in second
    assert "cleaning.max_money, cleaning.max_quantity." in error.hint
    assert not list(tmp_path.rglob("ingestion_dt=*"))


def test_the_advice_names_the_bounds_of_the_largest_row(spec: Spec) -> None:
    products = pl.LazyFrame(
        {
            "product_id": [1],
            "unit_price": [Decimal("1.00")],
            "cost_price": [Decimal("9999999999.00")],
            "inventory_quantity": [999_999_999],
        },
        schema_overrides=dict.fromkeys(("unit_price", "cost_price"), MONEY),
    )
    write = FrameWrite("enriched/inventory_risk", "run", (), inputs={"product_catalog": products})
    hint = overflow_error(write, [DAY], spec).hint
    assert "cleaning.max_money" in hint
    assert "tables.product_catalog.columns.inventory_quantity.nullify.above" in hint
    assert "max_quantity" not in hint
