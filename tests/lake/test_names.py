"""Roots and the names of folders are understood as people and writers write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.configuring import environment_of
from medallion.errors import UsageError
from medallion.lake.names import (
    as_day,
    as_identifier,
    as_reason,
    as_run_id,
    partition_value,
    printable,
)
from medallion.planning.request import parse_request
from medallion.storage.layout import root_path
from medallion.storage.litter import is_hidden

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


#: Names that climb, end a statement, look like another, hide, or go on and on.
HOSTILE = {
    "climbing": "../x",
    "climbing further": "a/../../etc/passwd",
    "absolute": "/etc/passwd",
    "backslash": "..\\x",
    "quote": "a'; drop table runs; --",
    "double quote": 'a"b',
    "blank": "a b",
    "line break": "a\nb",
    "tab": "a\tb",
    "nothing": "",
    "look-alike": "nightly-\N{CYRILLIC SMALL LETTER A}",
    "turned": "a\N{RIGHT-TO-LEFT OVERRIDE}b",
    "escape": "%2e%2e%2fx",
    "terminal": "a\x1b[2Jb",
    "pattern": "a*",
    "shell": "$(x)",
    "markup": "[red]a",
    "long": "x" * 5_000,
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("check", [as_run_id, as_identifier, as_reason, as_day])
def test_a_hostile_name_is_refused_on_one_line_with_what_is_allowed(
    check: Callable[[str], object], name: str
) -> None:
    with pytest.raises(UsageError) as refused:
        check(name)
    assert refused.value.message.isprintable()
    assert refused.value.message.isascii()
    assert len(str(refused.value)) < 300
    assert (
        "may hold" in str(refused.value)
        or "written as in" in str(refused.value)
        or ("write it as YYYY-MM-DD" in str(refused.value))
    )


def test_a_look_alike_letter_is_named() -> None:
    with pytest.raises(UsageError, match="it holds CYRILLIC SMALL LETTER A"):
        as_run_id(HOSTILE["look-alike"])


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("parameter", ["run_id", "as_of"])
def test_no_run_is_called_or_read_by_a_hostile_name(parameter: str, name: str) -> None:
    with pytest.raises(UsageError, match="run id"):
        parse_request({parameter: name})


@pytest.mark.parametrize(
    "name", [n for n in HOSTILE.values() if n], ids=[k for k in HOSTILE if HOSTILE[k]]
)
def test_an_environment_is_a_folder_of_the_configuration_and_nothing_else(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "conf" / "base").mkdir(parents=True)
    (tmp_path / "x").mkdir()
    with pytest.raises(UsageError, match="There is no environment") as refused:
        environment_of(tmp_path / "conf", name)
    assert "letters, digits, _ and -" in refused.value.hint
    assert len(str(refused.value)) < 300 + 2 * len(str(tmp_path))


@settings(deadline=None)
@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,90}", fullmatch=True)))
def test_a_run_id_that_passes_is_one_folder_below_the_one_it_is_joined_to(name: str) -> None:
    try:
        run_id = as_run_id(name)
    except UsageError:
        return
    assert (PROJECT / run_id).resolve().parent == PROJECT
    assert as_run_id(run_id) == run_id
    assert run_id.isascii()
    assert len(run_id) <= 80


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        *((name, True) for name in (".DS_Store", "._part.parquet", "_SUCCESS", "__MACOSX")),
        *((name, True) for name in ("desktop.ini", "Desktop.INI", "Thumbs.db", "$RECYCLE.BIN")),
        *((name, False) for name in ("part-0000.parquet", "desktop.parquet", "category=_a", "")),
    ],
)
def test_what_systems_leave_is_nobodys(name: str, hidden: bool) -> None:
    assert is_hidden(name) is hidden
