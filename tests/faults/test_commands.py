"""What commands and the catalog give out: exported rows, raw Bronze, odd consoles."""

from __future__ import annotations

import csv
import shutil
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from tests.faults import bronze as b
from tests.faults.harness import SILVER, base_bronze, command, run
from tests.running import Shop

pytestmark = pytest.mark.faults

_AGENTS = ['=HYPERLINK("http://x","y")', "+1", "@SUM(A1)", "-2+3", 'a"b;c,d', "two\nlines", "",
           None, "12345678901234567890", " lead", "null", "tab\there", "\t=1", "🛒"]  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose rejected orders have odd agents."""
    top = tmp_path_factory.mktemp("odd")
    bronze = shutil.copytree(base_bronze(), top / "bronze")
    n = len(_AGENTS)
    size = b.read(bronze / "orders" / b.SECOND).num_rows
    b.change(
        bronze / "orders" / b.SECOND,
        b.put("agent_id", [*_AGENTS, *["ONLINE"] * (size - n)], pa.string()),
        b.put("net_total", [*[-1.0] * n, *[0.0] * (size - n)]),
    )
    outcome = run(bronze, top / "data", *SILVER)
    assert outcome.code == 0, outcome.text
    return Shop(bronze, top / "data")


def test_an_exported_cell_is_no_formula_and_null_is_not_empty(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    ended = command(shop.bronze, shop.data, "quarantine", "export", "orders", "--output", str(file))
    assert ended.code == 0, ended.text
    with file.open(encoding="utf-8-sig", newline="") as opened:
        cells = [row["agent_id"] for row in csv.DictReader(opened)]
    assert len(cells) == len(_AGENTS)
    assert [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")] == []
    for plain in ('a"b;c,d', "two\nlines", "12345678901234567890", " lead", "🛒"):
        assert plain in cells
    assert len(set(cells)) == len(set(_AGENTS)), "null and empty look the same"


@pytest.mark.parametrize("verb", [("show", "orders"), ("summary",)])
def test_a_console_that_cannot_show_a_character_shows_the_rest(
    verb: tuple[str, ...], shop: Shop
) -> None:
    ended = command(shop.bronze, shop.data, "quarantine", *verb, env={"PYTHONIOENCODING": "ascii"})
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    assert "net_total" in ended.words


# ---------------------------------------------------------------- raw Bronze


def _rows(bronze: Path) -> int:
    return len(b.column(bronze, "orders", "order_id"))


def test_raw_bronze_raises_where_the_run_does(bronze: Path, tmp_path: Path) -> None:
    path = bronze / "orders" / b.SECOND / "part-0000.parquet"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(Exception, match=r"(?s)2025-10-02.*part-0000\.parquet"):
        Shop(bronze, tmp_path / "data").load("bronze.orders").collect()


def test_raw_bronze_holds_every_type_that_the_run_reads(bronze: Path, tmp_path: Path) -> None:
    moment = pa.array([0] * b.read(bronze / "orders" / b.FIRST).num_rows, pa.timestamp("us", "UTC"))
    b.change(bronze / "orders" / b.FIRST, b.put("order_date", moment))
    size = b.read(bronze / "orders" / b.SECOND).num_rows
    wide = pa.array([Decimal("1.5")] * size, pa.decimal128(38, 18))
    naive = pa.array([0] * size, pa.timestamp("us"))
    nested = pa.array([{"street": "1 A", "tags": ["x"]}] * size)
    b.change(
        bronze / "orders" / b.SECOND,
        b.put("net_total", wide),
        b.put("order_date", naive),
        b.put("shipping_address", nested),
        b.as_bytes("email"),
    )
    loaded = Shop(bronze, tmp_path / "data").load("bronze.orders").collect()
    assert loaded.height == _rows(base_bronze())
    assert loaded["net_total"].null_count() == 0
    assert loaded["order_date"].null_count() == 0


def test_raw_bronze_has_the_folders_value_where_the_files_lack_it(
    bronze: Path, tmp_path: Path
) -> None:
    for folder in sorted((bronze / "customers").glob("*=*")):
        b.change(folder, lambda table: table.drop_columns(["signup_date"]))
    loaded = Shop(bronze, tmp_path / "data").load("bronze.customers").collect()
    assert loaded["signup_date"].null_count() == 0
    expected = b.column(base_bronze(), "customers", "signup_date")
    assert sorted(str(value)[:10] for value in loaded["signup_date"]) == sorted(
        str(value)[:10] for value in expected
    )
