"""The plan finds what is new or was delivered again, and says why."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from medallion.errors import RequestError
from medallion.lake.bronze import BronzeInventory, Listed
from medallion.lake.inventory import LakeInventory, move_pointer
from medallion.lake.manifest import fingerprint
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.planning.plan import RunPlan, found_here, plan_run
from medallion.planning.request import parse_request
from medallion.spec import Spec

MONDAY = date(2025, 10, 6)


def day(n: int) -> date:
    return MONDAY + timedelta(days=n)


def listed(table: str, n: int, delivery: str = "first", rows: int = 5) -> Listed:
    return Listed(table, "ingest_dt", str(day(n)), f"/bronze/{table}", delivery, {"f": rows})


def bronze(*partitions: Listed) -> BronzeInventory:
    tables: dict[str, tuple[Listed, ...]] = {}
    for partition in partitions:
        tables[partition.table] = (*tables.get(partition.table, ()), partition)
    return BronzeInventory("/bronze", tables, ())


def processed(
    lake: LakeInventory, table: str, n: int, delivery: str = "first", layer: str = "base"
) -> None:
    folder = lake.lake.root / layer / table / f"ingestion_dt={day(n)}"
    folder.mkdir(parents=True)
    seal(folder, f"{layer}/{table}", {}, {}, inputs={"bronze": delivery})


@pytest.fixture
def lake(tmp_path: Path, spec: Spec) -> LakeInventory:
    return LakeInventory(Lake(tmp_path), spec)


def planned(spec: Spec, lake: LakeInventory, *partitions: Listed, **asked: object) -> RunPlan:
    return plan_run(parse_request(asked), spec, bronze(*partitions), lake)


def reasons(plan: RunPlan) -> dict[tuple[str, int], str]:
    return {(p.table, (p.day - MONDAY).days): p.reason for p in plan.partitions}


def test_everything_is_new_at_first(spec: Spec, lake: LakeInventory) -> None:
    plan = planned(spec, lake, listed("orders", 0), listed("returns", 1))
    assert reasons(plan) == {("orders", 0): "new", ("returns", 1): "new"}
    assert (plan.start, plan.end, plan.horizon) == (day(0), day(1), day(1))


def test_nothing_is_pending_when_all_was_processed(spec: Spec, lake: LakeInventory) -> None:
    processed(lake, "orders", 0)
    assert reasons(planned(spec, lake, listed("orders", 0))) == {}


def test_a_day_whose_rows_all_went_to_quarantine_was_processed(
    spec: Spec, lake: LakeInventory
) -> None:
    processed(lake, "orders", 0, layer="quarantine")
    assert reasons(planned(spec, lake, listed("orders", 0))) == {}


def test_a_redelivered_partition_takes_its_whole_day_along(spec: Spec, lake: LakeInventory) -> None:
    for table in ("orders", "order_items"):
        processed(lake, table, 0)
        processed(lake, table, 1)
    plan = planned(
        spec,
        lake,
        listed("orders", 0, "second"),
        listed("orders", 1),
        listed("order_items", 0),
        listed("order_items", 1),
    )
    assert reasons(plan) == {
        ("orders", 0): "delivered again",
        ("order_items", 0): "orders of the day changed",
    }


def test_an_empty_partition_is_not_pending_for_ever(spec: Spec, lake: LakeInventory) -> None:
    processed(lake, "orders", 0)
    plan = planned(spec, lake, listed("orders", 0), listed("returns", 0, rows=0))
    assert reasons(plan) == {}


def test_a_partition_that_says_it_is_empty_and_is_not_is_pending(
    spec: Spec, lake: LakeInventory
) -> None:
    lying = replace(listed("orders", 0, rows=0), hides_rows=True)
    assert reasons(planned(spec, lake, lying)) == {("orders", 0): "new"}


def test_a_partition_that_was_emptied_is_processed_again(spec: Spec, lake: LakeInventory) -> None:
    processed(lake, "orders", 0)
    assert reasons(planned(spec, lake, listed("orders", 0, "second", rows=0))) == {
        ("orders", 0): "delivered again"
    }


def test_a_window_is_processed_whether_or_not_it_was_before(
    spec: Spec, lake: LakeInventory
) -> None:
    processed(lake, "orders", 0)
    processed(lake, "orders", 3)
    plan = planned(
        spec, lake, listed("orders", 0), listed("orders", 2), ingest_dt=day(0).isoformat()
    )
    assert reasons(plan) == {("orders", 0): "asked for"}
    assert (plan.end, plan.horizon) == (day(0), day(3))


def test_a_window_without_data_is_refused_with_what_there_is(
    spec: Spec, lake: LakeInventory
) -> None:
    with pytest.raises(RequestError, match=f"no data on {day(9)}; it has {day(0)} to {day(0)}"):
        planned(spec, lake, listed("orders", 0), ingest_dt=day(9).isoformat())


def test_a_partition_that_left_bronze_keeps_its_silver_and_is_reported(
    spec: Spec, lake: LakeInventory
) -> None:
    processed(lake, "orders", 0)
    processed(lake, "orders", 1)
    plan = planned(spec, lake, listed("orders", 1))
    assert reasons(plan) == {}
    assert [str(finding) for finding in plan.findings] == [
        f"ingest_dt={day(0)}: is no longer in Bronze (orders); its Silver rows stay."
        f" `kedro lake forget {day(0)}` takes them out"
    ]


class TestFreshness:
    """A dimension is rebuilt when it is old, damaged or changed, and only then."""

    @staticmethod
    def customers(delivery: str = "first") -> Listed:
        return Listed("customers", "signup_date", "2025-01-01", "/b", delivery, {"f": 1})

    def snapshot(self, lake: LakeInventory, n: int, delivery: str = "first") -> None:
        one = self.customers(delivery)
        stamp = fingerprint([(one.key, one.value, one.fingerprint)])
        folder = lake.lake.root / "dims/customers" / f"snapshot_dt={day(n)}"
        folder.mkdir(parents=True)
        (folder / "snapshot.parquet").write_bytes(b"rows")
        rows = {"snapshot.parquet": 1}
        seal(folder, "dims/customers", rows, {}, inputs={"bronze": stamp})
        keys = lake.lake.root / "keys/customers/version=current"
        keys.mkdir(parents=True)
        seal(keys, "keys/customers", {}, {})

    def verdict(self, spec: Spec, lake: LakeInventory, n: int, delivery: str) -> tuple[bool, str]:
        plan = planned(
            spec, lake, self.customers(delivery), listed("orders", n), ingest_dt=str(day(n))
        )
        dimension = next(d for d in plan.dimensions if d.name == "customers")
        return dimension.stale, dimension.reason

    def test_without_a_snapshot_it_is_built(self, spec: Spec, lake: LakeInventory) -> None:
        assert self.verdict(spec, lake, 0, "first") == (True, "there is no snapshot yet")

    def test_on_the_same_day_it_is_fresh(self, spec: Spec, lake: LakeInventory) -> None:
        self.snapshot(lake, 0)
        assert self.verdict(spec, lake, 0, "first")[0] is False

    def test_a_run_over_an_older_day_leaves_it(self, spec: Spec, lake: LakeInventory) -> None:
        self.snapshot(lake, 5)
        assert self.verdict(spec, lake, 0, "first")[0] is False

    def test_a_day_later_it_is_stale(self, spec: Spec, lake: LakeInventory) -> None:
        self.snapshot(lake, 0)
        assert self.verdict(spec, lake, 1, "first") == (
            True,
            f"the newest snapshot ({day(0)}) is 24 hours older than the run",
        )

    def test_a_changed_bronze_makes_it_stale(self, spec: Spec, lake: LakeInventory) -> None:
        self.snapshot(lake, 0)
        assert self.verdict(spec, lake, 0, "second")[1] == (
            "Bronze has new or changed partitions of it"
        )

    def test_a_damaged_file_makes_it_stale(self, spec: Spec, lake: LakeInventory) -> None:
        self.snapshot(lake, 0)
        file = lake.lake.root / f"dims/customers/snapshot_dt={day(0)}/snapshot.parquet"
        file.write_bytes(b"rowz")
        assert self.verdict(spec, lake, 0, "first")[1] == f"the snapshot of {day(0)} is damaged"

    def test_the_pointer_never_moves_back(self, lake: LakeInventory) -> None:
        move_pointer(lake.lake, "customers", day(5))
        move_pointer(lake.lake, "customers", day(1))
        pointer = (lake.lake.root / "dims/_latest.json").read_text(encoding="utf-8")
        assert json.loads(pointer) == {"customers": str(day(5))}

    def test_without_its_key_set_it_is_stale(self, spec: Spec, lake: LakeInventory) -> None:
        self.snapshot(lake, 0)
        shutil.rmtree(lake.lake.root / "keys/customers")
        assert self.verdict(spec, lake, 0, "first")[0] is True


class TestDimensionsAhead:
    """A partition of a dimension that is dated after all event days is named."""

    @pytest.mark.parametrize(("ahead", "critical"), [(1, False), (31, False), (32, True)])
    @pytest.mark.parametrize("table", ["customers", "product_catalog"])
    def test_it_is_named_with_what_becomes_of_its_rows(
        self, spec: Spec, lake: LakeInventory, table: str, ahead: int, critical: bool
    ) -> None:
        plan = planned(spec, lake, listed("orders", 0), listed(table, 0), listed(table, ahead))
        (found,) = plan.findings
        assert (found.table, found.partition) == (table, f"ingest_dt={day(ahead)}")
        assert found.critical is critical
        assert "its 5 rows count when a run reaches its day, its keys are known" in found.message

    def test_it_is_named_again_while_it_is_there_though_nothing_is_pending(
        self, spec: Spec, lake: LakeInventory
    ) -> None:
        processed(lake, "orders", 0)
        plan = planned(spec, lake, listed("orders", 0), listed("customers", 3))
        assert [found.check for found in plan.findings] == ["partition_ahead"]

    def test_it_is_named_beside_a_day_of_events_that_is_held_back(
        self, spec: Spec, lake: LakeInventory
    ) -> None:
        days = (listed("orders", 0), listed("orders", 1), listed("orders", 99))
        plan = planned(spec, lake, *days, listed("customers", 99))
        assert [found.check for found in plan.findings] == ["day_held_back", "partition_ahead"]
        named = planned(spec, lake, *days, listed("customers", 99), ingest_dt=str(day(99)))
        assert named.findings == ()

    def test_days_that_a_later_run_reaches_are_normal(
        self, spec: Spec, lake: LakeInventory
    ) -> None:
        days = [listed(table, n) for table in ("orders", "customers") for n in range(3)]
        assert planned(spec, lake, *days, ingest_dt=str(day(0))).findings == ()
        assert planned(spec, lake, *days).findings == ()

    def test_a_partition_without_rows_and_a_layout_without_days_are_normal(
        self, spec: Spec, lake: LakeInventory
    ) -> None:
        signup = Listed("customers", "signup_date", "2031-01-01", "/bronze", "x", {"f": 5})
        empty = listed("product_catalog", 40, rows=0)
        assert planned(spec, lake, listed("orders", 0), signup, empty).findings == ()


def test_a_plan_that_another_machine_made_finds_its_partitions_here_and_takes_no_other(
    spec: Spec, lake: LakeInventory
) -> None:
    plan = planned(spec, lake, listed("orders", 0), listed("customers", 0), listed("returns", 0))
    orders = replace(listed("orders", 0), folder="/elsewhere/orders")
    customers = replace(listed("customers", 0), folder="/elsewhere/customers")
    here = found_here(plan, bronze(orders, customers, listed("orders", 1)))
    assert {one.table: one.listed for one in here.partitions} == {
        "orders": orders,
        "returns": listed("returns", 0),
    }
    (dimension,) = (one for one in here.dimensions if one.name == "customers")
    assert dimension.partitions == (customers,)
    assert here.summary() == plan.summary()
