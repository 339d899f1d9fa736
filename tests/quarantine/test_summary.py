"""The summary counts rows by table and reason, and says when there is nothing."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from medallion.lake.inventory import LakeInventory
from medallion.quarantine.summary import ALL_ROWS, summarize
from tests.quarantine.putting_aside import accept, kedro, put_aside, selected

FIRST, SECOND, THIRD = (date(2025, 10, n) for n in (1, 2, 3))
BOTH = "missing:order_date|fk:customer_id"


@pytest.fixture
def orders(lake: LakeInventory) -> LakeInventory:
    """Three days of orders: two, one and no rows in quarantine, among twenty."""
    put_aside(lake, "orders", 0, [{"invalid_reason": r} for r in (BOTH, "fk:customer_id")], good=8)
    put_aside(lake, "orders", 1, [{"invalid_reason": "fk:customer_id"}], good=5)
    accept(lake, "orders", 2, 4)
    return lake


def test_a_row_counts_under_each_of_its_reasons_and_once_in_all(orders: LakeInventory) -> None:
    lines = summarize(orders, selected(orders))
    assert [(line.reason, line.rows, line.days) for line in lines] == [
        ("fk:customer_id", 3, (FIRST, SECOND)),
        ("missing:order_date", 1, (FIRST,)),
        (ALL_ROWS, 3, (FIRST, SECOND)),
    ]


def test_the_share_is_of_accepted_and_quarantined_rows(orders: LakeInventory) -> None:
    total = summarize(orders, selected(orders))[-1]
    assert (total.of, total.share) == (20, 3 / 20)


def test_a_window_limits_both_sides_of_the_share(orders: LakeInventory) -> None:
    total = summarize(orders, selected(orders, window=(SECOND, THIRD)))[-1]
    assert (total.rows, total.of) == (1, 10)


def test_days_can_be_counted_one_by_one(orders: LakeInventory) -> None:
    lines = summarize(orders, selected(orders), by_day=True)
    assert [(line.day, line.reason, line.rows, line.of) for line in lines] == [
        (FIRST, "fk:customer_id", 2, 10),
        (FIRST, "missing:order_date", 1, 10),
        (FIRST, ALL_ROWS, 2, 10),
        (SECOND, "fk:customer_id", 1, 6),
        (SECOND, ALL_ROWS, 1, 6),
    ]


def test_of_a_dimension_the_newest_snapshot_counts(lake: LakeInventory) -> None:
    bad = [{"invalid_reason": "missing:signup_date"}]
    put_aside(lake, "customers", 0, bad * 3, good=5)
    put_aside(lake, "customers", 1, bad, good=9)
    total = summarize(lake, selected(lake))[-1]
    assert (total.rows, total.of, total.days) == (1, 10, (SECOND,))


def test_a_dimension_whose_newest_snapshot_is_clean_is_left_out(lake: LakeInventory) -> None:
    put_aside(lake, "customers", 0, [{"invalid_reason": "missing:signup_date"}], good=5)
    accept(lake, "customers", 1, 6)
    assert summarize(lake, selected(lake)) == []


@pytest.mark.usefixtures("orders")
def test_the_command_prints_rows_share_and_days(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = kedro(monkeypatch, tmp_path, "quarantine", "summary", "--table", "orders")
    assert shown.exit_code == 0
    for told in ("fk:customer_id", "15.00%", "2025-10-01", "2025-10-02", "3 of 20 rows (15.00%)"):
        assert told in shown.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "There are no rows in quarantine.\n"),
        (("--table", "returns"), "There are no rows in quarantine of returns.\n"),
    ],
)
def test_an_empty_quarantine_is_said_to_be_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    shown = kedro(monkeypatch, tmp_path, "quarantine", "summary", *options)
    assert (shown.exit_code, shown.stdout) == (0, said)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--table", "carts"), "There is no table 'carts'"),
        (("--table", "../bronze"), "it may hold lower-case letters"),
        (("--start", "2025-10-32", "--end", "2025-10-31"), "is not a day of the calendar"),
        (("--start", "yesterday", "--end", "2025-10-31"), "is not a day; write it as YYYY-MM-DD"),
        (("--start", "2025-10-01"), "needs both --start and --end"),
        (("--start", "2025-10-02", "--end", "2025-10-01"), "after its end"),
    ],
)
def test_what_cannot_be_is_refused_with_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], said: str
) -> None:
    shown = kedro(monkeypatch, tmp_path, "quarantine", "summary", *options)
    assert shown.exit_code == 2
    assert said in shown.stderr
    assert "Traceback" not in shown.output


def test_a_damaged_file_is_named_in_a_message(
    orders: LakeInventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = (orders.lake.root / "quarantine/orders/ingestion_dt=2025-10-02").glob("*.parquet")
    file.write_bytes(b"no parquet")
    shown = kedro(monkeypatch, tmp_path, "quarantine", "summary")
    assert shown.exit_code == 1
    assert "The quarantine cannot be read" in shown.stderr
