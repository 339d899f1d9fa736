"""What the warehouse was made from counts only while its file is the one that was made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from medallion.datasets.warehouse import Warehouse


def make(warehouse: Warehouse, part: str = "gold") -> None:
    with warehouse.replacing(part, f"{part} 1") as file, duckdb.connect(str(file)) as connection:
        connection.execute(f"create schema if not exists {part}")
        connection.execute(f"create or replace table {part}.t as select 1 as x")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    made = Warehouse(tmp_path / "warehouse" / "medallion.duckdb")
    make(made, "audit")
    make(made, "gold")
    return made


def write_table(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema mine")
        connection.execute("create table mine.t as select 7 as x")
        connection.execute("delete from gold.t")


HARM: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "truncated": lambda path: os.truncate(path, 100),
    "emptied": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"garbage" * 1000),
    "as many other bytes": lambda path: path.write_bytes(b"x" * path.stat().st_size),
    "written by another program": write_table,
    "open elsewhere": lambda path: path.with_name(path.name + ".wal").write_bytes(b"log"),
    "without its record": lambda path: path.with_name("_MANIFEST.json").unlink(),
    "with half a record": lambda path: path.with_name("_MANIFEST.json").write_text("{"),
}


def test_each_part_is_what_its_inputs_say(warehouse: Warehouse) -> None:
    assert warehouse.is_made_from("audit", "audit 1")
    assert warehouse.is_made_from("gold", "gold 1")
    assert not warehouse.is_made_from("gold", "gold 2")


def test_a_touched_or_copied_file_is_what_it_was(warehouse: Warehouse) -> None:
    os.utime(warehouse.path)
    assert warehouse.damage(thorough=True) == ""
    assert warehouse.is_made_from("gold", "gold 1")


@pytest.mark.parametrize("harm", HARM)
def test_nothing_counts_of_a_file_that_is(warehouse: Warehouse, harm: str) -> None:
    HARM[harm](warehouse.path)
    assert warehouse.made_from("gold") == ""
    assert warehouse.made_from("audit") == ""


@pytest.mark.parametrize("harm", HARM)
def test_both_parts_are_made_again_of_a_file_that_is(warehouse: Warehouse, harm: str) -> None:
    HARM[harm](warehouse.path)
    make(warehouse, "audit")
    assert warehouse.made_from("gold") == ""
    make(warehouse, "gold")
    assert warehouse.is_made_from("audit", "audit 1")
    assert warehouse.values({"gold": "select sum(x) from gold.t"}) == {"gold": 1}


def test_what_somebody_keeps_in_the_file_stays(warehouse: Warehouse) -> None:
    write_table(warehouse.path)
    make(warehouse)
    found = warehouse.values({"mine": "select x from mine.t", "gold": "select x from gold.t"})
    assert found == {"mine": 7, "gold": 1}
