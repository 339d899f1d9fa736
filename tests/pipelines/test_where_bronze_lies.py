"""Where Bronze and the results lie, and who laid Bronze out, changes no row."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from medallion.errors import GateError
from medallion.spec import Spec
from tests.running import Shop, two_light_days

DAY = "ingest_dt=2025-10-02"
COMPARED = [
    "base_silver.orders",
    "base_silver.cart_items",
    "quarantine.orders",
    "dims.customers",
    "dims.product_catalog",
    "enriched.daily_business_metrics",
    "bronze.product_catalog",
    "bronze.orders",
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Path:
    root = tmp_path_factory.mktemp("good") / "bronze"
    return two_light_days(root, spec)


@pytest.fixture(scope="module")
def plain(good: Path) -> Shop:
    """The shop as our own producer delivers it, in folders without odd names."""
    shop = Shop(good, good.parent / "data")
    shop.run()
    return shop


def redeliver(folder: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Writes the files of a partition as one, under another name, with a manifest of few words."""
    files = sorted(folder.glob("*.parquet"))
    read = [pl.read_parquet(file, glob=False, hive_partitioning=False) for file in files]
    frame = change(pl.concat(read))
    for file in files:
        file.unlink()
    frame.write_parquet(folder / name)
    (folder / f".{name}.crc").write_bytes(b"crc")
    (folder / f"._{name}").write_bytes(b"Mac OS X")
    facts = {"files": [{"path": f"C:\\lake\\{folder.name}\\{name}", "rows": str(frame.height)}]}
    (folder / "_MANIFEST.json").write_text(json.dumps(facts), encoding="utf-8")


def lay_out_as_spark_does(bronze: Path) -> None:
    for table, key in (("customers", "signup_date"), ("product_catalog", "category")):
        for number, folder in enumerate(sorted((bronze / table).glob("*=*"))):
            name = f"part-00000-{number:08x}.c000.snappy.parquet"
            redeliver(folder, name, lambda frame, key=key: frame.drop(key))  # type: ignore[misc]
    redeliver(bronze / "orders" / DAY, "[orders] *.parquet", lambda frame: frame)
    (bronze / "orders" / DAY).rename(bronze / "orders" / "ingest_dt=2025%2D10%2D02")


def test_odd_folders_and_sparks_layout_change_nothing(
    good: Path, plain: Shop, tmp_path: Path
) -> None:
    above = tmp_path / "order_channel=web" / "ingest_dt=2025-11-29" / "it's [c]l*i?ent 100% \u00fc"
    bronze = above / "category=x" / "bronze"
    shutil.copytree(good, bronze)
    lay_out_as_spark_does(bronze)
    data = tmp_path / "region=emea" / "ingestion_dt=2025-10-02" / "snapshot_dt=x [y]'s" / "data"
    shop = Shop(Path(f"file://{bronze}"), data)
    assert shop.run()["status"] == "succeeded"
    for name in COMPARED:
        expected = plain.table(name)
        found = shop.table(name).select(expected.columns)
        assert found.sort(found.columns).equals(expected), name
    marts = [row[0] for row in plain.sql("select table_name from duckdb_tables()")]
    assert len(marts) == 13
    for mart in marts:
        query = f"from gold.{mart} order by all"
        assert shop.sql(query) == plain.sql(query), mart
    for view in ("base_silver.orders", "quarantine.orders", "dims.customers", "audit.runs"):
        counted = f"select count(*) > 0 from {view}"
        assert shop.sql(counted) == [(True,)], view


def test_a_partition_that_cannot_be_read_is_critical_and_stops_a_strict_run(
    good: Path, tmp_path: Path
) -> None:
    shop = Shop(tmp_path / "bronze", tmp_path / "data")
    shutil.copytree(good, shop.bronze)
    (shop.bronze / "orders" / DAY).rename(shop.bronze / "orders" / "day=2025-10-02")
    report = shop.run("bronze")
    failures = report["gates"]["bronze"]["failures"]
    (failure,) = [found for found in failures if found["name"] == "partition_name"]
    assert (failure["table"], failure["partition"]) == ("orders", "day=2025-10-02")
    assert failure["severity"] == "critical"
    assert "its rows are missing" in failure["observed"]
    with pytest.raises(GateError, match=r"day=2025-10-02: is no partition"):
        shop.run("bronze", quality={"mode": "strict"})


def as_guest(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.format("GUEST-{}", pl.int_range(pl.len())).alias("customer_id"))


def test_a_shop_that_sells_to_guests_only_has_an_empty_dimension(
    good: Path, tmp_path: Path
) -> None:
    shop = Shop(tmp_path / "bronze", tmp_path / "data")
    shutil.copytree(good, shop.bronze)
    shutil.rmtree(shop.bronze / "customers")
    for table in ("orders", "shopping_carts", "returns"):
        for folder in (shop.bronze / table).glob("*=*"):
            redeliver(folder, "part-0000.parquet", as_guest)
    report = shop.run()
    assert report["status"] == "succeeded"
    told = [f for f in report["gates"]["dims"]["failures"] if f["table"] == "customers"]
    assert {failure["severity"] for failure in told} == {"warning"}
    assert shop.table("dims.customers").is_empty()
    orders = shop.table("base_silver.orders").height
    assert shop.sql("select count(*) from gold.fct_orders") == [(orders,)]
    assert shop.sql("select bool_and(is_guest) from gold.dim_customers") == [(True,)]
    assert shop.sql("select count(*) from dims.customers") == [(0,)]
    again = shop.run()
    assert not any(dimension["stale"] for dimension in again["plan"]["dimensions"])
