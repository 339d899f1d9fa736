"""Compares the pipeline's tables with the floor's, row by row.

    python benchmarks/compare.py /tmp/floor data

prints one line per table and the first rows that differ, and exits with 1 if any do. Rows are
sets with multiplicity: their order does not matter. Doubles count as equal within a relative
1e-9, everything else must be equal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

TOLERANCE = 1e-9
LAYERS = ("base", "quarantine", "dims", "enriched", "gold")
SHOWN = 5


@dataclass(frozen=True)
class Side:
    """One set of tables: folders of Parquet by layer, and a DuckDB file with schema `gold`."""

    name: str
    silver: Path
    warehouse: Path

    @classmethod
    def of(cls, name: str, root: Path) -> Side:
        """Recognises the floor's layout and the project's data root."""
        if (root / "silver").is_dir():
            return cls(name, root / "silver", root / "warehouse" / "medallion.duckdb")
        return cls(name, root, root / "warehouse.duckdb")


@dataclass
class Difference:
    """What differs in one table; equal when `problems` is empty.

    Attributes:
        table: Layer and table, such as `base.orders`.
        rows: Rows on the left and on the right; None where the table is not there.
        problems: A sentence each: columns, types, rows.
        examples: The first rows found on one side only, with the side's name.
    """

    table: str
    rows: tuple[int | None, int | None]
    problems: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        """Nothing differs."""
        return not self.problems


def compare(left: Path, right: Path, layers: Sequence[str] = LAYERS) -> list[Difference]:
    """Compares every table of two results.

    Args:
        left: The floor's output, or a data root of the project.
        right: The other one.
        layers: Which of base, quarantine, dims, enriched and gold to compare.

    Returns:
        One entry per table that stands on either side, in the order of the layers.
    """
    sides = (Side.of("left", left), Side.of("right", right))
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        for side in sides:
            if side.warehouse.is_file():
                con.execute(f"attach '{side.warehouse}' as {side.name}_wh (read_only)")
        return [
            compare_table(con, layer, table, sides)
            for layer in layers
            for table in table_names(con, layer, sides)
        ]


def table_names(con: duckdb.DuckDBPyConnection, layer: str, sides: Sequence[Side]) -> list[str]:
    """The tables of a layer that hold rows or a place on either side."""
    names: set[str] = set()
    for side in sides:
        if layer == "gold":
            rows = con.execute(
                "select table_name from duckdb_tables() where database_name = ? and"
                " schema_name = 'gold'",
                [f"{side.name}_wh"],
            ).fetchall()
            names |= {row[0] for row in rows}
        else:
            names |= {path.name for path in parquet_folders(side.silver / layer)}
    return sorted(names)


def parquet_folders(layer: Path) -> Iterator[Path]:
    """Table folders with at least one file."""
    for folder in sorted(layer.glob("*")):
        if next(folder.glob("*=*/*.parquet"), None):
            yield folder


def compare_table(
    con: duckdb.DuckDBPyConnection, layer: str, table: str, sides: Sequence[Side]
) -> Difference:
    """Loads one table from both sides and tells what differs."""
    there = [load(con, layer, table, side) for side in sides]
    rows = [count(con, side.name) if ok else None for side, ok in zip(sides, there, strict=True)]
    result = Difference(f"{layer}.{table}", (rows[0], rows[1]))
    if not all(there):
        missing = sides[there.index(False)].name
        if any(rows):
            result.problems.append(f"not there on the {missing}")
        return result
    columns = common_columns(con, layer, result)
    if rows[0] != rows[1]:
        result.problems.append(f"{rows[0]:,} rows on the left, {rows[1]:,} on the right")
    compare_rows(con, columns, result)
    return result


def load(con: duckdb.DuckDBPyConnection, layer: str, table: str, side: Side) -> bool:
    """Makes a view of one side's table under the side's name. False where there is none."""
    if layer == "gold":
        source = f"select * from {side.name}_wh.gold.{table}"
        found = con.execute(
            "select count(*) from duckdb_tables() where database_name = ?"
            " and schema_name = 'gold' and table_name = ?",
            [f"{side.name}_wh", table],
        ).fetchall()[0][0]
    else:
        folder = side.silver / layer / table
        first = next(folder.glob("*=*/*.parquet"), None)
        found = first is not None
        key = first.parent.name.split("=")[0] if first else ""
        source = (
            f"select * from read_parquet('{folder}/*/*.parquet', union_by_name = true,"
            f" hive_partitioning = true, hive_types = {{'{key}': date}})"
        )
    if found:
        con.execute(f"create or replace temp view {side.name}_table as {source}")
    return bool(found)


def count(con: duckdb.DuckDBPyConnection, side: str) -> int:
    """Rows of a loaded side."""
    return int(con.execute(f"select count(*) from {side}_table").fetchall()[0][0])


def described(con: duckdb.DuckDBPyConnection, side: str) -> dict[str, str]:
    """Columns and types of a loaded side."""
    rows = con.execute(f"describe {side}_table").fetchall()
    return {row[0]: row[1] for row in rows}


def common_columns(
    con: duckdb.DuckDBPyConnection, layer: str, result: Difference
) -> dict[str, str]:
    """The columns of both sides; columns and types that differ become problems.

    In quarantine a column that is not there equals one that is null in every row: which
    unknown columns a partition has depends on how its files are batched.
    """
    left, right = described(con, "left"), described(con, "right")
    for side, own, other in (("left", left, right), ("right", right, left)):
        for name in [name for name in own if name not in other]:
            filled = con.execute(f'select count("{name}") from {side}_table').fetchall()[0][0]
            if layer != "quarantine" or filled:
                result.problems.append(f"column {name} only on the {side}")
    common = {name: kind for name, kind in left.items() if name in right}
    for name, kind in common.items():
        if kind != right[name]:
            result.problems.append(f"column {name} is {kind} on the left, {right[name]} right")
    return common


def compare_rows(
    con: duckdb.DuckDBPyConnection, columns: dict[str, str], result: Difference
) -> None:
    """Finds rows of one side only, first exactly, then with tolerance for doubles."""
    names = ", ".join(f'"{name}"' for name in columns)
    for side, other in (("left", "right"), ("right", "left")):
        con.execute(
            f"create or replace temp table only_{side} as select {names} from {side}_table"
            f" except all select {names} from {other}_table"
        )
    doubles = [name for name, kind in columns.items() if kind in ("DOUBLE", "FLOAT")]
    if doubles:
        forgive_doubles(con, columns, doubles)
    for side in ("left", "right"):
        found = con.execute(f"select count(*) from only_{side}").fetchall()[0][0]
        if found:
            result.problems.append(f"{found:,} rows only on the {side}")
            result.examples += [f"{side}: {row}" for row in first_rows(con, side, columns)]


def forgive_doubles(
    con: duckdb.DuckDBPyConnection, columns: dict[str, str], doubles: Sequence[str]
) -> None:
    """Takes pairs of rows that differ by no more than the tolerance off both sides.

    Rows are paired by their exact columns and, inside equal ones, by the order of their
    doubles.
    """
    exact = ", ".join(f'"{name}"' for name in columns if name not in doubles)
    order = ", ".join(f'"{name}"' for name in doubles)
    partition = f"partition by {exact}" if exact else ""
    for side in ("left", "right"):
        con.execute(
            f"create or replace temp table ranked_{side} as select *,"
            f" row_number() over ({partition} order by {order}) as _nth from only_{side}"
        )
    same = [
        f'l."{name}" is not distinct from r."{name}"' for name in columns if name not in doubles
    ]
    near = [
        f'(l."{n}" is not distinct from r."{n}" or abs(l."{n}" - r."{n}")'
        f' <= {TOLERANCE} * greatest(abs(l."{n}"), abs(r."{n}"), {TOLERANCE}))'
        for n in doubles
    ]
    condition = " and ".join([*same, "l._nth = r._nth", *near])
    for side, other in (("left", "right"), ("right", "left")):
        own, theirs = ("l", "r") if side == "left" else ("r", "l")
        con.execute(
            f"create or replace temp table only_{side} as select {own}.* exclude (_nth)"
            f" from ranked_{side} as {own} anti join ranked_{other} as {theirs} on {condition}"
        )


def first_rows(
    con: duckdb.DuckDBPyConnection, side: str, columns: dict[str, str]
) -> list[dict[str, object]]:
    """The first differing rows of a side, in the order of their columns."""
    rows = con.execute(f"select * from only_{side} order by all limit {SHOWN}").fetchall()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def show(differences: Sequence[Difference], console: Console) -> None:
    """Prints one line per table, then the rows that differ."""
    table = Table(title="left: the floor, right: the pipeline", title_justify="left")
    table.add_column("table")
    table.add_column("left", justify="right")
    table.add_column("right", justify="right")
    table.add_column("result")
    for entry in differences:
        left, right = ("-" if rows is None else f"{rows:,}" for rows in entry.rows)
        table.add_row(entry.table, left, right, "; ".join(entry.problems) or "equal")
    console.print(table)
    for entry in differences:
        for example in entry.examples:
            console.print(f"{entry.table} {example}", markup=False, highlight=False)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Are two results the same tables?")
    parser.add_argument("left", type=Path, help="the floor's output")
    parser.add_argument("right", type=Path, help="the pipeline's data root")
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=LAYERS)
    options = parser.parse_args()
    differences = compare(options.left, options.right, options.layers)
    show(differences, Console())
    if not differences:
        sys.exit("There are no tables on either side.")
    sys.exit(0 if all(entry.is_equal for entry in differences) else 1)


if __name__ == "__main__":
    main()
