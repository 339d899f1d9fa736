"""An enriched table that cannot be computed leaves the lake as it was, and says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from kedro.io import DatasetError
from polars.io.plugins import register_io_source

from medallion.datasets.lake_table import LakeTableDataset
from medallion.errors import LakeError
from medallion.lake.writes import FrameWrite
from tests.conftest import PROJECT

DAY = date(2025, 10, 1)


def panicking(*_: object) -> Iterator[pl.DataFrame]:
    raise pl.exceptions.PanicException("called `Option::unwrap()` on ann@example.com")


def test_a_panic_of_polars_is_an_error_of_the_table_without_the_value(tmp_path: Path) -> None:
    schema = pl.Schema({"order_id": pl.String, "ingestion_dt": pl.Date})
    frame = register_io_source(panicking, schema=schema)
    table = LakeTableDataset(
        filepath=str(tmp_path),
        table="enriched/shipping_economics",
        spec=str(PROJECT / "conf/base/spec.yml"),
    )
    with pytest.raises((DatasetError, LakeError)) as caught:
        table.save(FrameWrite("enriched/shipping_economics", "r1", (((DAY,), frame),)))
    error = caught.value.__cause__ if isinstance(caught.value, DatasetError) else caught.value
    assert isinstance(error, LakeError)
    assert "enriched.shipping_economics of 2025-10-01 could not be computed" in str(error)
    assert "ann@example.com" not in str(error)
    assert not (tmp_path / "enriched").exists()
