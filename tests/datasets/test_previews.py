"""What kedro-viz is given to show of a table."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import polars as pl
import pytest
from kedro.io import DatasetError

from medallion.datasets.bronze import BronzeTableDataset
from medallion.datasets.previewing import (
    hides,
    hides_in_table,
    hides_personal_names,
    json_preview,
    table_preview,
    text_preview,
)
from medallion.spec import Spec
from tests.conftest import PROJECT


def shown(*values: object, kind: pl.DataType | None = None) -> list[object]:
    frame = pl.DataFrame({"a": pl.Series(values, dtype=kind, strict=False)})
    preview = table_preview(lambda: frame, hides())
    assert json.dumps(preview, allow_nan=False)
    return [row[0] for row in preview["data"]]


def test_a_preview_is_what_kedro_viz_knows() -> None:
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    preview = table_preview(lambda: frame, hides())
    assert preview == {"index": [0, 1], "columns": ["a", "b"], "data": [[1, "x"], [2, None]]}


def test_every_value_is_one_that_json_has() -> None:
    assert shown(Decimal("1.10")) == ["1.10"]
    assert shown(date(2025, 1, 31)) == ["2025-01-31"]
    assert shown(datetime(2025, 1, 31, 12)) == ["2025-01-31 12:00:00.000000"]
    assert shown(timedelta(hours=1)) == ["1:00:00"]
    assert shown(float("nan"), float("inf"), 0.5) == ["nan", "inf", 0.5]
    assert shown(b"caf\xc3\xa9", b"\xff\x00") == ["café", "<2 bytes>"]
    assert shown(2**63 - 1) == ["9223372036854775807"]
    assert shown(True, None) == [True, None]
    assert shown([1.5, float("nan")]) == ['[1.5, "nan"]']
    assert shown({"at": date(2025, 1, 31), "by": b"\xff"}) == [
        '{"at": "2025-01-31", "by": "<1 bytes>"}'
    ]


def test_a_day_outside_pythons_calendar_is_shown() -> None:
    (text,) = shown(-800_000, kind=pl.Date())
    assert str(text).startswith("-0221")


@pytest.mark.parametrize("unit", ["us", "ms"])
@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_a_time_outside_of_every_calendar_is_named_as_such(
    unit: Literal["us", "ms"], zone: str | None, number: int
) -> None:
    times = pl.Series("a", [number, 0, None], dtype=pl.Int64).cast(pl.Datetime(unit, zone))
    data = table_preview(times.to_frame, hides())["data"]
    assert data[0] == ["<no time of the calendar>"]
    assert str(data[1][0]).startswith("1970-01-01 00:00:00.000")
    assert data[2] == [None]


def test_a_time_outside_of_every_calendar_inside_a_struct_costs_its_row_only() -> None:
    times = pl.Series("at", [2**63 - 1, 0], dtype=pl.Int64).cast(pl.Datetime("us"))
    frame = times.to_frame().select(pl.struct("at").alias("a"))
    data = table_preview(lambda: frame, hides())["data"]
    assert data == [["<no time of the calendar>"], ['{"at": "1970-01-01 00:00:00"}']]


@pytest.mark.parametrize("number", [2**31 - 1, -(2**31)])
def test_a_day_outside_of_every_calendar_is_named_as_such(number: int) -> None:
    days = pl.Series("a", [number, 0, None], dtype=pl.Int32).cast(pl.Date)
    preview = table_preview(days.to_frame, hides())
    assert preview["data"] == [["<no time of the calendar>"], ["1970-01-01"], [None]]


def test_an_address_in_any_column_is_masked() -> None:
    assert shown("call jane@example.com") == ["call ***"]
    assert shown(["jane@example.com"]) == ['["***"]']
    assert shown(b"jane@example.com") == ["***"]


@pytest.mark.parametrize("table", ["orders", "base/orders", "quarantine/orders"])
def test_personal_and_unknown_columns_are_masked(spec: Spec, table: str) -> None:
    is_hidden = hides_in_table(spec, table)
    assert is_hidden("email")
    assert is_hidden("shipping_address")
    assert is_hidden("a_column_that_nobody_declared")
    assert not is_hidden("order_id")
    assert not is_hidden("ingestion_dt")
    assert not is_hidden("invalid_reason")


def test_a_mart_hides_what_is_named_like_a_personal_column(spec: Spec) -> None:
    is_hidden = hides_personal_names(spec)
    assert is_hidden("EMAIL")
    assert not is_hidden("net_revenue")


def test_null_stays_null_behind_a_mask() -> None:
    frame = pl.DataFrame({"email": ["x", None]})
    assert table_preview(lambda: frame, hides("email"))["data"] == [["<masked>"], [None]]


def test_what_cannot_be_read_is_told_without_its_values() -> None:
    def read() -> pl.DataFrame:
        raise pl.exceptions.ComputeError("cannot parse jane@example.com")

    with pytest.raises(DatasetError, match="ComputeError") as told:
        table_preview(read, hides())
    assert "jane" not in str(told.value)
    assert told.value.__suppress_context__


def test_a_long_list_is_cut_and_says_so() -> None:
    text = json_preview(lambda: {"a": list(range(25)), "b": float("nan"), "c": "jane@example.com"})
    assert json.loads(text) == {"a": [*range(20), "... and 5 more"], "b": "nan", "c": "***"}


def test_a_report_is_shown_as_it_is_written() -> None:
    assert text_preview(lambda: "# a < b\njane@example.com") == "<pre># a &lt; b\n***</pre>"


def test_a_bronze_preview_masks_what_was_delivered(tmp_path: Path) -> None:
    partition = tmp_path / "orders" / "ingest_dt=2025-10-01"
    partition.mkdir(parents=True)
    rows = {"order_id": ["ORD-1"], "email": ["jane@example.com"], "Email": ["jane@example.com"]}
    pl.DataFrame(rows).write_parquet(partition / "part-0000.parquet")
    listed = {"files": [{"path": "part-0000.parquet", "rows": 1}], "total_rows": 1}
    (partition / "_MANIFEST.json").write_text(json.dumps(listed))
    spec = str(PROJECT / "conf" / "base" / "spec.yml")
    preview = BronzeTableDataset(filepath=str(tmp_path), spec=spec, table="orders").preview()
    assert "ORD-1" in json.dumps(preview)
    assert "jane" not in json.dumps(preview)
