"""A path is only itself, and only the folder that holds a file names its partition."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from medallion.errors import LakeError
from medallion.lake import scans

DAYS = ("2025-10-01", "2025-10-02")
SCHEMA = pl.Schema({"value": pl.String()})
ROOTS = [
    "plain",
    "region=emea",
    "ingestion_dt=2025-10-02",
    "ingestion_dt=never/value=x",
    "[client] shop",
    "a*b?c",
    "[!a]{b,c}",
    "it's 100% sh\u00f6p #1",
    "back\\slash",
    "[x]/region=emea/ingestion_dt=2025-10-09",
]


def table(root: Path) -> list[Path]:
    """A table of two days, whose rows say the day of their file."""
    files = [root / "orders" / f"ingestion_dt={day}" / "part-0000.parquet" for day in DAYS]
    for file, day in zip(files, DAYS, strict=True):
        file.parent.mkdir(parents=True)
        pl.DataFrame({"value": [day]}).write_parquet(file)
    return files


def asked(query: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"from ({query}) order by all").fetchall()


EXPECTED = [(day, date.fromisoformat(day)) for day in DAYS]


@pytest.mark.parametrize("root", ROOTS)
def test_duckdb_reads_days_below_any_folder(tmp_path: Path, root: str) -> None:
    files = table(tmp_path / root)
    assert asked(scans.read_days(files, "ingestion_dt")) == EXPECTED


@pytest.mark.parametrize("root", [root for root in ROOTS if "\\" not in root])
def test_duckdb_reads_whatever_days_a_table_has(tmp_path: Path, root: str) -> None:
    folder = table(tmp_path / root)[0].parents[1]
    (folder / "ingestion_dt=2025-10-01" / "._part-0000.parquet").write_bytes(b"junk")
    (folder / "_coming.ingestion_dt=2025-10-01").mkdir()
    assert asked(scans.read_table(folder, "ingestion_dt", ["*"])) == EXPECTED
    only = scans.read_table(folder, "ingestion_dt", ["*"], only=DAYS[1])
    assert asked(only) == EXPECTED[1:]


@pytest.mark.parametrize("root", ROOTS)
def test_duckdb_has_no_columns_but_those_of_the_files(tmp_path: Path, root: str) -> None:
    files = table(tmp_path / root)
    assert asked(f"select * from {scans.read_files(files)}") == [(day,) for day in DAYS]


@pytest.mark.parametrize("root", ROOTS)
def test_polars_reads_days_below_any_folder(tmp_path: Path, root: str) -> None:
    files = table(tmp_path / root)
    frame = scans.scan_days([*map(str, files)], SCHEMA, "ingestion_dt")
    assert frame.collect_schema() == {**SCHEMA, "ingestion_dt": pl.Date()}
    assert sorted(frame.collect().rows()) == EXPECTED
    second = frame.filter(pl.col("ingestion_dt") == date(2025, 10, 2))
    assert second.collect().rows() == EXPECTED[1:]


@pytest.mark.parametrize(
    ("root", "sibling"),
    [("[ab]", "a"), ("a*", "aXYZ"), ("a?c", "abc"), ("[!x]", "y"), ("[[]", "[")],
)
def test_a_sibling_that_a_pattern_would_match_is_never_read(
    tmp_path: Path, root: str, sibling: str
) -> None:
    files = table(tmp_path / root)
    for file in table(tmp_path / sibling):
        pl.DataFrame({"value": ["of the sibling"]}).write_parquet(file)
    assert asked(scans.read_days(files, "ingestion_dt")) == EXPECTED
    folder = files[0].parents[1]
    assert asked(scans.read_table(folder, "ingestion_dt", ["*"])) == EXPECTED
    assert (
        sorted(scans.scan_days([*map(str, files)], SCHEMA, "ingestion_dt").collect().rows())
        == EXPECTED
    )


def test_days_that_are_not_asked_for_are_not_opened(tmp_path: Path) -> None:
    files = table(tmp_path / "region=emea")
    files[0].write_bytes(b"no Parquet")
    query = f"from ({scans.read_days([files[1], files[0]], 'ingestion_dt')})"
    assert asked(f"{query} where ingestion_dt = date '2025-10-02'") == EXPECTED[1:]


def test_files_without_the_day_in_their_folder_cannot_be_passed_off(tmp_path: Path) -> None:
    file = tmp_path / "part-0000.parquet"
    pl.DataFrame({"value": ["x"]}).write_parquet(file)
    with pytest.raises(duckdb.ConversionException):
        asked(scans.read_days([file], "ingestion_dt"))


def test_a_path_that_duckdb_cannot_name_is_refused() -> None:
    with pytest.raises(LakeError, match="backslash"):
        scans.literal_path("/lake/a\\b[1]/part-0000.parquet")
    with pytest.raises(LakeError, match="backslash"):
        scans.read_table(Path("/lake/a\\b"), "ingestion_dt", ["*"])
