"""What `catalog.load("bronze.<table>")` gives: the rows of all partitions, as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError

from medallion.datasets.bronze import BronzeTableDataset
from medallion.errors import LakeError
from tests.conftest import PROJECT

DAYS = [date(2025, 10, 1), date(2025, 10, 2)]


def put(root: Path, day: date, *files: Mapping[str, Any] | pa.Table, table: str = "orders") -> Path:
    """Delivers a partition of files given as tables or as columns."""
    folder = root / table / f"ingest_dt={day}"
    folder.mkdir(parents=True)
    tables = [file if isinstance(file, pa.Table) else pa.table(file) for file in files]
    for n, file in enumerate(tables):
        pq.write_table(file, folder / f"part-{n}.parquet")
    listed = [{"path": f"part-{n}.parquet", "rows": t.num_rows} for n, t in enumerate(tables)]
    manifest = {"files": listed, "total_rows": sum(t.num_rows for t in tables)}
    (folder / "_MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def load(root: Path, table: str = "orders") -> pl.LazyFrame:
    spec = str(PROJECT / "conf" / "base" / "spec.yml")
    return BronzeTableDataset(filepath=str(root), spec=spec, table=table).load()


def test_rows_come_with_the_day_of_their_folder(tmp_path: Path) -> None:
    put(tmp_path, DAYS[0], {"order_id": ["a"]}, {"order_id": ["b"], "note": [1]})
    put(tmp_path, DAYS[1], {"order_id": ["c"], "ingest_dt": ["yesterday"]})
    rows = load(tmp_path).collect()
    assert rows.select("order_id", "note", "ingest_dt", "ingest_dt__bronze").rows() == [
        ("a", None, DAYS[0], None),
        ("b", 1, DAYS[0], None),
        ("c", None, DAYS[1], "yesterday"),
    ]


@pytest.mark.parametrize("names", [["INGEST_DT"], ["Ingest_Dt", "ingest_dt", "ingest_dt__bronze"]])
def test_a_column_called_as_the_day_of_the_folder_in_any_case_is_beside_it(
    tmp_path: Path, names: list[str]
) -> None:
    arrays = [pa.array([text]) for text in ["a", *names]]
    put(tmp_path, DAYS[0], pa.Table.from_arrays(arrays, names=["order_id", *names]))
    rows = load(tmp_path).collect()
    assert rows["ingest_dt"].to_list() == [DAYS[0]]
    others = rows.drop("order_id", "ingest_dt")
    assert sorted(others.row(0)) == sorted(names)
    assert all(name.lower().startswith("ingest_dt__bronze") for name in others.columns)


@pytest.mark.parametrize("beside", [[], [{"order_id": ["a"]}]])
def test_a_file_without_rows_and_columns_adds_nothing(
    tmp_path: Path, beside: list[dict[str, Any]]
) -> None:
    put(tmp_path, DAYS[0], pa.table({}), *beside)
    assert load(tmp_path).collect().select("order_id", "ingest_dt").rows() == (
        [("a", DAYS[0])] if beside else []
    )


def test_rows_without_columns_are_no_rows_that_can_be_read(tmp_path: Path) -> None:
    rows = pa.table({"x": [1, 2]}).select([])
    put(tmp_path, DAYS[0], rows)
    with pytest.raises(DatasetError, match=r"bronze\.orders cannot be read whole"):
        load(tmp_path)


def test_a_filter_a_choice_of_columns_and_a_head_are_what_they_are_of_any_frame(
    tmp_path: Path,
) -> None:
    put(tmp_path, DAYS[0], {"order_id": ["a", "b", "c"], "net_total": [1.0, 2.0, 3.0]})
    rows = load(tmp_path)
    assert rows.filter(pl.col("net_total") > 1).select("order_id").head(1).collect().rows() == [
        ("b",)
    ]
    assert rows.select(pl.len()).collect().item() == 3


MIXES: list[tuple[list[pa.Array], list[Any]]] = [
    ([pa.array([1], pa.int32()), pa.array([2.5])], [1.0, 2.5]),
    ([pa.array([2**53 + 1]), pa.array([0.5])], ["9007199254740993", "0.5"]),
    ([pa.array([2**24 + 1], pa.int32()), pa.array([0.5], pa.float32())], ["16777217", "0.5"]),
    (
        [pa.array([2**31], pa.uint32()), pa.array([0.5]), pa.array([-1])],
        ["2147483648", "0.5", "-1"],
    ),
    ([pa.array([7], pa.int16()), pa.array([0.5], pa.float32())], [7.0, 0.5]),
    ([pa.array([1], pa.uint8()), pa.array([2**62])], [1, 2**62]),
    ([pa.array([1]), pa.array(["x"])], ["1", "x"]),
    (
        [pa.array([Decimal("1.5")], pa.decimal128(38, 9))] * 2,
        [Decimal("1.500000000")] * 2,
    ),
    (
        [pa.array([Decimal("1.5")], pa.decimal128(38, d)) for d in (9, 18)],
        ["1.500000000", "1.500000000000000000"],
    ),
    (
        [pa.array([datetime(2025, 1, 1)]), pa.array([datetime(2025, 1, 1, tzinfo=UTC)])],
        ["2025-01-01 00:00:00", "2025-01-01 00:00:00+00"],
    ),
    ([pa.array([datetime(2025, 1, 1)], pa.timestamp("us"))] * 2, [datetime(2025, 1, 1)] * 2),
    ([pa.array([[1]]), pa.array([{"a": 1}])], ["[1]", "{'a': 1}"]),
    ([pa.array([{"a": 1}])], [{"a": 1}]),
    ([pa.array([b"caf\xc3\xa9"]), pa.array([b"\xe9"])], ["café", "\\xE9"]),
    ([pa.array(["x"]).dictionary_encode(), pa.array(["y"], pa.large_string())], ["x", "y"]),
    ([pa.nulls(1), pa.array(["y"])], [None, "y"]),
]


@pytest.mark.parametrize(("files", "expected"), MIXES)
def test_whatever_files_hold_can_be_loaded(
    tmp_path: Path, files: list[pa.Array], expected: list[Any]
) -> None:
    put(tmp_path, DAYS[0], *({"agent_id": values} for values in files))
    assert load(tmp_path).collect()["agent_id"].to_list() == expected


def test_columns_that_stand_twice_and_columns_without_a_name(tmp_path: Path) -> None:
    names = ["order_id", "net_total", "net_total", "ORDER_ID", ""]
    arrays = [pa.array([value]) for value in ("a", 1.0, 2.0, "b", 9)]
    put(tmp_path, DAYS[0], pa.Table.from_arrays(arrays, names=names))
    columns = ["order_id", "net_total__1", "net_total__2", "ORDER_ID__bronze", "unnamed"]
    assert load(tmp_path).select(columns).collect().rows() == [("a", 1.0, 2.0, "b", 9)]


def test_text_that_is_not_utf8_ends_nothing(tmp_path: Path) -> None:
    held = pa.array([b"ok", b"\xe9", b"fine"], pa.binary())
    bad = pa.StringArray.from_buffers(3, *held.buffers()[1:], held.buffers()[0])
    put(tmp_path, DAYS[0], {"agent_id": ["first"]}, {"agent_id": bad}, {"agent_id": ["last"]})
    rows = load(tmp_path)
    expected = ["first", "ok", "\\xE9", "fine", "last"]
    assert rows.collect()["agent_id"].to_list() == expected
    assert rows.head(4).collect()["agent_id"].to_list() == expected[:4]


def test_values_that_nobody_can_read_end_nothing_and_keep_the_types_of_their_columns(
    tmp_path: Path,
) -> None:
    held = pa.array([b"ok", b"\xe9"], pa.binary())
    bad = pa.StringArray.from_buffers(2, *held.buffers()[1:], held.buffers()[0])
    times = pa.array([0, 2**62], pa.int64()).cast(pa.timestamp("ms"))
    rows = {
        "list": pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), bad),
        "struct": pa.StructArray.from_arrays([bad, times], ["s", "t"]),
        "map": pa.MapArray.from_arrays(pa.array([0, 1, 2], pa.int32()), pa.array(["a", "b"]), bad),
        "time": times,
    }
    put(tmp_path, DAYS[0], {"order_id": ["a", "b"], **rows})
    put(tmp_path, DAYS[1], {"order_id": ["c"], **{name: rows[name].slice(0, 1) for name in rows}})
    begin = datetime(1970, 1, 1)
    assert load(tmp_path).select("order_id", *rows).collect().rows() == [
        ("a", ["ok"], {"s": "ok", "t": begin}, {"a": "ok"}, begin),
        ("b", ["\\xE9"], {"s": "\\xE9", "t": None}, {"b": "\\xE9"}, None),
        ("c", ["ok"], {"s": "ok", "t": begin}, {"a": "ok"}, begin),
    ]


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    folder = put(tmp_path, DAYS[0], {"order_id": ["a"]}, {"order_id": ["b"]})
    (folder / "part-1.parquet").write_bytes(b"no parquet")
    with pytest.raises(DatasetError, match=r"bronze\.orders cannot be read whole") as raised:
        load(tmp_path)
    assert isinstance(raised.value.__cause__, LakeError)


def test_a_file_that_is_damaged_behind_its_footer_is_named_when_it_is_read(tmp_path: Path) -> None:
    folder = put(tmp_path, DAYS[0], {"order_id": [f"order {n}" for n in range(1000)]})
    content = bytearray((folder / "part-0.parquet").read_bytes())
    content[10:1000] = bytes(990)
    (folder / "part-0.parquet").write_bytes(content)
    rows = load(tmp_path)
    with pytest.raises(LakeError, match=f"orders/ingest_dt={DAYS[0]}: part-0.parquet"):
        rows.collect()
