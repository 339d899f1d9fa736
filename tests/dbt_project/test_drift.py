"""Files that do not look as agreed: names, types, columns that come and go."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from medallion.datasets.schema import bronze_schema
from medallion.spec import Spec
from tests.bronze_writing import DAY, GOOD, LINEAGE, Row, ingest
from tests.dbt_project.engine import build, write_files


def orders(spec: Spec, *rows: Row) -> pl.DataFrame:
    """Good orders with values changed; `BAD-...` are put aside for their negative total."""
    full = [
        {**GOOD["orders"], **LINEAGE, **row}
        | ({"net_total": -1.0} if str(row["order_id"]).startswith("BAD") else {})
        for row in rows
    ]
    return pl.DataFrame(full, schema=bronze_schema(spec, "orders"))


def both(spec: Spec) -> pl.DataFrame:
    return orders(spec, {"order_id": "GOOD"}, {"order_id": "BAD"})


@pytest.mark.parametrize(
    ("name", "kept_as"),
    [
        ("note", "note"),
        ("ingest_dt", "ingest_dt"),
        ("ingestion_dt", "ingestion_dt__bronze"),
        ("invalid_reason", "invalid_reason__bronze"),
        ("_row", "_row__bronze"),
        ("filename", "filename"),
        ("file_row_number", "file_row_number"),
        ("total_items__given", "total_items__given"),
        ("total_items__held", "total_items__held__bronze"),
        ("is_repeated", "is_repeated"),
        ("od\"d na'me", "od\"d na'me"),
    ],
)
def test_an_unknown_column_is_kept_in_quarantine_whatever_its_name(
    tmp_path: Path, spec: Spec, name: str, kept_as: str
) -> None:
    frame = both(spec).with_columns(pl.lit("x").alias(name))
    other = orders(spec, {"order_id": "BAD-2"}).with_columns(pl.col("total_items").cast(pl.String))
    write_files(tmp_path / "bronze", "orders", ingest(0), [frame, other])
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    assert built.frame("base/orders")["order_id"].to_list() == ["GOOD"]
    put_aside = built.frame("quarantine/orders")
    assert put_aside.select("order_id", kept_as).rows() == [("BAD", "x"), ("BAD-2", None)]
    assert set(put_aside["ingestion_dt"]) == {DAY}


def test_names_that_differ_in_case_only_are_other_columns(tmp_path: Path, spec: Spec) -> None:
    frame = both(spec).with_columns(ORDER_ID=pl.lit("x"))
    frame = frame.select("ORDER_ID", *(name for name in frame.columns if name != "ORDER_ID"))
    write_files(tmp_path / "bronze", "orders", ingest(0), [frame])
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    assert built.frame("base/orders")["order_id"].to_list() == ["GOOD"]
    put_aside = built.frame("quarantine/orders")
    assert put_aside.select("order_id", "ORDER_ID__bronze").rows() == [("BAD", "x")]


def test_a_required_column_of_another_case_is_missing(tmp_path: Path, spec: Spec) -> None:
    frame = both(spec).rename({"order_id": "Order_ID"})
    write_files(tmp_path / "bronze", "orders", ingest(0), [frame])
    put_aside = build(tmp_path / "bronze", tmp_path / "out", spec).frame("quarantine/orders")
    found = put_aside.select("order_id", "Order_ID__bronze", "invalid_reason").rows()
    assert sorted(found, key=str) == [
        (None, "BAD", "missing:order_id|negative:net_total"),
        (None, "GOOD", "missing:order_id"),
    ]


def test_columns_that_are_absent_from_one_file_only(tmp_path: Path, spec: Spec) -> None:
    files = [
        both(spec).drop("source_file", "email"),
        orders(spec, {"order_id": "X"}).drop("net_total"),
        orders(spec, {"order_id": "Y"}),
    ]
    write_files(tmp_path / "bronze", "orders", ingest(0), files)
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    accepted = built.frame("base/orders").select("order_id", "email")
    assert accepted.rows() == [("GOOD", None), ("Y", "a@b.com")]
    reasons = built.frame("quarantine/orders").select("order_id", "invalid_reason")
    assert reasons.rows() == [("BAD", "negative:net_total"), ("X", "missing:net_total")]


def test_a_file_without_a_single_known_column_loses_no_row(tmp_path: Path, spec: Spec) -> None:
    write_files(tmp_path / "bronze", "orders", ingest(0), [pl.DataFrame({"foo": [1, 2]})])
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    assert built.frame("quarantine/orders")["foo"].to_list() == ["1", "2"]
    assert built.result.counts["orders"].reasons["missing:order_id"] == 2


def test_an_empty_file_leaves_no_partition(tmp_path: Path, spec: Spec) -> None:
    write_files(tmp_path / "bronze", "orders", ingest(0), [both(spec).clear()])
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    assert built.result.staged["base/orders"].partitions == ()
    assert not list(built.staging.rglob("ingestion_dt=*"))


TYPES: list[tuple[str, pl.Series, Any, str | None]] = [
    ("total_items", pl.Series([2], dtype=pl.UInt8), 2, "2"),
    ("total_items", pl.Series([None], dtype=pl.Null), None, None),
    ("total_items", pl.Series([True]), None, "true"),
    ("shipping_cost", pl.Series([5], dtype=pl.Int32), Decimal("5.00"), "5"),
    ("shipping_cost", pl.Series([1.1], dtype=pl.Float32), Decimal("1.10"), "1.1"),
    ("shipping_cost", pl.Series([Decimal("1.255")]), Decimal("1.26"), "1.255"),
    ("shipping_cost", pl.Series(["5.5020257381774616e+16"]), None, "5.5020257381774616e+16"),
    ("shipping_cost", pl.Series([5.5020257381774616e16]), None, "5.5020257381774616e+16"),
    ("is_expedited", pl.Series([1.0]), True, "1.0"),
    ("agent_id", pl.Series([12.0]), "12", "12.0"),
    ("agent_id", pl.Series([-float("nan")]), None, "nan"),
    ("agent_id", pl.Series([-float("nan")], dtype=pl.Float32), None, "nan"),
    ("agent_id", pl.Series([b"ab"]), "ab", "ab"),
    ("agent_id", pl.Series(["CSR"], dtype=pl.Categorical), "CSR", "CSR"),
    ("clv_bucket", pl.Series([time(1, 2)]), "01:02:00", "01:02:00"),
    ("ingestion_ts", pl.Series([date(2025, 10, 1)]), None, "2025-10-01"),
    ("payment_method", pl.Series([["a", "b"]]), "[a, b]", "[a, b]"),
]


@pytest.mark.parametrize("beside_the_agreed_type", [False, True])
def test_columns_of_another_type_are_read_from_their_text(
    tmp_path: Path, spec: Spec, beside_the_agreed_type: bool
) -> None:
    files = []
    for n, (column, values, _, _) in enumerate(TYPES):
        rows = orders(spec, {"order_id": f"{n:02}"}, {"order_id": f"BAD-{n:02}"})
        changed = rows.with_columns(pl.concat([values, values]).alias(column))
        files.append(changed)
    if beside_the_agreed_type:
        write_files(tmp_path / "bronze", "orders", ingest(0), [*files, both(spec)])
    else:
        for n, file in enumerate(files):
            write_files(tmp_path / "bronze", "orders", ingest(n), [file])
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    accepted = {row["order_id"]: row for row in built.frame("base/orders").to_dicts()}
    put_aside = {row["order_id"]: row for row in built.frame("quarantine/orders").to_dicts()}
    for n, (column, values, silver, shown) in enumerate(TYPES):
        if column != "ingestion_ts":
            assert accepted[f"{n:02}"][column] == silver, (column, values.dtype)
        assert put_aside[f"BAD-{n:02}"][column] == shown, (column, values.dtype)
