"""Manifests of other writers are understood, and what is wrong with one is said by its field."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.lake.delivery import ManifestError, read_manifest

FOLDER = "ingest_dt=2025-10-01"


def read(manifest: object, there: tuple[str, ...] = ("part-0.parquet",)) -> dict[str, int]:
    return read_manifest(json.dumps(manifest).encode(), FOLDER, there.__contains__)


def listing(path: object, rows: object = 2, **more: object) -> dict[str, Any]:
    return {"files": [{"path": path, "rows": rows}], **more}


@pytest.mark.parametrize(
    "path",
    [
        "part-0.parquet",
        "./part-0.parquet",
        f"{FOLDER}/part-0.parquet",
        f"orders/{FOLDER}/part-0.parquet",
        f"/mnt/lake/orders/{FOLDER}/part-0.parquet",
        f"gs://shop/raw/orders/{FOLDER}/part-0.parquet",
        "gs://shop/raw/orders/ingest_dt%3D2025-10-01/part-0.parquet",
        f"file:///lake/orders/{FOLDER}//part-0.parquet",
        f"C:\\lake\\orders\\{FOLDER}\\part-0.parquet",
        f"\\\\server\\share\\orders\\{FOLDER}\\part-0.parquet",
        f"orders\\{FOLDER}\\part-0.parquet",
        "orders/2025-10-01/part-0.parquet",
        "/somewhere/else/part-0.parquet",
        "../../etc/part-0.parquet",
        f"orders/{FOLDER}/../../part-0.parquet",
    ],
)
def test_a_file_may_be_named_in_any_way(path: str) -> None:
    assert read(listing(path)) == {"part-0.parquet": 2}


@pytest.mark.parametrize(
    "path",
    [
        "hour=05/part-0.parquet",
        f"orders/{FOLDER}/hour=05/part-0.parquet",
        f"C:\\lake\\{FOLDER}\\hour=05\\part-0.parquet",
        f"s3://shop/orders/{FOLDER}/hour%3D05/part-0.parquet",
    ],
)
def test_a_file_may_lie_in_a_subfolder(path: str) -> None:
    there = ("hour=05/part-0.parquet", "part-0.parquet")
    assert read(listing(path), there) == {"hour=05/part-0.parquet": 2}


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("ingest_dt=2025-10-02/part-0.parquet", "ingest_dt=2025-10-02"),
        ("orders/ingest_dt=2025-10-02/part-0.parquet", "ingest_dt=2025-10-02"),
        ("/lake/orders/ingest_dt=2025-10-02/part-0.parquet", "ingest_dt=2025-10-02"),
        ("../ingest_dt=2025-10-02/part-0.parquet", "ingest_dt=2025-10-02"),
        ("gs://shop/ingest_dt%3D2025-10-02/part-0.parquet", "ingest_dt=2025-10-02"),
        ("C:\\lake\\orders\\ingest_dt=2025-10-02\\part-0.parquet", "ingest_dt=2025-10-02"),
        ("/lake/ingest_dt=2025-10-02/hour=05/part-0.parquet", "ingest_dt=2025-10-02"),
        ("orders/2025-10-02/part-0.parquet", "2025-10-02"),
        (f"/lake/returns/{FOLDER}/part-0.parquet", f"returns/{FOLDER}"),
        (f"returns\\{FOLDER}\\part-0.parquet", f"returns/{FOLDER}"),
    ],
)
def test_a_file_of_another_partition_is_none_of_this_one(path: str, other: str) -> None:
    with pytest.raises(ManifestError) as error:
        read_manifest(
            json.dumps(listing(path)).encode(), FOLDER, "part-0.parquet".__eq__, {"returns"}
        )
    expected = f"names in files[0].path a file of {other}, which is another partition: "
    assert error.value.message.startswith(expected)


@pytest.mark.parametrize(
    "path",
    [
        f"/mnt/ingest_dt=2025-11-29/bronze/orders/{FOLDER}/part-0.parquet",
        f"/mnt/2025-11-29/returns/orders/{FOLDER}/part-0.parquet",
        f"D:\\ingest_dt=2025-11-29\\raw_orders\\{FOLDER}\\part-0.parquet",
        "/exports/2025-11-29/orders/part-0.parquet",
        "/exports/category=x/orders/part-0.parquet",
    ],
)
def test_the_folders_above_a_path_mean_nothing(path: str) -> None:
    manifest = json.dumps(listing(path)).encode()
    read = read_manifest(manifest, FOLDER, "part-0.parquet".__eq__, {"returns"})
    assert read == {"part-0.parquet": 2}


def test_a_subfolder_that_names_another_day_is_one_if_it_is_there() -> None:
    path = "hour=05/ingest_dt=2030-01-01/part-0.parquet"
    assert read(listing(path), (path, "part-0.parquet")) == {path: 2}


def test_a_file_of_a_subfolder_that_is_not_there_is_not_looked_for_elsewhere() -> None:
    path = f"orders/{FOLDER}/hour=05/part-0.parquet"
    assert read(listing(path), ("part-0.parquet",)) == {"hour=05/part-0.parquet": 2}


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("category=Home%20%26%20Garden/a.parquet", ""),
        ("/raw/category=Home & Garden/a.parquet", ""),
        ("/raw/category=Toys/a.parquet", "category=Toys"),
        ("category=Home%20Office/a.parquet", "category=Home%20Office"),
    ],
)
def test_the_partitions_of_a_dimension_are_told_apart_by_their_values(
    path: str, other: str
) -> None:
    content = json.dumps(listing(path)).encode()
    folder = "category=Home%20%26%20Garden"
    if other:
        with pytest.raises(ManifestError, match=f"a file of {other}, which is another"):
            read_manifest(content, folder, "a.parquet".__eq__)
    else:
        assert read_manifest(content, folder, "a.parquet".__eq__) == {"a.parquet": 2}


def test_files_of_the_same_name_in_two_subfolders_are_two_files() -> None:
    files = [{"path": f"hour=0{n}/a.parquet", "rows": n} for n in (1, 2)]
    there = ("hour=01/a.parquet", "hour=02/a.parquet")
    assert read({"files": files}, there) == {"hour=01/a.parquet": 1, "hour=02/a.parquet": 2}


def test_a_name_that_holds_a_backslash_or_an_escape_is_taken_as_it_is_if_it_is_there() -> None:
    assert read(listing("a\\b%20c.parquet"), ("a\\b%20c.parquet",)) == {"a\\b%20c.parquet": 2}


@pytest.mark.parametrize("rows", [2, "2", " 2 ", 2.0, "2.0"])
@pytest.mark.parametrize("more", [{}, {"total_rows": None}, {"total_rows": "2"}])
def test_a_count_may_be_text_and_the_total_absent(rows: object, more: dict[str, object]) -> None:
    assert read(listing("part-0.parquet", rows, **more)) == {"part-0.parquet": 2}


def test_a_manifest_may_begin_with_a_byte_order_mark() -> None:
    content = b"\xef\xbb\xbf" + json.dumps(listing("part-0.parquet")).encode()
    assert read_manifest(content, FOLDER, bool) == {"part-0.parquet": 2}


@pytest.mark.parametrize("name", ["_SUCCESS", ".part-0.parquet.crc", "desktop.ini", "Thumbs.db"])
@pytest.mark.parametrize("rows", [{}, {"rows": 0}, {"rows": None}])
def test_what_is_nobodys_data_may_be_listed_without_rows(
    name: str, rows: dict[str, object]
) -> None:
    files = [{"path": name, **rows}, {"path": "part-0.parquet", "rows": 2}]
    assert read({"files": files, "total_rows": 2}) == {"part-0.parquet": 2}


def test_a_partition_may_have_no_file() -> None:
    assert read({"files": [], "total_rows": 0}) == {}


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ([], "holds no JSON object, but []"),
        ("text", 'holds no JSON object, but "text"'),
        (None, "holds no JSON object, but nothing"),
        ({}, "has no list `files`, but nothing"),
        ({"files": 3}, "has no list `files`, but 3"),
        ({"files": ["a.parquet"]}, 'in files[0] no object with `path` and `rows`, but "a.parquet"'),
        (listing(None), "names in files[0].path no file, but nothing"),
        (listing(7), "names in files[0].path no file, but 7"),
        (listing(" "), "names in files[0].path no file"),
        (listing("\ud800.parquet"), "names in files[0].path no file of the partition"),
        (listing("a\0.parquet"), "names in files[0].path no file of the partition"),
        (listing("_a.parquet"), "lists _a.parquet; names that begin with `.` or `_` are not data"),
        (listing("a.parquet", "many"), 'has in files[0].rows no number of rows, but "many"'),
        (listing("a.parquet", -1), "has in files[0].rows no number of rows, but -1"),
        (listing("a.parquet", True), "has in files[0].rows no number of rows, but true"),
        (listing("a.parquet", 1.5), "has in files[0].rows no number of rows, but 1.5"),
        (listing("a.parquet", 1e400), "has in files[0].rows no number of rows"),
        (listing("a.parquet", 10**40), "has in files[0].rows no number of rows"),
        (listing("a.parquet", [2]), "has in files[0].rows no number of rows, but [2]"),
        ({"files": [{"path": "a.parquet"}]}, "has in files[0].rows no number of rows, but nothing"),
        (listing("a.parquet", total_rows="x"), 'has in total_rows no number of rows, but "x"'),
        (
            listing("a.parquet", total_rows=7),
            "says total_rows 7; the rows of its files add up to 2",
        ),
        ({"files": listing("a.parquet")["files"] * 2}, "lists a.parquet twice"),
    ],
)
def test_what_is_wrong_is_said_by_field(manifest: object, expected: str) -> None:
    with pytest.raises(ManifestError) as error:
        read(manifest, ())
    assert expected in error.value.message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is not valid JSON (Expecting value: line 1, column 1)"),
        (b"{", "is not valid JSON"),
        (b"\x00", "is not valid JSON"),
        (b'{"files": "\xff"}', "is not valid JSON (byte 11 is not utf-8)"),
        (b"[" * 100_000, "is not valid JSON (it is nested too deeply)"),
        (b'{"files": ' + b"9" * 5000 + b"}", "is not valid JSON (a number is too long)"),
    ],
)
def test_what_is_no_json_is_a_sentence(content: bytes, expected: str) -> None:
    with pytest.raises(ManifestError) as error:
        read_manifest(content, FOLDER, bool)
    assert expected in error.value.message


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["path", "rows"]), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.fixed_dictionaries({"files": JSON}, optional={"total_rows": JSON}), st.booleans())
def test_every_manifest_is_understood_or_refused(manifest: dict[str, Any], there: bool) -> None:
    exists: Callable[[str], bool] = lambda _: there  # noqa: E731
    try:
        rows = read_manifest(json.dumps(manifest).encode(), FOLDER, exists)
    except ManifestError as error:
        assert "\n" not in error.message  # noqa: PT017
    else:
        assert all(".." not in name.split("/") and count >= 0 for name, count in rows.items())
