"""What a spreadsheet makes of exported rows."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from medallion.quarantine.exporting import _copy


def exported(tmp_path: Path, value: str | None, name: str = "reason") -> tuple[str, str]:
    """The heading and the cell of a file with one value."""
    file = tmp_path / "out.csv"
    shown = "null::varchar" if value is None else "'" + value.replace("'", "''") + "'"
    assert _copy(f'select {shown} as "{name}", 1 as rest', file) == 1
    with file.open(encoding="utf-8", newline="") as lines:
        (heading, _), (cell, _) = csv.reader(lines)
    return heading, cell


@pytest.mark.parametrize(
    "value",
    [
        "=1+1",
        "+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "-",
        "=",
        "\uff1d1+1",
    ],
)
def test_what_a_spreadsheet_would_run_becomes_text(tmp_path: Path, value: str) -> None:
    assert exported(tmp_path, value)[1] == f"'{value}"


@pytest.mark.parametrize(
    "value", ["-1.0", "-1,234.50", "-3e-7", "12 %", "a=b", "'=1", " -1", "ORD-1", "-.5"]
)
def test_a_number_and_other_text_stay_as_they_came(tmp_path: Path, value: str) -> None:
    assert exported(tmp_path, value)[1] == value


def test_null_and_empty_are_two_things(tmp_path: Path) -> None:
    assert exported(tmp_path, None)[1] == "<null>"
    assert exported(tmp_path, "")[1] == ""


def test_a_column_named_like_a_formula_is_text_too(tmp_path: Path) -> None:
    assert exported(tmp_path, "x", name="=cmd()") == ("'=cmd()", "x")
