"""What the warehouse was made from counts only while its file is the one that was made."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from medallion.dbt_project import BuildResult, EngineSettings
from medallion.dbt_project.results import Counts
from medallion.errors import DbtError, UsageError
from medallion.lake.inventory import LakeInventory
from medallion.lake.store import Lake
from medallion.spec import Spec
from medallion.warehouse import MartsPlan, MartsState, Publication, open_warehouse
from medallion.warehouse.duckdb import DuckDBWarehouse
from medallion.warehouse.marts import WHOLE, PlannedMart
from medallion.warehouse.protocol import GOLD, VIEWS

# The spec has no tables here, so the warehouse shows only this.
AUDIT = {"audit.runs": "select 5 as x"}


class House:
    """A warehouse, and what is made in it; dbt is a statement here."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        self.warehouse = DuckDBWarehouse(folder / "warehouse" / "medallion.duckdb")
        self.spec = spec.model_copy(update={"tables": {}, "transforms": {}})
        self.lake = LakeInventory(Lake(folder / "silver"), self.spec)
        self.settings = EngineSettings("1GB", 1, folder / "spill")
        self.copies = 0

    def publish(self) -> tuple[str, ...]:
        return self.warehouse.publish(Publication(self.spec, self.lake, AUDIT))

    def plan(self, stamp: str, *, is_whole: bool) -> MartsPlan:
        state = MartsState("code", {"t": {WHOLE: stamp}})
        return MartsPlan(stamp, is_whole, {"t": PlannedMart()}, {}, state)

    def build(self, stamp: str = "gold 1", *, is_whole: bool = True) -> None:
        plan = self.plan(stamp, is_whole=is_whole)
        self.warehouse.accept(self.warehouse.build(self.lake, plan, self.settings))

    def values(self, *queries: str) -> list[object]:
        return [self.warehouse.query(query)[0][0] for query in queries]


def build_one_mart(_: Spec, file: Path, *__: object) -> BuildResult:
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema if not exists gold")
        connection.execute("create or replace table gold.t as select x - 4 as x from audit.runs")
    return BuildResult(counts={"t": Counts(accepted=1)})


@pytest.fixture
def empty(tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("medallion.dbt_project.build_gold", build_one_mart)
    house = House(tmp_path, spec)

    def copy(source: Path, target: Path) -> None:
        house.copies += 1
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr("medallion.warehouse.duckdb.shutil.copyfile", copy)
    return house


@pytest.fixture
def house(empty: House) -> House:
    empty.publish()
    empty.build()
    return empty


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


def test_each_part_is_what_its_inputs_say(house: House) -> None:
    assert house.warehouse.made_from(VIEWS)
    assert house.warehouse.made_from(GOLD) == "gold 1"
    assert house.values("select x from audit.runs", "select x from gold.t") == [5, 1]


def test_what_stands_already_is_not_made_again(house: House) -> None:
    before = house.warehouse.path.stat()
    assert house.publish() == ("audit.runs",)
    assert house.warehouse.path.stat() == before


def test_a_touched_or_copied_file_is_what_it_was(house: House) -> None:
    os.utime(house.warehouse.path)
    assert house.warehouse.damage(thorough=True) == ""
    assert house.warehouse.made_from(GOLD) == "gold 1"


@pytest.mark.parametrize("harm", HARM)
def test_nothing_counts_of_a_file_that_is(house: House, harm: str) -> None:
    HARM[harm](house.warehouse.path)
    assert house.warehouse.made_from(GOLD) == ""
    assert house.warehouse.made_from(VIEWS) == ""


@pytest.mark.parametrize("harm", HARM)
def test_both_parts_are_made_again_of_a_file_that_is(house: House, harm: str) -> None:
    HARM[harm](house.warehouse.path)
    house.publish()
    assert house.warehouse.made_from(GOLD) == ""
    house.build()
    assert house.warehouse.made_from(VIEWS)
    assert house.values("select sum(x) from gold.t", "select x from audit.runs") == [1, 5]


def test_what_somebody_keeps_in_the_file_stays(house: House) -> None:
    write_table(house.warehouse.path)
    house.publish()
    house.build()
    assert house.values("select x from mine.t", "select x from gold.t") == [7, 1]
    house.build("gold 2")
    assert house.values("select x from mine.t", "select x from gold.t") == [7, 1]


@pytest.mark.parametrize(
    ("statement", "query"),
    [
        ("create table notes as select 7 as x", "select x from notes"),
        ("create view seven as select 7 as x", "select x from seven"),
        ("create macro seven() as 7", "select seven()"),
        ("create macro sevens() as table select 7 as x", "select x from sevens()"),
        ("create sequence counter start 7", "select start_value from duckdb_sequences()"),
        ("create type kind as enum ('a')", "select enum_first(null::kind)"),
        ("create schema mine", "select 1 from duckdb_schemas() where schema_name = 'mine'"),
    ],
)
def test_whatever_kind_of_thing_it_is_it_stays(house: House, statement: str, query: str) -> None:
    with duckdb.connect(str(house.warehouse.path)) as connection:
        connection.execute(statement)
        kept = connection.execute(query).fetchall()
    house.publish()
    for stamp in ("gold 2", "gold 3"):
        house.build(stamp)
        assert house.warehouse.query(query) == kept


def test_a_file_with_nothing_else_in_it_is_copied_once_in_a_run(house: House) -> None:
    house.copies = 0
    AUDIT["audit.more"] = "select 6 as x"
    try:
        house.publish()
        house.build("gold 2")
    finally:
        del AUDIT["audit.more"]
    assert house.copies == 1
    assert house.values("select x from gold.t", "select x from audit.more") == [1, 6]


def test_marts_that_fail_leave_the_file_as_it_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> BuildResult:
        raise DbtError("dbt could not build all models:")

    monkeypatch.setattr("medallion.dbt_project.build_gold", fail)
    before = house.warehouse.path.read_bytes()
    with pytest.raises(DbtError):
        house.build("gold 2")
    assert house.warehouse.path.read_bytes() == before
    assert house.warehouse.made_from(GOLD) == "gold 1"
    assert not list(house.warehouse.path.parent.glob("_draft*"))


def test_marts_that_are_built_stand_only_when_they_are_accepted(house: House) -> None:
    plan = house.plan("gold 2", is_whole=True)
    made = house.warehouse.build(house.lake, plan, house.settings)
    assert house.warehouse.made_from(GOLD) == "gold 1"
    house.warehouse.accept(made)
    assert house.warehouse.made_from(GOLD) == "gold 2"


def test_marts_that_are_not_built_anew_stay_in_a_copy(house: House) -> None:
    house.build("gold 2", is_whole=False)
    assert house.copies == 1
    assert house.values("select x from gold.t", "select x from audit.runs") == [1, 5]


def test_what_marts_were_made_from_counts_as_long_as_they_stand(house: House) -> None:
    assert house.warehouse.marts_state() == MartsState("code", {"t": {WHOLE: "gold 1"}})
    write_table(house.warehouse.path)
    assert house.warehouse.marts_state() == MartsState()


def test_what_other_marts_were_made_from_counts_for_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is killed after it has noted them, and before it has put them in place."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(DuckDBWarehouse, "_replace", killed)
        with pytest.raises(KeyboardInterrupt):
            house.build("gold 2")
    assert house.warehouse.made_from(GOLD) == "gold 1"
    assert house.warehouse.marts_state() == MartsState()
    house.build("gold 2")
    assert house.warehouse.marts_state() == MartsState("code", {"t": {WHOLE: "gold 2"}})


def test_an_open_notebook_stops_nobody(house: House) -> None:
    with duckdb.connect(str(house.warehouse.path), read_only=True) as notebook:
        house.publish()
        house.build("gold 2")
        assert notebook.execute("select x from gold.t").fetchall() == [(1,)]


def test_a_table_is_there_once_it_is_built(empty: House) -> None:
    assert not empty.warehouse.has("gold.t")
    empty.publish()
    assert not empty.warehouse.has("gold.t")
    empty.build()
    assert empty.warehouse.has("gold.t")
    assert not empty.warehouse.has("gold.u")


def test_a_gate_reads_marts_under_their_names(house: House) -> None:
    with duckdb.connect() as gate:
        house.warehouse.show_to(gate, ["t"])
        assert gate.execute("select x from gold.t").fetchall() == [(1,)]


def test_a_backend_that_is_unknown_is_named() -> None:
    with pytest.raises(UsageError, match="'snowflake'") as refused:
        open_warehouse({"backend": "snowflake"})
    assert "bigquery, duckdb" in refused.value.hint
