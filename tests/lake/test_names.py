"""Roots and the names of folders are understood as people and writers write them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.lake.names import partition_value, printable
from medallion.storage.layout import root_path

PROJECT = Path("/project")


@pytest.mark.parametrize(
    ("root", "expected"),
    [
        ("data/bronze", "/project/data/bronze"),
        ("/lake/", "/lake"),
        ("gs://shop/raw", "gs://shop/raw"),
        ("file:///lake/raw/", "/lake/raw/"),
        ("FILE:///lake", "/lake"),
        ("file://localhost/lake", "/lake"),
        ("file:/lake", "/lake"),
        ("file:///my%20lake", "/my lake"),
        ("file:///100% lake #1?", "/100% lake #1?"),
    ],
)
def test_a_root_is_an_absolute_path(root: str, expected: str) -> None:
    assert root_path(root, PROJECT) == expected


def test_a_file_url_finds_a_folder_whose_name_holds_an_escape(tmp_path: Path) -> None:
    (tmp_path / "a%20b").mkdir()
    assert root_path(f"file://{tmp_path}/a%20b", PROJECT) == f"{tmp_path}/a%20b"


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@settings(deadline=None)
@given(VALUES)
def test_what_a_writer_escapes_is_read_back(value: str) -> None:
    assert partition_value(quote(value, safe="")) == value


@settings(deadline=None)
@given(VALUES)
def test_python_and_duckdb_decode_a_name_alike(written: str) -> None:
    value = partition_value(written)
    decoded = duckdb.execute("select url_decode(?)", [written]).fetchall()[0][0]
    assert value is None or value == decoded


@pytest.mark.parametrize("written", ["%FF", "%00", "caf%E9", "\udcff"])
def test_what_is_no_text_has_no_value(written: str) -> None:
    assert partition_value(written) is None


@settings(deadline=None)
@given(st.text(st.characters()))
def test_a_name_is_shown_on_one_line(name: str) -> None:
    assert printable(name).isprintable()
    printable(name).encode()
