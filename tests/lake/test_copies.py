"""Copies of many small partitions: quicker to read, and never anything but what stands."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.lake import copies
from medallion.lake.copies import Copies
from medallion.lake.manifest import PartitionManifest, content_hash, describe_files, write_manifest
from medallion.lake.store import Lake

TABLE = "base/orders"
FIRST = date(2025, 1, 30)
FILE = "part-0000.parquet"
# Days from the end of January on, over four months.
DAYS = [str(FIRST + timedelta(days=n)) for n in range(70)]
Rows = Mapping[str, list[int]]


@pytest.fixture(autouse=True)
def _few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_MANY", 10)


def put(root: Path, day: str, numbers: list[int], **more: object) -> None:
    """A partition with a column of numbers, and columns beside it."""
    folder = root / TABLE / f"ingestion_dt={day}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    frame = pl.DataFrame({"n": numbers}).with_columns(**{k: pl.lit(v) for k, v in more.items()})
    frame.write_parquet(folder / FILE)
    files = describe_files(folder, {FILE: len(numbers)})
    write_manifest(
        folder,
        PartitionManifest(
            table=TABLE,
            partition=folder.name,
            files=files,
            columns={name: str(kind) for name, kind in frame.schema.items()},
            content_hash=content_hash(files),
        ),
    )


def a_lake(top: Path, rows: Rows) -> Lake:
    for day, numbers in rows.items():
        put(top / "silver", day, numbers)
    return opened(top)


def opened(top: Path) -> Lake:
    """A lake that may make copies."""
    lake = Lake(top / "silver")
    lake.state.copies = Copies(top / "cache")
    return lake


def read(lake: Lake, values: set[str] | None = None) -> list[tuple[int, date]]:
    return sorted(
        duckdb.sql(f"select n, ingestion_dt from ({lake.rows(TABLE, values)})").fetchall()
    )


def expected(rows: Rows, values: set[str] | None = None) -> list[tuple[int, date]]:
    chosen = {day: numbers for day, numbers in rows.items() if values is None or day in values}
    return sorted((n, date.fromisoformat(day)) for day, some in chosen.items() for n in some)


def made(top: Path) -> list[Path]:
    return sorted((top / "cache" / TABLE).glob("*"))


ROWS = {day: [n, n + 1] for n, day in enumerate(DAYS)}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return a_lake(tmp_path, ROWS)


@settings(max_examples=15, deadline=None)
@given(
    changes=st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(DAYS), st.lists(st.integers(0, 9), max_size=3)),
            st.sets(st.sampled_from(DAYS), min_size=1),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_changes_and_whatever_is_asked_the_rows_are_those_that_stand(
    changes: list[tuple[dict[str, list[int]], set[str]]],
) -> None:
    with TemporaryDirectory() as folder:
        rows = dict(ROWS)
        lake = a_lake(Path(folder), rows)
        for changed, asked in changes:
            for day, numbers in changed.items():
                put(lake.root, day, numbers)
            rows |= changed
            assert read(lake) == expected(rows)
            assert read(lake, asked) == expected(rows, asked)


def test_whole_months_are_read_from_copies_and_others_from_the_lake(
    lake: Lake, tmp_path: Path
) -> None:
    asked = {day for day in DAYS if day != "2025-03-05"}
    assert read(lake, asked) == expected(ROWS, asked)
    # January has too few days to be copied, March is not asked for as a whole.
    assert [path.name[:7] for path in made(tmp_path)] == ["2025-02", "2025-04"]
    statement = lake.rows(TABLE, asked)
    assert "ingestion_dt=2025-03-04" in statement
    assert "ingestion_dt=2025-02-04" not in statement


def test_a_short_history_is_not_copied(tmp_path: Path) -> None:
    rows = {day: ROWS[day] for day in DAYS[2:11]}
    assert read(a_lake(tmp_path, rows)) == expected(rows)
    assert made(tmp_path) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        lambda path: path.write_bytes(path.read_bytes()[:-9] + b"x" + path.read_bytes()[-8:]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: shutil.rmtree(path.parents[2]),
    ],
)
def test_a_copy_that_is_damaged_or_gone_is_made_again(
    damage: Callable[[Path], object], lake: Lake, tmp_path: Path
) -> None:
    read(lake)
    before = {path.name: path.read_bytes() for path in made(tmp_path)}
    damage(made(tmp_path)[0])
    assert read(opened(tmp_path)) == expected(ROWS)
    assert {path.name: path.read_bytes() for path in made(tmp_path)} == before


def test_copies_may_go_between_two_queries(lake: Lake, tmp_path: Path) -> None:
    read(lake)
    shutil.rmtree(tmp_path / "cache")
    assert read(lake) == expected(ROWS)


def test_a_cache_that_cannot_be_written_is_no_matter(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    assert read(lake) == expected(ROWS)


def test_copies_that_are_out_of_date_go_when_a_run_ends(lake: Lake, tmp_path: Path) -> None:
    read(lake)
    old = made(tmp_path)
    put(lake.root, "2025-03-05", [7])
    read(lake)
    assert len(made(tmp_path)) == len(old) + 1
    assert lake.state.copies
    lake.state.copies.prune()
    assert [path.name[:7] for path in made(tmp_path)] == ["2025-02", "2025-03", "2025-04"]
    assert set(made(tmp_path)) - set(old)
    assert read(opened(tmp_path)) == expected({**ROWS, "2025-03-05": [7]})


def test_days_of_other_columns_are_read_beside_each_other(lake: Lake) -> None:
    put(lake.root, "2025-02-10", [1], more=5)
    put(lake.root, "2025-04-01", [2], more=6)
    found = duckdb.sql(f"select n, more, ingestion_dt from ({lake.rows(TABLE)})").fetchall()
    assert sorted((n, more) for n, more, _ in found if more) == [(1, 5), (2, 6)]
    assert len(found) == 2 * len(DAYS) - 2


def test_a_damaged_lake_is_told_by_who_reads_it_not_by_the_copy(lake: Lake, tmp_path: Path) -> None:
    (lake.root / TABLE / "ingestion_dt=2025-02-10" / FILE).unlink()
    with pytest.raises(duckdb.IOException, match="ingestion_dt=2025-02-10"):
        read(lake)
    assert [path.name[:7] for path in made(tmp_path)] == ["2025-03", "2025-04"]
