"""What the folders of Bronze say fills the columns that the files lack, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from medallion.datasets.bronze import BronzeTableDataset
from medallion.dbt_project.sources import BronzeView
from medallion.lake.bronze import list_bronze
from medallion.spec import Spec
from tests.conftest import PROJECT

ROOTS = [
    "bronze",
    "order_channel=web/category=x/bronze",
    "ingest_dt=2025-11-29/bronze",
    "[c]*?/signup_date=2020-01-01/it's 100% \u00fc",
]


def deliver(root: Path, partition: str, files: Mapping[str, pl.DataFrame]) -> None:
    """Delivers a partition `table/key=value` whose files have the given names."""
    folder = root / partition
    for name, frame in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(folder / name)
    listed = [{"path": name, "rows": frame.height} for name, frame in files.items()]
    (folder / "_MANIFEST.json").write_text(json.dumps({"files": listed}), encoding="utf-8")
    (folder / "_SUCCESS").touch()


def rows(root: Path, spec: Spec, table: str, *columns: str) -> list[tuple[object, ...]]:
    """The columns of a table as a run sees them."""
    inventory = list_bronze(str(root), spec)
    opened, findings = inventory.open(inventory.tables[table])
    assert findings == []
    statement = BronzeView(table, opened[table], spec).statement
    with duckdb.connect() as connection:
        query = f"select {', '.join(columns)} from ({statement}) order by all"
        return connection.execute(query).fetchall()


def loaded(root: Path, table: str, *columns: str) -> list[tuple[object, ...]]:
    """The columns of a table as the catalog loads them."""
    dataset = BronzeTableDataset(
        filepath=str(root), spec=str(PROJECT / "conf/base/spec.yml"), table=table
    )
    return sorted(dataset.load().select(columns).collect().rows(), key=repr)


def product(number: int, **more: object) -> pl.DataFrame:
    return pl.DataFrame({"product_id": [number], **{n: [value] for n, value in more.items()}})


@pytest.mark.parametrize("root", ROOTS)
def test_the_folder_fills_the_column_that_files_lack(tmp_path: Path, spec: Spec, root: str) -> None:
    bronze = tmp_path / root
    folders = [
        "Home%20%26%20Garden",
        "Kids' [new], 50%",
        "\u5bb6\u5177",
        "__HIVE_DEFAULT_PARTITION__",
    ]
    for number, folder in enumerate(folders):
        name = f"part-0000{number}-5f6e.c000.snappy.parquet"
        deliver(bronze, f"product_catalog/category={folder}", {name: product(number)})
    values = ["Home & Garden", "Kids' [new], 50%", "\u5bb6\u5177", None]
    expected = list(enumerate(values))
    assert rows(bronze, spec, "product_catalog", "product_id", "category") == expected
    assert loaded(bronze, "product_catalog", "product_id", "category") == expected


@pytest.mark.parametrize("root", ROOTS)
def test_the_column_counts_where_files_have_it(tmp_path: Path, spec: Spec, root: str) -> None:
    bronze = tmp_path / root
    deliver(bronze, "product_catalog/category=Home", {"a.parquet": product(1, category="Toys")})
    deliver(bronze, "product_catalog/category=Toys", {"a.parquet": product(2)})
    expected = [(1, "Toys"), (2, "Toys")]
    assert rows(bronze, spec, "product_catalog", "product_id", "category") == expected
    assert loaded(bronze, "product_catalog", "product_id", "category") == expected


def test_a_column_may_be_in_the_folder_here_and_a_number_there(tmp_path: Path, spec: Spec) -> None:
    deliver(tmp_path, "product_catalog/category=7", {"a.parquet": product(1)})
    deliver(tmp_path, "product_catalog/category=8", {"a.parquet": product(2, category=8)})
    found = rows(tmp_path, spec, "product_catalog", "product_id", "category", "category__held")
    assert found == [(1, "7", "text"), (2, "8", "other")]


def test_a_name_that_differs_in_case_is_another_column(tmp_path: Path, spec: Spec) -> None:
    deliver(tmp_path, "product_catalog/category=Home", {"a.parquet": product(1, CATEGORY="Toys")})
    found = rows(tmp_path, spec, "product_catalog", "category", "CATEGORY__bronze")
    assert found == [("Home", "Toys")]


def order(number: int, **more: object) -> pl.DataFrame:
    return pl.DataFrame({"order_id": [f"ORD-{number}"], **{n: [v] for n, v in more.items()}})


@pytest.mark.parametrize("root", ROOTS)
def test_the_folder_counts_for_the_ingest_day(tmp_path: Path, spec: Spec, root: str) -> None:
    bronze = tmp_path / root
    deliver(bronze, "orders/ingest_dt=2025-10-01", {"a.parquet": order(1)})
    late = order(2, ingest_dt="2025-12-24", INGESTION_DT="x")
    deliver(bronze, "orders/ingest_dt=2025%2D10%2D02", {"a.parquet": late})
    assert rows(bronze, spec, "orders", "order_id", "ingestion_dt", "order_channel") == [
        ("ORD-1", date(2025, 10, 1), None),
        ("ORD-2", date(2025, 10, 2), None),
    ]


def test_files_may_lie_in_subfolders_which_fill_columns_too(tmp_path: Path, spec: Spec) -> None:
    files = {
        "order_channel=web/a.parquet": order(1),
        "order_channel=social%20media/a.parquet": order(2),
        "hour=05/ingest_dt=2030-01-01/a.parquet": order(3, order_channel="ebay"),
    }
    deliver(tmp_path, "orders/ingest_dt=2025-10-01", files)
    day = date(2025, 10, 1)
    expected = [
        ("ORD-1", "web", day),
        ("ORD-2", "social media", day),
        ("ORD-3", "ebay", day),
    ]
    assert rows(tmp_path, spec, "orders", "order_id", "order_channel", "ingestion_dt") == expected
    assert loaded(tmp_path, "orders", "order_id", "order_channel", "ingest_dt") == expected


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize(
    ("partition", "below", "day"),
    [
        ("customers/ingest_dt=2025-10-01", "signup_date=2024-02-29/gender=f", date(2025, 10, 1)),
        ("customers/signup_date=2024-02-29", "gender=f/ingest_dt=2025-10-01", None),
    ],
)
def test_the_folders_below_those_of_a_dimension_fill_columns_too(
    tmp_path: Path, spec: Spec, root: str, partition: str, below: str, day: date | None
) -> None:
    customer = pl.DataFrame({"customer_id": ["C-1"]})
    deliver(tmp_path / root, partition, {f"{below}/a.parquet": customer})
    columns = ("customer_id", "signup_date", "gender")
    expected = [("C-1", "2024-02-29", "f")]
    assert rows(tmp_path / root, spec, "customers", *columns) == expected
    assert loaded(tmp_path / root, "customers", *columns) == expected
    assert [row[0] for row in rows(tmp_path / root, spec, "customers", "ingestion_dt")] == [day]


def test_a_number_here_and_a_folder_there_are_text_for_the_run_and_the_catalog(
    tmp_path: Path, spec: Spec
) -> None:
    files = {
        "total_items=3/a.parquet": order(1),
        "total_items=__HIVE_DEFAULT_PARTITION__/a.parquet": order(2),
        "b.parquet": order(3, total_items=4),
        "c.parquet": order(4),
    }
    deliver(tmp_path, "orders/ingest_dt=2025-10-01", files)
    columns = ("order_id", "total_items")
    expected = [("ORD-1", "3"), ("ORD-2", None), ("ORD-3", "4"), ("ORD-4", None)]
    assert rows(tmp_path, spec, "orders", *columns) == expected
    assert loaded(tmp_path, "orders", *columns) == expected


def test_a_sibling_that_the_name_of_a_file_matches_is_not_read(tmp_path: Path, spec: Spec) -> None:
    deliver(tmp_path, "orders/ingest_dt=2025-10-01", {"part[1].parquet": order(1)})
    deliver(tmp_path, "orders/ingest_dt=2025-10-02", {"part1.parquet": order(2)})
    stray = tmp_path / "orders" / "ingest_dt=2025-10-01" / "._part1.parquet"
    stray.with_name("_part1.parquet").write_bytes(b"")
    assert [row[0] for row in rows(tmp_path, spec, "orders", "order_id")] == ["ORD-1", "ORD-2"]
    assert [row[0] for row in loaded(tmp_path, "orders", "order_id")] == ["ORD-1", "ORD-2"]
