"""What is measured of a table convicts it when something is wrong, and only then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import polars as pl
import pytest

from medallion.gates.gx.validating import validate
from medallion.gates.gx.vocabulary import columns_named
from medallion.gates.layers import LAYERS, LayerGate
from medallion.gates.layers.base_silver import BaseSilverGate
from medallion.gates.layers.bronze import BronzeGate, Delivered
from medallion.gates.layers.dims import DimsGate
from medallion.gates.measuring import measure
from medallion.gates.result import Due
from medallion.gates.suites import Suites, load_suites
from medallion.lake.bronze import BronzeFile, BronzePartition, Finding, Listed
from medallion.lake.inventory import LakeInventory, move_pointer
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.lake.views import silver_columns
from medallion.spec import Spec
from tests.gates.test_suites import FOLDER, MODELS

DAY = date(2025, 10, 8)
DAYS = [DAY - timedelta(days=n) for n in range(7, -1, -1)]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def suites(spec: Spec) -> Suites:
    return load_suites(FOLDER, spec, MODELS)


def failed(
    connection: duckdb.DuckDBPyConnection, gate: LayerGate, suites: Suites, due: Due
) -> dict[str, str]:
    """What fails, and how gravely."""
    return {
        outcome.expectation.says: outcome.expectation.severity
        for one in validate(connection, list(measure(connection, gate, suites, [due])))
        for outcome in one.outcomes
        if not outcome.success
    }


class TestBronze:
    GOOD = Delivered(
        listed=[
            Listed("orders", "ingest_dt", str(DAY), "orders", "f", {"orders/part-0000.parquet": 90})
        ],
        opened=[],
        findings=(),
        days=[DAY],
        rows=dict.fromkeys(DAYS, 90),
    )

    def opened(self, spec: Spec, rows: int = 90, **changed: str | None) -> BronzePartition:
        types = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}
        columns = {name: types[c.bronze] for name, c in spec.contract("orders").items()}
        columns = {n: kind for n, kind in (columns | changed).items() if kind}
        file = BronzeFile("orders/part-0000.parquet", rows, tuple(columns.items()))
        return BronzePartition("orders", "ingest_dt", str(DAY), "f", (file,))

    def found(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        delivered: Delivered,
    ) -> dict[str, str]:
        gate = BronzeGate(suites.declared, {"orders": delivered})
        return failed(connection, gate, suites, Due("orders", "s", gate.current()["orders"]))

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, {}),
            ({"gross_total": "VARCHAR"}, {"no schema_drift": "warning"}),
            ({"gross_total": "AMBIGUOUS"}, {"no ambiguous_columns": "critical"}),
            ({"agent_id": "AMBIGUOUS"}, {"no ambiguous_columns": "critical"}),
            ({"": "BIGINT"}, {"no schema_drift": "warning"}),
            ({"campaign": "VARCHAR"}, {"no schema_drift": "warning"}),
            ({"agent_id": None}, {"no schema_drift": "warning"}),
            ({"source_file": None}, {}),
            ({"order_date": None}, {"no missing_required_columns": "critical"}),
        ],
    )
    def test_columns_and_types_are_the_contracts(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        spec: Spec,
        changes: dict[str, str | None],
        expected: dict[str, str],
    ) -> None:
        delivered = replace(self.GOOD, opened=[self.opened(spec, **changes)])
        assert self.found(connection, suites, delivered) == expected

    def test_a_file_has_the_rows_that_its_manifest_says(
        self, connection: duckdb.DuckDBPyConnection, suites: Suites, spec: Spec
    ) -> None:
        delivered = replace(self.GOOD, opened=[self.opened(spec, rows=89)])
        found = self.found(connection, suites, delivered)
        assert found == {"manifest_rows = footer_rows": "critical"}

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [
            (90, set()),
            (360, set()),
            (361, {"warning"}),
            (20, {"warning"}),
            (901, {"warning", "critical"}),
            (8, {"warning", "critical"}),
        ],
    )
    def test_the_volume_of_a_day_is_that_of_the_days_before(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        spec: Spec,
        rows: int,
        expected: set[str],
    ) -> None:
        delivered = replace(
            self.GOOD, opened=[self.opened(spec)], rows={**self.GOOD.rows, DAY: rows}
        )
        found = self.found(connection, suites, delivered)
        assert {severity for says, severity in found.items() if "volume_ratio" in says} == expected

    def test_few_rows_say_nothing_about_the_volume(
        self, connection: duckdb.DuckDBPyConnection, suites: Suites, spec: Spec
    ) -> None:
        rows = {**dict.fromkeys(DAYS, 3), DAY: 90}
        delivered = replace(self.GOOD, opened=[self.opened(spec)], rows=rows)
        assert self.found(connection, suites, delivered) == {}

    def test_a_day_that_is_not_there_is_missed(
        self, connection: duckdb.DuckDBPyConnection, suites: Suites
    ) -> None:
        rows = dict.fromkeys(DAYS[:-1], 90)
        incomplete = Finding("manifest_present", "orders", f"ingest_dt={DAY}", "has none")
        delivered = Delivered([], [], [incomplete], [DAY], rows)
        assert self.found(connection, suites, delivered) == {
            "has_manifest is True": "warning",
            "is_delivered is True": "critical",
        }


def write(lake: Lake, table: str, partition: str, frame: pl.DataFrame, **counts: int) -> None:
    folder = lake.root / table / partition
    folder.mkdir(parents=True)
    frame.write_parquet(folder / "part-0000.parquet")
    columns = {name: str(kind) for name, kind in frame.schema.items()}
    seal(folder, table, {"part-0000.parquet": frame.height}, columns, counts=counts)


def typed(spec: Spec, table: str, rows: list[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows with every declared column of a Silver table; what is not given is null."""
    columns = silver_columns(spec, table)
    fields = ", ".join(f"cast(unnest(?) as {kind}) as {name}" for name, kind in columns.items())
    values = [[None if r.get(n) is None else str(r[n]) for r in rows] for n in columns]
    with TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder) / "rows.parquet"
        connection.execute(f"copy (select {fields}) to '{file}' (format parquet)", values)
        return pl.read_parquet(file)


def carts(spec: Spec, *ids: str, customer: str = "GUEST-1") -> pl.DataFrame:
    moment = "2025-10-08 10:00:00"
    rows = [
        {"cart_id": i, "customer_id": customer, "created_at": moment, "cart_dt": str(DAY)}
        for i in ids
    ]
    return typed(spec, "shopping_carts", rows)


def quarantined(*reasons: str) -> pl.DataFrame:
    ids = [f"CART-Q{n}" for n in range(len(reasons))]
    return pl.DataFrame({"cart_id": ids, "invalid_reason": reasons})


class TestBaseSilver:
    @pytest.fixture
    def lake(self, tmp_path: Path, spec: Spec) -> LakeInventory:
        return LakeInventory(Lake(tmp_path), spec)

    def found(
        self, connection: duckdb.DuckDBPyConnection, suites: Suites, lake: LakeInventory
    ) -> dict[str, str]:
        due = Due("shopping_carts", "s", {str(DAY): "x"})
        return failed(connection, BaseSilverGate(suites.declared, lake, {}), suites, due)

    def test_all_is_well_with_good_rows(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        lake: LakeInventory,
        spec: Spec,
    ) -> None:
        table = "base/shopping_carts"
        write(lake.lake, table, f"ingestion_dt={DAY}", carts(spec, "A", "B"), bronze_rows=2)
        assert self.found(connection, suites, lake) == {}

    def test_a_lost_row_is_missed(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        lake: LakeInventory,
        spec: Spec,
    ) -> None:
        table = "base/shopping_carts"
        write(lake.lake, table, f"ingestion_dt={DAY}", carts(spec, "A", "B"), bronze_rows=3)
        found = self.found(connection, suites, lake)
        assert found["unaccounted_rows = 0"] == "critical"
        assert found["lost_share < 0.01"] == "critical"

    def test_a_key_is_unique_over_the_whole_history(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        lake: LakeInventory,
        spec: Spec,
    ) -> None:
        table = "base/shopping_carts"
        before = f"ingestion_dt={DAY - timedelta(days=1)}"
        write(lake.lake, table, before, carts(spec, "A"), bronze_rows=1)
        write(lake.lake, table, f"ingestion_dt={DAY}", carts(spec, "A", "B"), bronze_rows=2)
        assert self.found(connection, suites, lake) == {"repeated_keys = 0": "critical"}

    def test_orphans_count_against_the_keys_that_are_no_guests(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        lake: LakeInventory,
        spec: Spec,
    ) -> None:
        guests = [f"G{n}" for n in range(99)]
        part = f"ingestion_dt={DAY}"
        write(lake.lake, "base/shopping_carts", part, carts(spec, *guests), bronze_rows=100)
        aside = quarantined("fk:customer_id")
        write(lake.lake, "quarantine/shopping_carts", part, aside, bronze_rows=100)
        # One orphan of a hundred rows, but of one customer that is no guest.
        assert self.found(connection, suites, lake) == {
            "customer_id_found_share >= 0.99": "critical"
        }

    def test_a_pass_rate_just_below_its_sla_warns_and_far_below_fails(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        lake: LakeInventory,
        spec: Spec,
    ) -> None:
        part = f"ingestion_dt={DAY}"
        ids = [f"C{n}" for n in range(8)]
        write(lake.lake, "base/shopping_carts", part, carts(spec, *ids), bronze_rows=10)
        aside = quarantined("missing:cart_id", "missing:created_at")
        write(lake.lake, "quarantine/shopping_carts", part, aside, bronze_rows=10)
        found = self.found(connection, suites, lake)
        assert found == {
            "quarantine_share < 0.05": "critical",
            "pass_rate >= 0.95": "warning",
            "pass_rate >= 0.855": "critical",
        }

    def test_a_stored_schema_that_is_not_the_declared_one_is_told_by_name(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        lake: LakeInventory,
        spec: Spec,
    ) -> None:
        frame = carts(spec, "A").with_columns(pl.col("cart_total").cast(pl.Float64))
        part = f"ingestion_dt={DAY}"
        write(lake.lake, "base/shopping_carts", part, frame, bronze_rows=1)
        assert self.found(connection, suites, lake) == {"no schema_differences": "critical"}


class TestDimensions:
    def products(self, spec: Spec, count: int) -> pl.DataFrame:
        rows = [
            {"product_id": n, "product_name": "Lamp", "category": "home", "unit_price": 2,
             "cost_price": 1, "inventory_quantity": 5}
            for n in range(count)
        ]  # fmt: skip
        return typed(spec, "product_catalog", rows)

    @pytest.mark.parametrize(
        ("rows", "expected"),
        [(95, {}), (94, {"share_of_last_snapshot >= 0.95": "critical"})],
    )
    def test_a_dimension_does_not_lose_many_rows_at_once(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        spec: Spec,
        tmp_path: Path,
        rows: int,
        expected: dict[str, str],
    ) -> None:
        lake = Lake(tmp_path)
        table = "dims/product_catalog"
        write(lake, table, "snapshot_dt=2025-10-07", self.products(spec, 100), bronze_rows=100)
        write(lake, table, "snapshot_dt=2025-10-08", self.products(spec, rows), bronze_rows=rows)
        move_pointer(lake, "product_catalog", DAY)
        gate = DimsGate(suites.declared, LakeInventory(lake, spec), {})
        due = Due("product_catalog", "s", gate.current()["product_catalog"])
        assert failed(connection, gate, suites, due) == expected

    def test_a_dimension_without_a_snapshot_fails(
        self,
        connection: duckdb.DuckDBPyConnection,
        suites: Suites,
        spec: Spec,
        tmp_path: Path,
    ) -> None:
        gate = DimsGate(suites.declared, LakeInventory(Lake(tmp_path), spec), {})
        due = Due("product_catalog", "s", gate.current()["product_catalog"])
        assert failed(connection, gate, suites, due) == {"snapshot_dt is there": "critical"}


def test_what_is_measured_is_what_the_layer_declares(suites: Suites) -> None:
    for layer, module in LAYERS.items():
        for table in module.tables(suites.declared):
            subjects = module.subjects(suites.declared, table)
            assert suites.of(layer)[table].subjects.keys() <= subjects.keys()
            for subject, expectations in module.expectations(suites.declared, table).items():
                for expectation in expectations:
                    assert set(columns_named(expectation.arguments)) <= set(subjects[subject])
