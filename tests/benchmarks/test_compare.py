"""Two results are compared as sets of rows, with a tolerance for doubles only."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from compare import compare


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, Path]:
    """A floor's folder and a project's data root with one equal table."""
    left, right = tmp_path / "floor", tmp_path / "data"
    rows = {"id": ["a", "a", "b"], "ratio": [0.5, 0.25, None], "n": [1, 1, 2]}
    write(left / "enriched", pl.DataFrame(rows))
    write(right / "silver" / "enriched", pl.DataFrame(rows).reverse())
    return left, right


def write(layer: Path, frame: pl.DataFrame) -> None:
    folder = layer / "carts" / "ingestion_dt=2025-05-05"
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / "part-0000.parquet")


def problems(left: Path, right: Path) -> list[str]:
    return [problem for entry in compare(left, right) for problem in entry.problems]


def change(right: Path, expression: pl.Expr) -> None:
    path = right / "silver" / "enriched"
    file = path / "carts" / "ingestion_dt=2025-05-05" / "part-0000.parquet"
    write(path, pl.read_parquet(file).with_columns(expression))


def test_the_order_of_rows_does_not_matter(results: tuple[Path, Path]) -> None:
    left, right = results
    compared = compare(left, right)
    assert [(entry.table, entry.rows) for entry in compared] == [("enriched.carts", (3, 3))]
    assert problems(left, right) == []


def test_doubles_may_differ_in_their_last_digits_only(results: tuple[Path, Path]) -> None:
    left, right = results
    change(right, pl.col("ratio") * (1 + 1e-12))
    assert problems(left, right) == []
    change(right, pl.col("ratio") * (1 + 1e-6))
    assert problems(left, right) == ["2 rows only on the left", "2 rows only on the right"]


def test_a_row_that_is_there_twice_is_not_there_once(results: tuple[Path, Path]) -> None:
    left, right = results
    change(right, pl.lit("a").alias("id"))
    change(right, pl.lit(0.5).alias("ratio"))
    change(right, pl.lit(1, pl.Int64).alias("n"))
    assert problems(left, right) == ["2 rows only on the left", "2 rows only on the right"]


def test_another_type_and_another_column_are_reported(results: tuple[Path, Path]) -> None:
    left, right = results
    change(right, pl.col("n").cast(pl.Int32))
    change(right, pl.lit(1).alias("more"))
    assert problems(left, right) == [
        "column more only on the right",
        "column n is BIGINT on the left, INTEGER right",
    ]


def test_a_table_that_is_not_there_is_reported(results: tuple[Path, Path]) -> None:
    left, right = results
    write(left / "base", pl.DataFrame({"id": ["a"]}))
    assert problems(left, right) == ["not there on the right"]
