"""Where Bronze and the results lie, how folders and files are called, and what manifests say."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.faults import bronze as b
from tests.faults.cases import same, same_and_unnoticed
from tests.faults.harness import (
    DIMENSIONS,
    EVENTS,
    SILVER,
    Outcome,
    assert_same,
    base_bronze,
    holds_up,
    layers,
    run,
)
from tests.running import Shop

# Every name that is a column or a partition key somewhere, with a value that would be wrong.
_ABOVE = (
    "ingest_dt=2025-11-29/ingestion_dt=2025-10-02/signup_date=2020-01-01/category=Toys/"
    "snapshot_dt=2025-10-01/order_channel=web/status=open/invalid_reason=x/customer_id=1"
)
pytestmark = pytest.mark.faults


def test_folders_above_both_roots_mean_nothing(base: Outcome, tmp_path: Path) -> None:
    root = tmp_path / "in" / _ABOVE / "bronze"
    shutil.copytree(base_bronze(), root)
    data = tmp_path / "out" / _ABOVE / "data"
    outcome = run(root, data)
    holds_up(outcome)
    same(outcome, base)
    loaded = Shop(root, data).load("bronze.orders").collect()
    whole = b.column(base_bronze(), "orders", "order_channel")
    assert sorted(loaded["order_channel"].to_list(), key=str) == sorted(whole, key=str)


def test_glob_characters_in_both_roots_are_characters(base: Outcome, tmp_path: Path) -> None:
    """Siblings that the patterns would match hold other files of the same names."""
    decoys = {"s[1]*?p": "s1xxp", "o[!c]": "oad"}
    (there, decoy), (results, other) = decoys.items()
    root = tmp_path / there / "bronze"
    shutil.copytree(base_bronze(), root)
    shutil.copytree(base_bronze(), tmp_path / decoy / "bronze")
    b.change(tmp_path / decoy / "bronze" / "orders" / b.SECOND, b.put("order_id", "ORD-DECOY"))
    shutil.copytree(base.data, tmp_path / other / "data")
    outcome = run(root, tmp_path / results / "data")
    holds_up(outcome)
    same(outcome, base)


def _star(bronze: Path) -> None:
    """A file whose name is a pattern that does not match itself."""
    whole = b.read(bronze / "cart_items" / b.FIRST)
    b.write(bronze / "cart_items" / b.FIRST, whole, names=["part-[0]*.parquet"])


def _spark_files(bronze: Path) -> None:
    for folder in sorted((bronze / "cart_items").glob("*=*")):
        (folder / "._SUCCESS.crc").write_bytes(b"x")
        (folder / "_committed_17").write_text("{}", encoding="utf-8")
        (folder / "_temporary" / "0").mkdir(parents=True)
        (folder / "_temporary" / "0" / "part-9.parquet").write_bytes(b"half")
        (folder / ".part-0.parquet.swp").write_bytes(b"x")
        (folder / "_backup.parquet").write_bytes(b"no parquet")


def _tools_folders(bronze: Path) -> None:
    for name in ("_delta_log", ".Trash-1000", "_spark_metadata", ".ipynb_checkpoints"):
        for place in (bronze, bronze / "orders", bronze / "customers"):
            (place / name / "ingest_dt=2025-10-09").mkdir(parents=True)
            (place / name / "ingest_dt=2025-10-09" / "x.parquet").write_bytes(b"x")


def _manifest(change: Callable[[dict[str, Any]], None], *tables: str) -> Callable[[Path], None]:
    def damage(bronze: Path) -> None:
        for table in tables or EVENTS:
            for path in (bronze / table).glob("*/_MANIFEST.json"):
                facts = json.loads(path.read_text(encoding="utf-8"))
                change(facts)
                path.write_text(json.dumps(facts), encoding="utf-8")

    return damage


def _no_totals(facts: dict[str, Any]) -> None:
    facts["total_rows"] = None
    for file in facts["files"]:
        file["rows"] = f" {file['rows']} "


def _windows(facts: dict[str, Any]) -> None:
    for file in facts["files"]:
        file["path"] = "D:\\lake\\raw\\" + file["path"].replace("/", "\\")


def _url(facts: dict[str, Any]) -> None:
    for file in facts["files"]:
        file["path"] = "s3://bucket/raw/" + file["path"].replace("=", "%3D")


def _bare(facts: dict[str, Any]) -> None:
    for file in facts["files"]:
        file["path"] = "./" + file["path"].split("/")[-1]


def _subfolders(bronze: Path) -> None:
    for table in ("orders", "customers"):
        for folder in sorted((bronze / table).glob("*=*")):
            b.write(folder, b.read(folder), names=["attempt_1/part-0.parquet"])


def _dimensions_by_day(bronze: Path) -> None:
    """The layout with ingest_dt, as Spark leaves it: everything of a day in one folder."""
    for table in DIMENSIONS:
        whole = pa.concat_tables(
            [b.read(folder) for folder in sorted((bronze / table).glob("*=*"))]
        )
        shutil.rmtree(bronze / table)
        b.write(bronze / table / b.FIRST, whole, names=["part-00000-0a-c000.snappy.parquet"])


def _escaped_day(bronze: Path) -> None:
    for table in EVENTS:
        folder = bronze / table / b.SECOND
        if folder.exists():
            whole = b.read(folder)
            shutil.rmtree(folder)
            b.write(bronze / table / "ingest_dt=2025%2D10%2D02", whole)


# What changes nothing alone changes nothing together, and takes one run instead of many.
_LAYOUTS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "manifests, and what tools leave": (
        _dimensions_by_day,
        _manifest(_no_totals),
        _manifest(_windows, "orders", "order_items"),
        _manifest(_url, "shopping_carts", "cart_items"),
        _manifest(_bare, *DIMENSIONS, "returns", "return_items"),
        _tools_folders,
    ),
    "names of files and folders": (_escaped_day, _star, _subfolders, _spark_files),
}


@pytest.mark.parametrize("layout", list(_LAYOUTS))
def test_another_writers_layout_changes_nothing(
    layout: str, bronze: Path, base: Outcome, tmp_path: Path
) -> None:
    for deliver in _LAYOUTS[layout]:
        deliver(bronze)
    outcome = run(bronze, tmp_path / "data", *SILVER)
    assert "Traceback" not in outcome.text, outcome.text[-3000:]
    same_and_unnoticed(outcome, base)


@pytest.mark.parametrize(
    ("field", "value"),
    [("total_rows", [3]), ("total_rows", 1.5), ("rows", "x")],
)
def test_a_count_that_is_no_number_is_named(
    field: str, value: Any, bronze: Path, tmp_path: Path
) -> None:
    path = bronze / "orders" / b.SECOND / "_MANIFEST.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    (facts if field == "total_rows" else facts["files"][0])[field] = value
    path.write_text(json.dumps(facts), encoding="utf-8")
    outcome = run(bronze, tmp_path / "data", "bronze")
    told = outcome.words + (str(outcome.failures("bronze")) if outcome.code == 0 else "")
    assert "Traceback" not in outcome.text, outcome.text[-3000:]
    assert f"{b.SECOND}" in told
    assert field in told


def test_partition_folders_that_cannot_be_read_are_critical(bronze: Path, tmp_path: Path) -> None:
    odd = {"orders": "ingest_dt=2025-02-30", "returns": "2025-10-02"}
    for table, name in odd.items():
        b.write(bronze / table / name, b.read(min((bronze / table).glob("*=*"))))
    outcome = run(bronze, tmp_path / "data", "bronze", quality={"mode": "strict"})
    assert outcome.code == 1, "a strict run went on although rows are missing"
    assert [f"{table}/{name}" for table, name in odd.items() if name not in outcome.words] == []
    assert "Traceback" not in outcome.text


def test_a_folder_whose_value_is_no_date_costs_the_rows_that_need_one(
    bronze: Path, tmp_path: Path
) -> None:
    whole = b.read(min((bronze / "customers").glob("*=*")))
    b.write(bronze / "customers" / "signup_date=soon", whole.drop_columns(["signup_date"]))
    outcome = run(bronze, tmp_path / "data", "bronze", "dims")
    assert outcome.code == 0, outcome.text[-2000:]
    assert outcome.reasons("customers") == {"unparseable:signup_date": whole.num_rows}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the test's own."""
    memory = Path("/dev/shm")  # noqa: S108 - another file system is the point
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.mark.parametrize("part", ["silver", "silver/base", "warehouse"])
def test_a_part_of_the_lake_may_lie_on_another_file_system(
    part: str, base: Outcome, bronze: Path, elsewhere: Path, tmp_path: Path
) -> None:
    link = tmp_path / "data" / part
    link.parent.mkdir(parents=True)
    (elsewhere / "there").mkdir()
    link.symlink_to(elsewhere / "there")
    outcome = run(bronze, tmp_path / "data", *(() if part == "warehouse" else SILVER))
    holds_up(outcome)
    same(outcome, base)
    assert link.is_symlink()
    assert list((elsewhere / "there").iterdir())


@pytest.mark.parametrize("shape", ["no folder", "no rows"])
def test_a_shop_without_products_keeps_its_orders(
    shape: str, bronze: Path, base: Outcome, tmp_path: Path
) -> None:
    some = b.read(bronze / "product_catalog" / "category=Home")
    shutil.rmtree(bronze / "product_catalog")
    if shape == "no rows":
        b.write(bronze / "product_catalog" / "category=Home", some.slice(0, 0))
    outcome = run(bronze, tmp_path / "data", *(SILVER if shape == "no rows" else ()))
    holds_up(outcome)
    assert outcome.code == 0, outcome.text[-2000:]
    untouched = ("base/orders", "base/shopping_carts", "base/returns", "dims/customers")
    assert_same(base.tables, outcome.tables, *untouched)
    lines = base.tables["base/order_items"].height
    assert outcome.reasons("order_items") == {"fk:product_id": lines}
    assert not layers(
        {name: frame for name, frame in outcome.tables.items() if name == "dims/product_catalog"},
        "dims",
    )
