"""A record says of a partition what became of it and of the rows that were put aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from medallion.gates.result import GateResult, SuiteResult
from medallion.lake.manifest import FileEntry, PartitionManifest
from medallion.runs.audit.record import AuditRecord
from medallion.runs.audit.recording import completed
from tests.audit.recorded import RECORD

DAY = "2025-10-01"
RUN = AuditRecord(run_id="r1", env="local", pipeline="__default__")
WRITTEN = replace(RECORD, input_manifests={})
ASIDE = replace(WRITTEN, layer="quarantine", output_rows=3, input_rows=10)


def manifest(table: str, rows: int) -> PartitionManifest:
    files = (FileEntry(path="a.parquet", rows=rows, bytes=1, sha256="0"),)
    return PartitionManifest(
        table=table,
        partition=f"ingestion_dt={DAY}",
        files=files,
        content_hash=f"hash of {table}",
        counts={"bronze_rows": 10},
    )


def lake(**rows: int) -> Callable[[str], Mapping[str, PartitionManifest]]:
    """What stands of orders, by folder."""

    def standing(path: str) -> Mapping[str, PartitionManifest]:
        folder = path.split("/", maxsplit=1)[0]
        return {DAY: manifest(path, rows[folder])} if folder in rows else {}

    return standing


def only(records: list[AuditRecord]) -> AuditRecord:
    (record,) = records
    return record


def test_rows_put_aside_belong_to_their_partition_even_if_they_are_as_before() -> None:
    record = only(list(completed(RUN, [WRITTEN], lake(base=7, quarantine=3), {}, {})))
    assert (record.layer, record.output_rows, record.quarantine_rows) == ("base_silver", 7, 3)


def test_a_partition_changes_when_only_the_rows_put_aside_do() -> None:
    record = only(list(completed(RUN, [ASIDE], lake(base=7, quarantine=3), {}, {})))
    assert (record.layer, record.status) == ("base_silver", "written")
    assert (record.input_rows, record.output_rows, record.quarantine_rows) == (10, 7, 3)
    assert record.content_hash == "hash of base/orders"


def test_a_partition_of_which_nothing_was_accepted_has_no_rows_out() -> None:
    record = only(list(completed(RUN, [ASIDE], lake(quarantine=3), {}, {})))
    assert (record.input_rows, record.output_rows, record.quarantine_rows) == (10, 0, 3)
    assert record.content_hash is None


def test_what_was_made_again_and_came_out_the_same_is_unchanged() -> None:
    receipts = {"base_silver": [{"table": "orders", "partitions": {DAY: 7}}]}
    record = only(list(completed(RUN, [], lake(base=7, quarantine=3), receipts, {})))
    assert (record.status, record.output_rows, record.quarantine_rows) == ("unchanged", 7, 3)


@pytest.mark.parametrize(
    ("table", "expected"),
    # Of `carts`, the result keeps what an earlier run has found.
    [("orders", (5, 1)), ("returns", (None, None)), ("carts", (None, None))],
)
def test_verdicts_are_those_of_the_table(table: str, expected: tuple[int, int]) -> None:
    suites = tuple(
        SuiteResult(f"base_silver.{name}.rows", 6, 5, results=(), rows=7, seconds=0.1)
        for name in ("orders", "carts")
    )
    gate = GateResult("base_silver", "warn", 6, tables=("orders",), suites=suites)
    gates = {"base_silver": gate}
    written = replace(WRITTEN, table_name=table)
    record = only(list(completed(RUN, [written], lake(base=7), {}, gates)))
    assert (record.quality_checks_passed, record.quality_failures) == expected


def test_a_mart_has_the_rows_that_dbt_has_counted() -> None:
    mart = replace(RUN, layer="gold", table_name="fct_orders", status="written")
    receipts = {"gold": [{"table": "fct_orders", "accepted": 12}]}
    assert only(list(completed(RUN, [mart], lake(), receipts, {}))).output_rows == 12
