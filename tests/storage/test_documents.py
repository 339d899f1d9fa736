"""A small object says what it should, or is said not to: it never ends in a trace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DatasetError

from medallion.datasets.audit import AuditRunsDataset
from medallion.datasets.run_document import RunDocumentDataset
from medallion.datasets.state import ReceiptDataset, ReportDataset, StateDataset
from medallion.errors import DocumentError, MedallionError
from medallion.gates.ledger import Ledger
from medallion.gates.reports.docs import write_docs
from medallion.lake.damage import find_damage
from medallion.lake.disk_states import DiskStates
from medallion.lake.forgetting import drop_beyond
from medallion.lake.history import history
from medallion.lake.inventory import (
    LakeInventory,
    drop_state,
    move_pointer,
    unreadable_state,
    write_pointer,
    write_state,
)
from medallion.lake.manifest import MANIFEST
from medallion.lake.store import Lake
from medallion.runs.audit.delivery import deliver
from medallion.runs.audit.trail import AuditTrail
from medallion.runs.folder import RunFolder, unfinished
from medallion.runs.journal import Journal
from medallion.runs.lease import LEASE, Lease, read_lease
from medallion.runs.sinks.metrics import MetricsSink
from medallion.spec import Spec
from medallion.storage import Document, LocalStorage
from medallion.warehouse.duckdb import DuckDBWarehouse
from tests.observability.telling import record_of, surroundings

CONTENTS = [
    b"[]", b"{}", b"1", b'"x"', b"null", b'{"a": []}', b'{"a": {}}', b'{"a": "1"}', b"", b"\x00",
    b'[{"a": 1}]', b"\xff\xfe", b'{"orders": {"partitions": 1}}', b'{"customers": 1}',
]  # fmt: skip


class Places:
    """A lake of which nothing stands but one spoilt file, and everybody who reads it."""

    def __init__(self, top: Path, spec: Spec) -> None:
        self.top = top
        self.lake = LakeInventory(Lake(top / "silver"), spec)
        self.runs = LocalStorage(top / "runs")
        self.run = RunFolder(self.runs, "r")
        self.trail = AuditTrail(top / "metrics" / "audit")

    def read_ledger(self) -> None:
        ledger = Ledger.from_json(self.lake.validated("base_silver"), {})
        self.lake.seen("base_silver", "orders")
        ledger.kept(ledger.due({}, {}))
        unreadable_state(self.lake)

    def read_what_days_are_made_from(self) -> None:
        self.lake.enriched_state("sales_velocity")
        self.lake.days_without_rows("sales_velocity")
        unreadable_state(self.lake)
        write_state(self.lake.lake, "sales_velocity", {"2025-10-01": {"orders": "x"}})
        drop_state(self.lake.lake, "sales_velocity", {"2025-10-01"})
        drop_beyond(self.lake, [date(2025, 10, 1)])

    def read_pointer(self) -> None:
        unreadable_state(self.lake)
        move_pointer(self.lake.lake, "customers", date(2025, 10, 1))
        write_pointer(self.lake)

    def read_manifest(self) -> None:
        find_damage(self.lake.lake)
        self.lake.base("orders")

    def read_states(self) -> None:
        history(DiskStates(self.lake.lake))

    def note_a_change(self) -> None:
        self.lake.lake.note(["base/orders/ingestion_dt=2025-10-01"])
        self.lake.lake.publish("r2", {})

    def read_quality(self) -> None:
        path = self.top / "reports/quality/bronze.json"
        StateDataset(filepath=str(path), default={}).load()

    def show_quality(self) -> None:
        write_docs([self.top / "reports/quality/bronze.json"], self.top / "docs")

    def read_receipt(self) -> None:
        ReceiptDataset(filepath=str(self.top / "metrics/views.json")).load()

    def read_report(self) -> None:
        ReportDataset(filepath=str(self.top / "reports/RUN.md")).load()

    def read_warehouse(self) -> None:
        warehouse = DuckDBWarehouse(self.top / "warehouse/medallion.duckdb")
        warehouse.path.touch()
        warehouse.damage(thorough=True)
        warehouse.made_from("views")
        warehouse.marts_state()

    def join(self) -> None:
        list(unfinished(self.runs))
        self.run.open({"run_id": "r"})

    def read_steps(self) -> None:
        self.run.steps()

    def read_end(self) -> None:
        self.run.ended()
        self.run.open({})

    def read_document(self) -> None:
        dataset = RunDocumentDataset(
            filepath=str(self.top / "runs"),
            run_id="r",
            name="run_plan",
            model="medallion.planning.plan.RunPlan",
            made_by="bronze.plan_run",
        )
        dataset.load()

    def read_journal(self) -> None:
        assert list(Journal(self.top / "runs", "r").read()) == []

    def take_lease(self) -> None:
        storage = LocalStorage(self.top / "silver")
        read_lease(storage)
        lease = Lease(storage, self.top / "locks", "other")
        lease.acquire()
        lease.release(ended=True)

    def read_trail(self) -> None:
        self.trail.runs()
        list(self.trail.writers("base_silver", "orders", "2025-10-01"))
        self.trail.run("r")

    def read_records(self) -> None:
        self.trail.begin({"run_id": "other", "started_at": "2025-10-01"})
        self.trail.records("r")
        list(self.trail.writers("base_silver", "orders", None))
        AuditRunsDataset(filepath=str(self.trail.folder)).load().collect()

    def deliver(self) -> None:
        class Copy:
            name = "copy"

            def load(self, job_id: str, rows: Any) -> None:
                """Takes everything."""

        deliver(self.trail, Copy())

    def measure(self) -> None:
        sink = MetricsSink()
        sink.begin(surroundings(self.top))
        sink.end(record_of("r2", seconds=1))


FILES: dict[str, list[Callable[[Places], None]]] = {
    "silver/_validated/base_silver.json": [Places.read_ledger],
    "silver/enriched/_state/sales_velocity.json": [Places.read_what_days_are_made_from],
    "silver/dims/_latest.json": [Places.read_pointer],
    f"silver/base/orders/ingestion_dt=2025-10-01/{MANIFEST}": [Places.read_manifest],
    f"silver/{LEASE}": [Places.take_lease],
    "silver/_history/states.json": [Places.read_states, Places.note_a_change],
    "reports/quality/bronze.json": [Places.read_quality, Places.show_quality],
    "reports/RUN.md": [Places.read_report],
    "metrics/views.json": [Places.read_receipt],
    "metrics/runs/r.json": [Places.measure],
    "metrics/audit/runs/r.json": [Places.read_trail],
    "metrics/audit/r.json": [Places.read_records],
    "metrics/audit/r.steps.jsonl": [Places.read_records],
    "metrics/audit/deliveries/copy.json": [Places.deliver],
    f"warehouse/{MANIFEST}": [Places.read_warehouse],
    "warehouse/_MARTS.json": [Places.read_warehouse],
    "runs/r/request.json": [Places.join],
    "runs/r/ended.json": [Places.read_end],
    "runs/r/steps/bronze.plan_run.json": [Places.read_steps],
    "runs/r/documents/run_plan.json": [Places.read_document],
    "runs/r/events/host-1.jsonl": [Places.read_journal],
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize(
    ("file", "read"), [(file, read) for file, readers in FILES.items() for read in readers]
)
def test_a_file_that_says_something_else_is_made_anew_or_named(
    tmp_path: Path, spec: Spec, file: str, read: Callable[[Places], None], content: bytes
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    error = refused(read, Places(tmp_path, spec))
    if error:
        assert path.stem in str(error) or "Run r" in str(error)
        assert error.hint


def refused(read: Callable[[Places], None], places: Places) -> MedallionError | None:
    """What a reader says to a person; whatever else it raises is a mistake."""
    try:
        read(places)
    except MedallionError as error:
        return error
    except DatasetError as error:  # Kedro's, around what a dataset has raised
        if isinstance(error.__cause__, MedallionError):
            return error.__cause__
        raise
    return None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "it is no JSON"),
        (b'["ada@example.com"]', "it does not say what it should"),
        (b'{"a": "ada@example.com"}', "it does not say what it should (a: "),
    ],
)
def test_what_cannot_be_read_is_named_without_what_it_holds(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DocumentError) as caught:
        Document.at(tmp_path / "a.json").read(dict[str, int], {})
    assert f"{tmp_path}/a.json cannot be read: {problem}" in str(caught.value)
    assert "ada@" not in str(caught.value)


def test_a_document_that_says_the_same_is_left_as_it_is(tmp_path: Path) -> None:
    document = Document.at(tmp_path / "a.json")
    document.write({"a": 1})
    version = document.storage.read("a.json").version
    document.write({"a": 1})
    assert document.storage.read("a.json").version == version
