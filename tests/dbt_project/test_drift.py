"""Files that do not look as agreed: names, types, columns that come and go."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
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


TOO_LARGE = "too_large:shipping_cost"
TYPES: list[tuple[str, pl.Series, Any, str | None]] = [
    ("total_items", pl.Series([2], dtype=pl.UInt8), 2, "2"),
    ("total_items", pl.Series([None], dtype=pl.Null), None, None),
    ("total_items", pl.Series([True]), None, "true"),
    ("shipping_cost", pl.Series([5], dtype=pl.Int32), Decimal("5.00"), "5"),
    ("shipping_cost", pl.Series([1.1], dtype=pl.Float32), Decimal("1.10"), "1.1"),
    ("shipping_cost", pl.Series([Decimal("1.255")]), Decimal("1.26"), "1.255"),
    ("shipping_cost", pl.Series(["5.5020257381774616e+16"]), TOO_LARGE, "5.5020257381774616e+16"),
    ("shipping_cost", pl.Series([5.5020257381774616e16]), TOO_LARGE, "5.5020257381774616e+16"),
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
        if silver == TOO_LARGE:
            assert put_aside[f"{n:02}"]["invalid_reason"] == silver
        elif column != "ingestion_ts":
            assert accepted[f"{n:02}"][column] == silver, (column, values.dtype)
        assert put_aside[f"BAD-{n:02}"][column] == shown, (column, values.dtype)


def put_parquet(tmp_path: Path, *tables: pa.Table) -> None:
    """Delivers orders as they are, with what Polars cannot write."""
    folder = tmp_path / "bronze" / "orders" / ingest(0)
    folder.mkdir(parents=True)
    listed = []
    for n, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{n:04}.parquet")
        listed.append({"path": f"part-{n:04}.parquet", "rows": table.num_rows})
    manifest = {"files": listed, "total_rows": sum(table.num_rows for table in tables)}
    (folder / "_MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")


def twice(table: pa.Table, column: str, values: list[Any]) -> pa.Table:
    """A file in which a column stands a second time, holding something else."""
    return table.append_column(pa.field(column, pa.array(values).type), pa.array(values))


def test_of_a_column_that_stands_twice_no_value_is_taken(tmp_path: Path, spec: Spec) -> None:
    first = twice(both(spec).to_arrow(), "net_total", [0.0, 0.0])
    second = twice(orders(spec, {"order_id": "OPT"}).to_arrow(), "agent_id", ["x"])
    put_parquet(tmp_path, first, second, orders(spec, {"order_id": "FINE"}).to_arrow())
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    accepted = built.frame("base/orders").select("order_id", "net_total", "agent_id")
    assert accepted.rows() == [
        ("FINE", Decimal("90.00"), "ONLINE"),
        ("OPT", Decimal("90.00"), None),
    ]
    put_aside = built.frame("quarantine/orders").sort("order_id")
    columns = ["order_id", "net_total", "net_total__1", "net_total__2", "invalid_reason"]
    assert put_aside.select(columns).rows() == [
        ("BAD", None, "-1.0", "0.0", "ambiguous:net_total"),
        ("GOOD", None, "90.0", "0.0", "ambiguous:net_total"),
    ]
    assert built.result.counts["orders"].nullified == {"agent_id": 1}


def test_columns_behind_a_repeated_one_keep_their_values(tmp_path: Path, spec: Spec) -> None:
    table = both(spec).to_arrow()
    table = table.add_column(0, pa.field("order_date", pa.int64()), pa.array([1, 2]))
    table = table.add_column(1, pa.field("", pa.int64()), pa.array([7, 8]))
    table = table.add_column(2, pa.field("Email", pa.string()), pa.array(["p", "q"]))
    put_parquet(tmp_path, table)
    put_aside = build(tmp_path / "bronze", tmp_path / "out", spec).frame("quarantine/orders")
    kept = put_aside.select("order_id", "email", "unnamed", "Email__bronze", "invalid_reason")
    assert sorted(kept.rows()) == [
        ("BAD", "a@b.com", "8", "q", "ambiguous:order_date|negative:net_total"),
        ("GOOD", "a@b.com", "7", "p", "ambiguous:order_date"),
    ]


def test_a_byte_order_mark_belongs_to_no_name(tmp_path: Path, spec: Spec) -> None:
    frame = orders(spec, {"order_id": "A"}).rename({"order_id": "\ufefforder_id"})
    write_files(tmp_path / "bronze", "orders", ingest(0), [frame, both(spec)])
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    assert built.frame("base/orders")["order_id"].to_list() == ["A", "GOOD"]


def as_bytes(frame: pl.DataFrame) -> pl.DataFrame:
    """A file of a writer that does not say which columns are text."""
    return frame.with_columns(pl.col(pl.String).cast(pl.Binary))


def test_bytes_are_text_if_they_are_utf8(tmp_path: Path, spec: Spec) -> None:
    rows = orders(
        spec,
        {"order_id": " Ä-1 ", "agent_id": "n/a", "order_channel": "\tWEB ", "email": "É@B.com"},
    )
    write_files(tmp_path / "bronze", "orders", ingest(0), [as_bytes(rows), both(spec)])
    accepted = build(tmp_path / "bronze", tmp_path / "out", spec).frame("base/orders")
    columns = ["order_id", "agent_id", "order_channel", "email", "order_date"]
    (row,) = accepted.filter(pl.col("order_id") == "Ä-1").select(columns).rows()
    assert row == ("Ä-1", None, "web", "é@b.com", datetime(2025, 10, 1, 10))


LATIN_1 = "Libert\xe9".encode("latin-1")


def marked_as_text(values: list[bytes | None], kind: str) -> pa.Array:
    """A column that says it holds text, whatever it holds."""
    held = pa.array(values, pa.binary())
    text = pa.StringArray.from_buffers(len(held), *held.buffers()[1:], held.buffers()[0])
    if kind == "text":
        return text
    encoded = text.dictionary_encode()
    if kind == "dictionary":
        return encoded
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(pa.int64()), encoded.dictionary)


@pytest.mark.parametrize("kind", ["bytes", "text", "dictionary", "dictionary of many"])
def test_a_value_that_is_not_utf8_costs_its_row_or_its_column_only(
    tmp_path: Path, spec: Spec, kind: str
) -> None:
    table = orders(spec, {"order_id": "A"}, {"order_id": "B"}, {"order_id": "C"}).to_arrow()
    for column, values in {
        "customer_id": [b"CUST-1", LATIN_1, b"CUST-2"],
        "agent_id": [LATIN_1, b" x ", None],
    }.items():
        held = pa.array(values, pa.binary()) if kind == "bytes" else marked_as_text(values, kind)
        table = table.set_column(table.schema.get_field_index(column), column, held)
    put_parquet(tmp_path, table, both(spec).to_arrow())
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    accepted = built.frame("base/orders").select("order_id", "customer_id", "agent_id")
    assert accepted.rows() == [
        ("A", "CUST-1", None),
        ("C", "CUST-2", None),
        ("GOOD", "CUST-1", "ONLINE"),
    ]
    put_aside = built.frame("quarantine/orders").sort("order_id")
    assert put_aside.select("order_id", "customer_id", "agent_id", "invalid_reason").rows() == [
        ("B", "Libert\\xE9", " x ", "unparseable:customer_id"),
        ("BAD", "CUST-1", "ONLINE", "negative:net_total"),
    ]
    assert built.result.counts["orders"].nullified == {"agent_id": 1}


LATIN_1_BESIDE_TEXT = marked_as_text(["é".encode(), LATIN_1, None], "text")
OFFSETS = pa.array([0, 1, 2, 3], pa.int32())
NO_TIME, NOON = 2**62, 43_200_000
# How text is held that may be none, and times that may be none; and how quarantine shows it.
UNREADABLE: dict[str, tuple[pa.Array, list[str | None]]] = {
    "shipping_address": (
        pa.StructArray.from_arrays([LATIN_1_BESIDE_TEXT, pa.array([1, 2, 3])], ["s", "n"]),
        ["{'s': é, 'n': 1}", "{'s': 'Libert\\\\xE9', 'n': 2}", "{'s': NULL, 'n': 3}"],
    ),
    "billing_address": (
        pa.ListArray.from_arrays(OFFSETS, LATIN_1_BESIDE_TEXT),
        ["[é]", "['Libert\\\\xE9']", "[NULL]"],
    ),
    "agent_id": (
        pa.MapArray.from_arrays(OFFSETS, pa.array(["k", "l", "m"]), LATIN_1_BESIDE_TEXT),
        ["{k=é}", "{l='Libert\\\\xE9'}", "{m=NULL}"],
    ),
    "payment_method": (
        pa.ListArray.from_arrays(
            OFFSETS, pa.StructArray.from_arrays([LATIN_1_BESIDE_TEXT.dictionary_encode()], ["s"])
        ),
        ["[{'s': é}]", "[{'s': 'Libert\\\\xE9'}]", "[{'s': NULL}]"],
    ),
    "shipping_speed": (
        pa.array([NOON, NO_TIME, None], pa.int64()).cast(pa.timestamp("ms")),
        ["1970-01-01 12:00:00", str(NO_TIME), None],
    ),
    "customer_tier": (
        pa.array([NOON, NO_TIME, None], pa.int64()).cast(pa.timestamp("ms", "Europe/Paris")),
        ["1970-01-01 12:00:00+00", str(NO_TIME), None],
    ),
    "order_channel": (
        pa.array([NOON, -1, None], pa.int32()).cast(pa.time32("ms")),
        ["12:00:00", "-1", None],
    ),
    "clv_bucket": (
        pa.StructArray.from_arrays(
            [pa.array([NOON, NO_TIME, None], pa.int64()).cast(pa.timestamp("ms"))], ["s"]
        ),
        ["{'s': '1970-01-01 12:00:00'}", f"{{'s': {NO_TIME}}}", "{'s': NULL}"],
    ),
}


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = table.schema.get_field_index(name)
    if place < 0:
        return table.append_column(name, values)
    return table.set_column(place, name, values)


def test_what_nobody_can_read_costs_its_row_or_its_value_only(tmp_path: Path, spec: Spec) -> None:
    def three(prefix: str, **all_of_them: float) -> pa.Table:
        return orders(
            spec, *({"order_id": f"{prefix}{n}", **all_of_them} for n in "123")
        ).to_arrow()

    optional, unknown, required = three("A"), three("B", net_total=-1.0), three("C")
    for name, (held, _) in UNREADABLE.items():
        optional = with_column(optional, name, held)
        unknown = with_column(unknown, f"tags of {name}", held)
    required = with_column(required, "customer_id", UNREADABLE["shipping_address"][0])
    required = with_column(required, "order_date", UNREADABLE["shipping_speed"][0])
    put_parquet(tmp_path, optional, unknown, required)
    built = build(tmp_path / "bronze", tmp_path / "out", spec)

    accepted = built.frame("base/orders").sort("order_id")
    assert accepted["order_id"].to_list() == ["A1", "A2", "A3"]
    assert built.result.counts["orders"].nullified == dict.fromkeys(UNREADABLE, 1)
    put_aside = built.frame("quarantine/orders").sort("order_id")
    assert put_aside["order_id"].to_list() == ["B1", "B2", "B3", "C1", "C2", "C3"]
    (reason,) = put_aside.filter(pl.col("order_id") == "C2")["invalid_reason"]
    assert reason == "unparseable:order_date|unparseable:customer_id"
    for name, (_, shown) in UNREADABLE.items():
        assert accepted[name].is_null().to_list()[:2] == [False, True], name
        assert put_aside[f"tags of {name}"].to_list()[:3] == shown, name


NUMBERS_IN_TEXT: list[tuple[pl.Series, str | None]] = [
    (pl.Series([1001.0]), "1001"),
    (pl.Series([1001.0], dtype=pl.Float32), "1001"),
    (pl.Series([1001], dtype=pl.Int16), "1001"),
    (pl.Series([18446744073709551615], dtype=pl.UInt64), "18446744073709551615"),
    (pl.Series([Decimal("1001.000000000")]), "1001"),
    (pl.Series([Decimal(1000)], dtype=pl.Decimal(38, 0)), "1000"),
    (pl.Series([Decimal("12.50")]), "12.5"),
    (pl.Series([-12.5]), "-12.5"),
    (pl.Series([-0.0]), "0"),
    (pl.Series([1e16]), "10000000000000000"),
    (pl.Series([-1.5e20]), "-150000000000000000000"),
    (pl.Series([0.00001]), "1e-05"),
    (pl.Series([float("inf")]), None),
    (pl.Series(["1001.0"]), "1001.0"),
    (pl.Series([b"1001.0"]), "1001.0"),
    (pl.Series(["1e+20"], dtype=pl.Categorical), "1e+20"),
    (pl.Series([True]), "true"),
]


@pytest.mark.parametrize("of_one_type", [True, False])
def test_whole_numbers_in_text_columns_have_no_point(
    tmp_path: Path, spec: Spec, of_one_type: bool
) -> None:
    wanted = [one for one in NUMBERS_IN_TEXT if one[0].dtype == pl.Float64 or not of_one_type]
    files = [
        orders(spec, {"order_id": f"{n:02}"}).with_columns(values.alias("agent_id"))
        for n, (values, _) in enumerate(wanted)
    ]
    write_files(tmp_path / "bronze", "orders", ingest(0), files)
    accepted = build(tmp_path / "bronze", tmp_path / "out", spec).frame("base/orders")
    found = accepted.sort("order_id")["agent_id"].to_list()
    assert found == [text for _, text in wanted]


def test_an_amount_or_quantity_beyond_its_bound_is_too_large(tmp_path: Path, spec: Spec) -> None:
    line = {**GOOD["order_items"], **LINEAGE, "order_id": "GOOD"}
    rows = [
        {**line, "product_id": 1, "quantity": 100_000, "unit_price": 10_000_000_000.0},
        {**line, "product_id": 2, "quantity": 100_001, "unit_price": 10_000_000_000.01},
    ]
    lines = pl.DataFrame(rows, schema=bronze_schema(spec, "order_items"))
    write_files(tmp_path / "bronze", "orders", ingest(0), [both(spec)])
    write_files(tmp_path / "bronze", "order_items", ingest(0), [lines])
    built = build(tmp_path / "bronze", tmp_path / "out", spec)
    assert built.frame("base/order_items")["product_id"].to_list() == [1]
    reasons = built.frame("quarantine/order_items")["invalid_reason"].to_list()
    assert reasons == ["too_large:quantity|too_large:unit_price"]


def test_nested_columns_of_several_shapes_are_read_side_by_side(tmp_path: Path, spec: Spec) -> None:
    shapes: list[list[Any]] = [[[1]], [{"a": 1}], [{"a": "x", "b": [1]}], [[["y"]]]]
    tables = [
        twice(orders(spec, {"order_id": f"BAD-{n}"}).to_arrow(), "extra", shape)
        for n, shape in enumerate(shapes)
    ]
    put_parquet(tmp_path, *tables)
    put_aside = build(tmp_path / "bronze", tmp_path / "out", spec).frame("quarantine/orders")
    kept = put_aside.sort("order_id")["extra"].to_list()
    assert kept == ["[1]", "{'a': 1}", "{'a': x, 'b': [1]}", "[[y]]"]
