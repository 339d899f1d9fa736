"""What a state file says counts only while the thing is there and is what it was."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.audit.recorded import standing, trail
from tests.faults import bronze as b
from tests.faults.cases import same
from tests.faults.harness import (
    SILVER,
    Outcome,
    assert_same,
    base_bronze,
    command,
    holds_up,
    layers,
    run,
)
from tests.running import Shop

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clean Bronze and a finished run on it; `kept` is a copy to restore."""
    top = tmp_path_factory.mktemp("finished")
    shutil.copytree(base_bronze(), top / "bronze")
    assert run(top / "bronze", top / "data").code == 0
    shutil.copytree(top / "data", top / "kept", symlinks=True)
    return top


@pytest.fixture
def lake(finished: Path) -> Path:
    """The finished lake, whatever an earlier test has done to it; times are as they were."""
    for name, source in (("data", finished / "kept"), ("bronze", base_bronze())):
        shutil.rmtree(finished / name)
        shutil.copytree(source, finished / name, symlinks=True)
    return finished


def _warehouse(data: Path) -> Path:
    return data / "warehouse" / "medallion.duckdb"


def _first(data: Path, pattern: str) -> Path:
    return min(data.glob(pattern))


def _truncate(pattern: str) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        path = _first(data, pattern)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


def _delete(pattern: str) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        path = _first(data, pattern)
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def _replace(pattern: str, other: str) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        shutil.copyfile(_first(data, other), _first(data, pattern))

    return damage


def _another_database(data: Path) -> None:
    _warehouse(data).unlink()
    with duckdb.connect(str(_warehouse(data))) as connection:
        connection.execute("create schema gold; create table gold.fct_orders (order_id varchar)")


def _sql(statement: str) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        with duckdb.connect(str(_warehouse(data))) as connection:
            connection.execute(statement)

    return damage


def _all(*damages: Callable[[Path], None]) -> Callable[[Path], None]:
    def damage(data: Path) -> None:
        for each in damages:
            each(data)

    return damage


# One of each kind, because each takes a run.
_DAMAGES: dict[str, Callable[[Path], None]] = {
    "the warehouse deleted": lambda data: _warehouse(data).unlink(),
    "the warehouse truncated": _truncate("warehouse/medallion.duckdb"),
    "another database in its place": _another_database,
    "marts dropped, emptied and changed": _sql(
        "drop table gold.fct_customers; delete from gold.fct_finance_revenue;"
        "update gold.fct_orders set net_total = 0"
    ),
    "an enriched day deleted": _delete("silver/enriched/cart_attribution/ingestion_dt=*"),
    "an enriched file truncated": _truncate("silver/enriched/shipping_economics/*/*.parquet"),
    "an enriched file replaced": _replace(
        "silver/enriched/attributed_purchases/ingestion_dt=2025-10-02/*.parquet",
        "silver/enriched/attributed_purchases/ingestion_dt=2025-10-01/*.parquet",
    ),
    "a Silver day deleted": _delete("silver/base/order_items/ingestion_dt=2025-10-02"),
    "a Silver file truncated": _truncate("silver/base/returns/*/*.parquet"),
    "a snapshot truncated": _truncate("silver/dims/product_catalog/*/*.parquet"),
    "the pointer deleted": _delete("silver/dims/_latest.json"),
    "keys, verdicts, metrics and reports deleted": _all(
        _delete("silver/keys"), _delete("silver/_validated"), _delete("metrics"), _delete("reports")
    ),
}


@pytest.mark.parametrize("damage", list(_DAMAGES))
def test_damage_is_found_and_mended_or_named(damage: str, lake: Path, base: Outcome) -> None:
    _DAMAGES[damage](lake / "data")
    outcome = run(lake / "bronze", lake / "data")
    if outcome.code != 0:
        assert "Traceback" not in outcome.text, outcome.text[-3000:]
        assert str(lake / "data") in outcome.text.replace("\n", "")
        return
    holds_up(outcome)
    same(outcome, base)


def test_a_good_lake_has_nothing_to_do_and_verifies(lake: Path, base: Outcome) -> None:
    outcome = run(lake / "bronze", lake / "data")
    assert "Nothing to do" in outcome.words
    same(outcome, base)
    verified = command(lake / "bronze", lake / "data", "lake", "verify")
    assert verified.code == 0, verified.text


def test_verify_names_files_of_the_same_size_and_time(lake: Path) -> None:
    changed = [
        _first(lake / "data", f"silver/{table}/*/*.parquet")
        for table in ("base/orders", "enriched/sales_velocity", "dims/customers")
    ]
    for path in changed:
        stat, content = path.stat(), bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    verified = command(lake / "bronze", lake / "data", "lake", "verify")
    assert verified.code == 1, verified.text
    for path in changed:
        assert path.parent.name in verified.words
        assert path.parent.parent.name in verified.words
    assert "Traceback" not in verified.text


@pytest.mark.parametrize("read_only", [False, True], ids=["for writing", "for reading"])
def test_a_warehouse_that_is_open_elsewhere_stops_no_run(
    read_only: bool, lake: Path, base: Outcome
) -> None:
    """Who has it open goes on reading the file as it was; the run puts a new one in its place."""
    path = _warehouse(lake / "data")
    before = path.stat().st_ino
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == 'True');"
         "print('open', flush=True); sys.stdin.read();"
         "print(c.execute('select count(*) from gold.fct_orders').fetchall()[0][0])",
         str(path), str(read_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    b.change(lake / "bronze" / "orders" / b.THIRD, b.put("order_channel", "phone"))
    outcome = run(lake / "bronze", lake / "data")
    counted, _ = holder.communicate()
    assert outcome.code == 0, outcome.text[-2000:]
    assert int(counted) == base.tables["gold/fct_orders"].height
    assert path.stat().st_ino != before
    (found,) = outcome.gold("select count(*) from gold.fct_orders")
    assert found == (base.tables["gold/fct_orders"].height,)


# ---------------------------------------------------------------- days that are held back


def _stray(bronze: Path, day: str, name: str = "ORD-STRAY") -> None:
    """One order in a partition of another day, ordered on that day."""
    whole = b.read(base_bronze() / "orders" / b.SECOND).slice(0, 1)
    for column, value in (("order_id", name), ("order_date", f"{day}T00:00:00.000000")):
        whole = b.put(column, [value], pa.string())(whole)
    b.write(bronze / "orders" / f"ingest_dt={day}", whole)


def test_a_held_back_day_does_not_carry_its_next_day(
    bronze: Path, base: Outcome, tmp_path: Path
) -> None:
    """The future's next day is no nearer to the shop's days than the future."""
    for day in ("2027-10-02", "2027-10-03"):
        _stray(bronze, day, f"ORD-{day}")
    outcome = run(bronze, tmp_path / "data")
    holds_up(outcome, held_back=("2027-10-02", "2027-10-03"))
    same(outcome, base)
    told = str(outcome.failures("bronze", "critical"))
    assert "2027-10-02" in told
    assert "2027-10-03" in told


@pytest.mark.parametrize(
    ("taken", "held"), [(("2025-11-03",), ("1999-12-31",)), ((), ("2025-11-04",))]
)
def test_the_gap_is_31_days(
    taken: tuple[str, ...], held: tuple[str, ...], bronze: Path, tmp_path: Path
) -> None:
    for day in (*taken, *held):
        _stray(bronze, day, f"ORD-{day}")
    outcome = run(bronze, tmp_path / "data", *SILVER)
    assert outcome.code == 0, outcome.text[-2000:]
    holds_up(outcome, held_back=held)
    built = {path.name for path in (tmp_path / "data/silver/base/orders").glob("*=*")}
    assert {f"ingestion_dt={day}" for day in taken} <= built
    assert not built & {f"ingestion_dt={day}" for day in held}


def test_a_day_by_name_is_processed_and_forgotten_as_if_it_had_never_come(
    lake: Path, base: Outcome
) -> None:
    _stray(lake / "bronze", "2027-10-02")
    asked = run(lake / "bronze", lake / "data", ingest_dt="2027-10-02")
    assert asked.code == 0, asked.text[-2000:]
    orders = asked.tables["base/orders"]
    assert "ORD-STRAY" in orders["order_id"].to_list()
    refused = command(lake / "bronze", lake / "data", "lake", "forget", "2027-10-02")
    assert refused.code == 1, "forgotten although Bronze still holds it"
    assert "2027-10-02" in refused.words
    assert "Traceback" not in refused.text
    shutil.rmtree(lake / "bronze" / "orders" / "ingest_dt=2027-10-02")
    _forget_and_run(lake, "2027-10-02", base)


def test_an_ordinary_day_is_forgotten_as_if_it_had_never_come(lake: Path, tmp_path: Path) -> None:
    for folder in (lake / "bronze").glob(f"*/{b.THIRD}"):
        shutil.rmtree(folder)
    without = run(lake / "bronze", tmp_path / "data")
    assert without.code == 0, without.text[-2000:]
    _forget_and_run(lake, "2025-10-03", without)


def _forget_and_run(lake: Path, day: str, expected: Outcome) -> None:
    forgot = command(lake / "bronze", lake / "data", "lake", "forget", day)
    assert forgot.code == 0, forgot.text[-2000:]
    shop = Shop(lake / "bronze", lake / "data")
    last = {tuple(one[name] for name in _PLACE): one["status"] for one in _recorded(shop)}
    stands = {(layer, table, value) for layer, table, value, *_ in standing(shop)}
    assert {place for place, status in last.items() if status == "written"} <= stands
    outcome = run(lake / "bronze", lake / "data")
    holds_up(outcome)
    newest = {name: _newest(frame) for name, frame in outcome.tables.items()}
    assert_same({name: _newest(frame) for name, frame in expected.tables.items()}, newest)


_PLACE = ("layer", "table_name", "partition_value")


def _recorded(shop: Shop) -> list[dict[str, Any]]:
    """What runs have done to the partitions of layers, the oldest first."""
    audit = trail(shop)
    runs = sorted(audit.runs(), key=lambda run: str(run["started_at"]))
    made = [one for run in runs for one in audit.records(run["run_id"])]
    return [one for one in made if one["layer"] in ("dims", "base_silver", "enriched")]


def _newest(frame: pl.DataFrame) -> pl.DataFrame:
    """Of a dimension its newest snapshot, whose day is left out; other tables as they are."""
    if "snapshot_dt" not in frame.columns:
        return frame
    return frame.filter(pl.col("snapshot_dt") == pl.col("snapshot_dt").max()).drop("snapshot_dt")


# ---------------------------------------------------------------- what leaves Bronze


@pytest.mark.parametrize(
    ("table", "key", "events"),
    [("customers", "customer_id", "orders"), ("product_catalog", "product_id", "order_items")],
)
def test_what_leaves_a_dimension_takes_no_sale_with_it(
    table: str, key: str, events: str, lake: Path, base: Outcome, tmp_path: Path
) -> None:
    sold = b.read(base_bronze() / events / b.FIRST)[key].to_pylist()
    gone = next(value for value in sold if not str(value).startswith("GUEST"))
    for folder in sorted((lake / "bronze" / table).glob("*=*")):
        whole = b.read(folder)
        kept = whole.filter(pc.not_equal(whole[key], gone))
        if kept.num_rows < whole.num_rows:
            b.write(folder, kept)
    run(lake / "bronze", lake / "data")
    again = run(lake / "bronze", lake / "data", ingest_dt="2025-10-01")
    assert again.code == 0, again.text[-2000:]
    assert_same(base.tables, again.tables, *layers(base.tables, "base"), "gold/fct_orders")
    assert not layers(again.tables, "quarantine")
    dimension = again.tables[f"gold/dim_{table.removesuffix('_catalog').rstrip('s')}s"]
    (row,) = dimension.filter(pl.col(key) == gone).drop(key, "is_guest", strict=False).rows()
    assert set(row) == {None}
    fresh = run(lake / "bronze", tmp_path / "fresh", "bronze", "dims", "base_silver")
    assert f"fk:{key}" in fresh.reasons(events)
