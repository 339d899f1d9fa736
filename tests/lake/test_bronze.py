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
        ("product_catalog/category=..", "has a value that no partition may have"),
    ],
)
def test_a_folder_that_is_no_partition_is_reported_and_ignored(
    tmp_path: Path, spec: Spec, name: str, expected: str
) -> None:
    partition(tmp_path, "orders/ingest_dt=2025-10-01")
    partition(tmp_path, name)
    inventory = listed(tmp_path, spec)
    assert any(expected in message for message in messages(tmp_path, spec))
    assert sum(len(found) for found in inventory.tables.values()) == 1


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
    assert message.startswith("orders/ingest_dt=2025-10-01: _MANIFEST.json is not a manifest")


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
