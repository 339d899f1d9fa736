"""Quarantined rows are shown and exported as they came, with personal values masked."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import polars as pl
import pytest

from medallion.errors import RequestError
from medallion.lake.inventory import LakeInventory
from medallion.quarantine import exporting
from medallion.quarantine.exporting import export_table, export_tables
from medallion.quarantine.rows import read_records
from medallion.quarantine.showing import readable
from medallion.spec.masking import masked
from tests.quarantine.putting_aside import kedro, put_aside, selected

MAIL = "ann.secret@example.com"


@pytest.mark.parametrize(
    ("value", "mask"),
    [
        (None, None),
        (" \t", "<masked: blank>"),
        (" N/A ", "<masked: a null word>"),
        ("Ann", "<masked: 1 to 8 characters>"),
        (MAIL, "<masked: 9 to 24 characters>"),
        ("x" * 25, "<masked: 25 to 64 characters>"),
        ("x" * 64, "<masked: 25 to 64 characters>"),
        ("x" * 65, "<masked: over 64 characters>"),
    ],
)
def test_a_mask_keeps_whether_there_is_a_value_and_about_how_long(
    value: str | None, mask: str | None
) -> None:
    sql = masked("$1::varchar", ("", "null", "n/a"))
    with duckdb.connect() as connection:
        assert connection.execute(f"select {sql}", [value]).fetchone() == (mask,)


def test_a_name_that_is_a_null_word_is_not_given_away(lake: LakeInventory) -> None:
    row = {"invalid_reason": "missing:signup_date", "last_name": "None", "email": "None"}
    put_aside(lake, "customers", 0, [row])
    (record,) = read_records(lake, "customers", selected(lake, "customers"), 5)
    assert record.values["last_name"] == "<masked: 1 to 8 characters>"
    assert record.values["email"] == "<masked: a null word>"


def test_columns_that_the_contract_does_not_know_are_masked(lake: LakeInventory) -> None:
    put_aside(lake, "orders", 0, [{"invalid_reason": "fk:customer_id", "private_mail": MAIL}])
    (record,) = read_records(lake, "orders", selected(lake, "orders"), 5)
    assert record.values["private_mail"] == "<masked: 9 to 24 characters>"


def test_key_and_offending_columns_come_first_and_values_are_raw(lake: LakeInventory) -> None:
    reason = "missing:order_date|fk:customer_id"
    row = {"invalid_reason": reason, "order_date": " N/A ", "customer_id": "CUST-0"}
    put_aside(lake, "orders", 0, [row])
    (record,) = read_records(lake, "orders", selected(lake, "orders"), 5)
    assert list(record.values.items())[:3] == [
        ("order_id", "ORD-1"),
        ("order_date", " N/A "),
        ("customer_id", "CUST-0"),
    ]
    assert (record.day, record.reason) == ("2025-10-01", reason)
    assert record.offending == ("order_date", "customer_id")


def test_partitions_with_different_columns_are_shown_together(lake: LakeInventory) -> None:
    put_aside(lake, "orders", 0, [{"invalid_reason": "fk:customer_id"}])
    put_aside(lake, "orders", 1, [{"invalid_reason": "fk:customer_id", 'odd "name"': "x"}])
    first, second = read_records(lake, "orders", selected(lake, "orders"), 5)
    assert first.values['odd "name"'] is None
    assert second.values['odd "name"'] == "<masked: 1 to 8 characters>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("CUST-1", "CUST-1"), (None, "null"), ("null", "'null'"), ("", "''"), (" x", "' x'"),
     ("\x1b[2J", "'\\x1b[2J'")],
)  # fmt: skip
def test_a_value_shows_what_plain_text_would_hide(value: str | None, shown: str) -> None:
    assert readable(value).plain == shown


@pytest.fixture
def orders(lake: LakeInventory) -> LakeInventory:
    rows = [{"invalid_reason": "fk:customer_id", "order_id": f"ORD-{n}", "email": MAIL}
            for n in range(3)]  # fmt: skip
    put_aside(lake, "orders", 0, rows)
    return lake


@pytest.mark.usefixtures("orders")
class TestShow:
    """Rows on a terminal."""

    def test_wide_rows_are_shown_one_below_the_other(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        command = ("quarantine", "show", "orders", "--limit", "2")
        shown = kedro(monkeypatch, tmp_path, *command, width=80)
        assert shown.exit_code == 0
        assert (
            "orders 2025-10-01  fk:customer_id\n  order_id                ORD-0\n" in shown.stdout
        )
        assert "> customer_id             CUST-1\n" in shown.stdout
        assert "Shown: the first 2 of 3 rows of orders" in shown.stdout
        assert MAIL not in shown.output

    def test_rows_that_fit_are_shown_as_a_table(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shown = kedro(monkeypatch, tmp_path, "quarantine", "show", "orders", width=800)
        (row,) = (line for line in shown.stdout.splitlines() if "ORD-2" in line)
        assert row.split("│")[1].strip() == "2025-10-01"
        assert row.split("│")[-2].strip() == "fk:customer_id"
        assert MAIL not in shown.output

    def test_nothing_of_the_kind_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        command = ("quarantine", "show", "orders", "--reason", "missing:order_date")
        shown = kedro(monkeypatch, tmp_path, *command)
        said = "There are no rows in quarantine of orders, with missing:order_date.\n"
        assert (shown.exit_code, shown.stdout) == (0, said)


class TestExport:
    """Rows as CSV."""

    def test_a_file_holds_every_column_with_day_and_reason_first(
        self, orders: LakeInventory, tmp_path: Path
    ) -> None:
        file = tmp_path / "new" / "orders.csv"
        assert export_table(orders, "orders", selected(orders, "orders"), file) == 3
        frame = pl.read_csv(file, infer_schema=False)
        assert frame.columns[:3] == ["ingestion_dt", "invalid_reason", "order_id"]
        assert set(frame.columns[2:]) == set(orders.spec.contract("orders"))
        assert frame["order_id"].to_list() == ["ORD-0", "ORD-1", "ORD-2"]
        assert frame["email"].unique().to_list() == ["<masked: 9 to 24 characters>"]
        assert list(file.parent.iterdir()) == [file]

    def test_null_and_blank_stay_apart(self, lake: LakeInventory, tmp_path: Path) -> None:
        row = {"invalid_reason": "fk:customer_id", "agent_id": "", "clv_bucket": None}
        put_aside(lake, "orders", 0, [row])
        export_table(lake, "orders", selected(lake, "orders"), tmp_path / "x.csv")
        heading, line = (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()
        fields = dict(zip(heading.split(","), line.split(","), strict=True))
        assert (fields["agent_id"], fields["clv_bucket"]) == ("", "<null>")

    @pytest.mark.parametrize(
        ("value", "written"),
        [
            ('=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'),
            ("+1+2", "'+1+2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3", "'-2+3"),
            (" =1+1", "' =1+1"),
            ("\t=1+1", "'\t=1+1"),
            ("\r=1+1", "'\r=1+1"),
            ("＝1+1", "'＝1+1"),  # noqa: RUF001
            ("-12.50", "-12.50"),
            ("+7", "'+7"),
            ("a=b", "a=b"),
            ("ORD-1", "ORD-1"),
        ],
    )
    def test_nothing_is_a_formula_to_a_spreadsheet(
        self, lake: LakeInventory, tmp_path: Path, value: str, written: str
    ) -> None:
        put_aside(lake, "orders", 0, [{"invalid_reason": "fk:customer_id", "agent_id": value}])
        export_table(lake, "orders", selected(lake, "orders"), tmp_path / "x.csv")
        with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
        assert row["agent_id"] == written

    def test_several_tables_go_into_a_folder(self, orders: LakeInventory, tmp_path: Path) -> None:
        put_aside(orders, "returns", 0, [{"invalid_reason": "fk:order_id"}])
        written = export_tables(orders, selected(orders), tmp_path / "out")
        assert written == {"orders": 3, "returns": 1}
        assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["orders.csv", "returns.csv"]

    def test_a_file_is_only_replaced_on_demand(self, orders: LakeInventory, tmp_path: Path) -> None:
        file = tmp_path / "orders.csv"
        file.write_text("precious", encoding="utf-8")
        asked = selected(orders, "orders")
        with pytest.raises(RequestError, match="give --force"):
            export_table(orders, "orders", asked, file)
        assert file.read_text(encoding="utf-8") == "precious"
        assert export_table(orders, "orders", asked, file, force=True) == 3

    def test_a_forced_folder_keeps_no_file_of_a_table_without_rows(
        self, orders: LakeInventory, tmp_path: Path
    ) -> None:
        (tmp_path / "returns.csv").write_text("old", encoding="utf-8")
        with pytest.raises(RequestError, match=r"returns\.csv"):
            export_tables(orders, selected(orders), tmp_path)
        export_tables(orders, selected(orders), tmp_path, force=True)
        assert [p.name for p in tmp_path.glob("*.csv")] == ["orders.csv"]

    def test_an_export_that_fails_leaves_nothing_new(
        self, orders: LakeInventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(_: str, file: Path) -> int:
            file.write_text("half", encoding="utf-8")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(exporting, "_copy", fail)
        with pytest.raises(OSError, match="No space"):
            export_table(orders, "orders", selected(orders, "orders"), tmp_path / "orders.csv")
        assert [p.name for p in tmp_path.iterdir()] == ["silver"]

    def test_a_folder_is_no_place_for_one_table_nor_a_file_for_all(
        self, orders: LakeInventory, tmp_path: Path
    ) -> None:
        with pytest.raises(RequestError, match="is a folder"):
            export_table(orders, "orders", selected(orders, "orders"), tmp_path)
        with pytest.raises(RequestError, match="is a file"):
            export_tables(orders, selected(orders), tmp_path / "all.csv")

    @pytest.mark.usefixtures("orders")
    def test_the_command_says_what_it_wrote(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        command = ("quarantine", "export", "orders", "--output", str(tmp_path / "orders.csv"))
        shown = kedro(monkeypatch, tmp_path, *command)
        assert (shown.exit_code, shown.stdout) == (
            0,
            f"orders: 3 rows in {tmp_path / 'orders.csv'}\n",
        )
        again = kedro(monkeypatch, tmp_path, *command)
        assert again.exit_code == 1
        assert "give --force to replace them" in again.stderr
