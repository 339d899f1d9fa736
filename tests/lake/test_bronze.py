"""What is odd about a Bronze folder is said by name, and Bronze is never written."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from medallion.errors import LakeError
from medallion.lake.bronze import BronzeInventory, list_bronze
from medallion.spec import Spec


def partition(root: Path, name: str, rows: int = 2, **manifest: object) -> Path:
    """A partition `table/key=value` of one column, with its manifest."""
    folder = root / name
    folder.mkdir(parents=True)
    pl.DataFrame({"order_id": [f"ORD-{n}" for n in range(rows)]}).write_parquet(
        folder / "part-0000.parquet"
    )
    facts = {"files": [{"path": f"{name}/part-0000.parquet", "rows": rows}], "total_rows": rows}
    (folder / "_MANIFEST.json").write_text(json.dumps(facts | manifest), encoding="utf-8")
    return folder


def listed(root: Path, spec: Spec) -> BronzeInventory:
    return list_bronze(str(root), spec)


def messages(root: Path, spec: Spec) -> list[str]:
    inventory = listed(root, spec)
    _, opened = inventory.open([p for found in inventory.tables.values() for p in found])
    odd = [finding for finding in inventory.findings if finding.check != "table_present"]
    return [str(finding) for finding in [*odd, *opened]]


def test_a_good_partition_is_opened_with_its_rows_and_columns(tmp_path: Path, spec: Spec) -> None:
    partition(tmp_path, "orders/ingest_dt=2025-10-01")
    inventory = listed(tmp_path, spec)
    opened, findings = inventory.open(list(inventory.tables["orders"]))
    assert findings == []
    assert opened["orders"][0].rows == 2
    assert opened["orders"][0].files[0].columns == {"order_id": "VARCHAR"}


def test_a_missing_folder_is_an_error_with_the_way_out(tmp_path: Path, spec: Spec) -> None:
    with pytest.raises(LakeError, match=r"no Bronze folder(.|\n)*kedro bronze generate"):
        listed(tmp_path / "nowhere", spec)


def test_a_folder_without_any_table_is_an_error(tmp_path: Path, spec: Spec) -> None:
    with pytest.raises(LakeError, match="holds no Bronze table"):
        listed(tmp_path, spec)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders/ingest_dt=2025-02-30", "is no day of the calendar"),
        ("orders/ingest_dt=yesterday", "is no day of the calendar"),
        ("orders/day=2025-10-01", "is no partition (ingest_dt=... is expected)"),
        ("orders/2025-10-01", "is no partition"),
        ("orders/INGEST_DT=2025-10-01", "is no partition"),
        ("orders/ingest_dt=__HIVE_DEFAULT_PARTITION__", "is no day of the calendar"),
        ("orders/ingest_dt=2025-10-01/", "names the same day as ingest_dt=2025%2D10%2D01"),
        ("product_catalog/category=%FF", "has a name that is not UTF-8"),
        ("product_catalog/category=%00", "has a name that is not UTF-8"),
        ("product_catalog/region=emea/category=Home", "is no partition"),
    ],
)
def test_a_folder_with_rows_that_is_no_partition_is_critical(
    tmp_path: Path, spec: Spec, name: str, expected: str
) -> None:
    partition(tmp_path, "orders/ingest_dt=2025%2D10%2D01")
    partition(tmp_path, name)
    inventory = listed(tmp_path, spec)
    (odd,) = [finding for finding in inventory.findings if finding.critical]
    assert expected in str(odd)
    assert str(odd).endswith("its rows are missing")
    assert sum(len(found) for found in inventory.tables.values()) == 1


@pytest.mark.parametrize("name", ["tmp", "ingest_dt=never", "region=emea"])
def test_a_folder_without_rows_that_is_no_partition_is_only_reported(
    tmp_path: Path, spec: Spec, name: str
) -> None:
    partition(tmp_path, "orders/ingest_dt=2025-10-01")
    (tmp_path / "orders" / name).mkdir()
    (tmp_path / "orders" / name / "._part-0000.parquet").write_bytes(b"")
    (odd,) = listed(tmp_path, spec).findings[:1]
    assert (odd.partition, odd.critical) == (name, False)


def test_a_file_beside_the_partitions_is_critical_if_it_holds_rows(
    tmp_path: Path, spec: Spec
) -> None:
    folder = partition(tmp_path, "orders/ingest_dt=2025-10-01")
    (tmp_path / "orders" / "README.txt").write_text("hello", encoding="utf-8")
    (tmp_path / "orders" / "all.parquet").write_bytes((folder / "part-0000.parquet").read_bytes())
    found = {odd.partition: odd.critical for odd in listed(tmp_path, spec).findings[:2]}
    assert found == {"README.txt": False, "all.parquet": True}


def test_a_table_that_is_a_file_is_critical(tmp_path: Path, spec: Spec) -> None:
    partition(tmp_path, "orders/ingest_dt=2025-10-01")
    (tmp_path / "customers").write_bytes(b"")
    odd = [finding for finding in listed(tmp_path, spec).findings if finding.critical]
    assert [str(one) for one in odd] == ["customers: is a file; a folder of partitions is expected"]


@pytest.mark.parametrize(
    ("folder", "value"),
    [
        ("Home%20%26%20Garden", "Home & Garden"),
        ("Home & Garden", "Home & Garden"),
        ("a+b", "a+b"),
        ("100%", "100%"),
        ("M\u00f6bel", "M\u00f6bel"),
        ("M%C3%B6bel", "M\u00f6bel"),
        ("\u5bb6\u5177", "\u5bb6\u5177"),
        ("Kids' toys, [new] (50%25)", "Kids' toys, [new] (50%)"),
        ("a%2Fb", "a/b"),
        ("..", ".."),
        ("", ""),
        ("__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__"),
    ],
)
def test_the_name_of_a_partition_is_decoded(
    tmp_path: Path, spec: Spec, folder: str, value: str
) -> None:
    partition(tmp_path, f"product_catalog/category={folder}")
    inventory = listed(tmp_path, spec)
    (found,) = inventory.tables["product_catalog"]
    opened, findings = inventory.open([found])
    assert (found.value, findings) == (value, [])
    missing = value == "__HIVE_DEFAULT_PARTITION__"
    assert opened["product_catalog"][0].files[0].named == {"category": None if missing else value}


def test_a_dimension_may_have_rows_without_a_day(tmp_path: Path, spec: Spec) -> None:
    partition(tmp_path, "customers/ingest_dt=__HIVE_DEFAULT_PARTITION__")
    (found,) = listed(tmp_path, spec).tables["customers"]
    assert found.day is None


def test_an_unknown_table_is_reported_and_ignored(tmp_path: Path, spec: Spec) -> None:
    partition(tmp_path, "orders/ingest_dt=2025-10-01")
    partition(tmp_path, "orderz/ingest_dt=2025-10-01")
    assert messages(tmp_path, spec) == ["orderz: is no table of the spec; ignored"]


def test_a_partition_without_a_manifest_is_not_there_yet(tmp_path: Path, spec: Spec) -> None:
    partition(tmp_path, "orders/ingest_dt=2025-10-01")
    (partition(tmp_path, "orders/ingest_dt=2025-10-02") / "_MANIFEST.json").unlink()
    assert messages(tmp_path, spec) == [
        "orders/ingest_dt=2025-10-02: has no _MANIFEST.json, so it is not complete yet"
    ]


@pytest.mark.parametrize("content", ["{", "[]", '{"files": 3}', '{"files": [{}]}', "", "\x00"])
def test_an_unreadable_manifest_is_named_and_critical(
    tmp_path: Path, spec: Spec, content: str
) -> None:
    folder = partition(tmp_path, "orders/ingest_dt=2025-10-01")
    (folder / "_MANIFEST.json").write_text(content, encoding="utf-8")
    (message,) = messages(tmp_path, spec)
    assert message.startswith("orders/ingest_dt=2025-10-01: _MANIFEST.json ")


def test_a_truncated_file_is_named(tmp_path: Path, spec: Spec) -> None:
    file = partition(tmp_path, "orders/ingest_dt=2025-10-01") / "part-0000.parquet"
    file.write_bytes(file.read_bytes()[:100])
    partition(tmp_path, "orders/ingest_dt=2025-10-02")
    (message,) = messages(tmp_path, spec)
    assert "ingest_dt=2025-10-01: part-0000.parquet cannot be read as Parquet" in message


def test_a_listed_file_that_is_absent_is_named(tmp_path: Path, spec: Spec) -> None:
    (partition(tmp_path, "orders/ingest_dt=2025-10-01") / "part-0000.parquet").unlink()
    (message,) = messages(tmp_path, spec)
    assert "part-0000.parquet is listed in _MANIFEST.json and is not there" in message


def test_a_manifest_that_disagrees_with_its_files_is_named_with_both_numbers(
    tmp_path: Path, spec: Spec
) -> None:
    folder = partition(tmp_path, "orders/ingest_dt=2025-10-01")
    facts = {"files": [{"path": "part-0000.parquet", "rows": 7}], "total_rows": 7}
    (folder / "_MANIFEST.json").write_text(json.dumps(facts), encoding="utf-8")
    (folder / "part-0001.parquet").write_bytes((folder / "part-0000.parquet").read_bytes())
    assert messages(tmp_path, spec) == [
        "orders/ingest_dt=2025-10-01: part-0000.parquet has 2 rows, _MANIFEST.json says 7",
        "orders/ingest_dt=2025-10-01: part-0001.parquet not listed in _MANIFEST.json; not read",
    ]


@pytest.mark.parametrize("files", ["counted as nothing", "not listed"])
def test_a_manifest_that_counts_no_row_hides_none(tmp_path: Path, spec: Spec, files: str) -> None:
    name = "orders/ingest_dt=2025-10-01"
    entries = [{"path": "part-0000.parquet", "rows": 0}] if files == "counted as nothing" else []
    partition(tmp_path, name, files=entries, total_rows=0)
    (found,) = listed(tmp_path, spec).tables["orders"]
    assert found.hides_rows
    assert not found.is_empty
    (said,) = messages(tmp_path, spec)
    assert said == f"{name}: part-0000.parquet " + (
        "has 2 rows, _MANIFEST.json says 0" if entries else "not listed in _MANIFEST.json; not read"
    )


def test_a_partition_whose_files_have_no_row_is_empty(tmp_path: Path, spec: Spec) -> None:
    partition(tmp_path, "orders/ingest_dt=2025-10-01", rows=0)
    (tmp_path / "orders/ingest_dt=2025-10-02").mkdir()
    (tmp_path / "orders/ingest_dt=2025-10-02/_MANIFEST.json").write_text('{"files": []}')
    nothing = partition(tmp_path, "orders/ingest_dt=2025-10-03", rows=0)
    pl.DataFrame().write_parquet(nothing / "part-0000.parquet")
    assert [one.is_empty for one in listed(tmp_path, spec).tables["orders"]] == [True] * 3
    assert messages(tmp_path, spec) == []


@pytest.mark.parametrize(
    "name",
    [
        *("000000000000", "000000000000.gz", "part-00000", "data.pq", "a.parquet.gz", "day 1.CSV"),
        *("orders", "part-0000.parquet.bak", "part-0000.parquet.crdownload"),
    ],
)
def test_rows_that_are_there_and_not_read_are_critical_whatever_the_file_is_called(
    tmp_path: Path, spec: Spec, name: str
) -> None:
    for folder in ("ingest_dt=2025-10-01", "ingest_dt=2025-13-01"):
        part = partition(tmp_path, f"orders/{folder}") / "part-0000.parquet"
        (part.parent / name).write_bytes(part.read_bytes())
    (tmp_path / "orders/ingest_dt=2025-13-01/part-0000.parquet").unlink()
    odd, unlisted = messages(tmp_path, spec)
    assert odd.startswith("orders/ingest_dt=2025-13-01: is no day of the calendar")
    assert odd.endswith("its rows are missing")
    assert unlisted == (
        f"orders/ingest_dt=2025-10-01: {name} not listed in _MANIFEST.json; not read"
    )


@pytest.mark.parametrize(
    "name", ["README", "notes.txt", "part-0000.parquet.crc", "desktop.ini", "Thumbs.db", "_x/a.csv"]
)
def test_files_without_rows_are_nobodys_business(tmp_path: Path, spec: Spec, name: str) -> None:
    folder = partition(tmp_path, "orders/ingest_dt=2025-10-01")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"nothing of interest")
    assert messages(tmp_path, spec) == []


def test_a_listed_file_is_read_whatever_it_is_called(tmp_path: Path, spec: Spec) -> None:
    name = "000000000000"
    folder = partition(
        tmp_path, "orders/ingest_dt=2025-10-01", files=[{"path": name, "rows": 2}], total_rows=2
    )
    (folder / "part-0000.parquet").rename(folder / name)
    assert messages(tmp_path, spec) == []


def test_a_root_may_be_given_by_a_way_round(
    tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition(tmp_path / "raw [new]*?", "orders/ingest_dt=2025-10-01")
    (tmp_path / "here" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here" / "below")
    for root in ("../../raw [new]*?", f"{tmp_path}/here/..//./raw [new]*?/"):
        inventory = list_bronze(root, spec)
        opened, findings = inventory.open(inventory.tables["orders"])
        assert (findings, opened["orders"][0].rows) == ([], 2)


def test_a_manifest_cannot_name_files_outside_of_its_folder(tmp_path: Path, spec: Spec) -> None:
    folder = partition(tmp_path, "orders/ingest_dt=2025-10-01")
    facts = {"files": [{"path": "../../../etc/part-0000.parquet", "rows": 2}], "total_rows": 2}
    (folder / "_MANIFEST.json").write_text(json.dumps(facts), encoding="utf-8")
    inventory = listed(tmp_path, spec)
    opened, _ = inventory.open(list(inventory.tables["orders"]))
    assert Path(opened["orders"][0].files[0].path).parent == folder


def test_a_redelivered_partition_has_another_fingerprint(tmp_path: Path, spec: Spec) -> None:
    folder = partition(tmp_path, "orders/ingest_dt=2025-10-01", batch_id="a")
    before = listed(tmp_path, spec).tables["orders"][0].fingerprint
    manifest = folder / "_MANIFEST.json"
    manifest.write_text(manifest.read_text().replace('"a"', '"b"'), encoding="utf-8")
    assert listed(tmp_path, spec).tables["orders"][0].fingerprint != before


def test_the_real_sample_is_listed_whole(real_bronze: Path, spec: Spec) -> None:
    inventory = listed(real_bronze, spec)
    opened, findings = inventory.open([p for t in inventory.tables.values() for p in t])
    assert [*inventory.findings, *findings] == []
    assert sum(p.rows for found in opened.values() for p in found) == 116_825
