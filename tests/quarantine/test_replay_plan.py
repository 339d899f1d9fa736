"""A replay plans the Bronze partitions of quarantined rows, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from medallion.errors import RequestError
from medallion.lake.bronze import BronzeInventory, Listed
from medallion.lake.inventory import LakeInventory
from medallion.planning.plan import PlannedDimension, RunPlan, plan_run
from medallion.planning.request import parse_request
from tests.bronze_writing import DAY
from tests.quarantine.putting_aside import accept, put_aside

FK, MISSING = {"invalid_reason": "fk:customer_id"}, {"invalid_reason": "missing:order_date"}


def day(n: int) -> date:
    return DAY + timedelta(days=n)


def listed(table: str, n: int) -> Listed:
    return Listed(table, "ingest_dt", str(day(n)), f"/bronze/{table}", "print", {"f": 5})


def planned(lake: LakeInventory, *partitions: Listed, **asked: Any) -> RunPlan:
    tables: dict[str, tuple[Listed, ...]] = {}
    for partition in (*partitions, listed("customers", 0), listed("product_catalog", 0)):
        tables[partition.table] = (*tables.get(partition.table, ()), partition)
    bronze = BronzeInventory("/bronze", tables, ())
    return plan_run(parse_request({"replay": {}, **asked}), lake.spec, bronze, lake)


def reasons(plan: RunPlan) -> dict[tuple[str, int], str]:
    return {(p.table, (p.day - DAY).days): p.reason for p in plan.partitions}


@pytest.fixture
def shop(lake: LakeInventory) -> LakeInventory:
    """Three days of orders and lines; two of the days have rows in quarantine."""
    put_aside(lake, "orders", 0, [FK, MISSING], good=3)
    put_aside(lake, "orders", 1, [FK], good=4)
    accept(lake, "orders", 2, 5)
    for n in range(3):
        accept(lake, "order_items", n, 5)
    return lake


ALL = [listed(table, n) for table in ("orders", "order_items") for n in range(3)]


def test_only_partitions_with_quarantined_rows_are_planned(shop: LakeInventory) -> None:
    plan = planned(shop, *ALL)
    assert reasons(plan) == {
        ("orders", 0): "replay: 2 rows in quarantine",
        ("orders", 1): "replay: 1 row in quarantine",
    }


def test_partitions_that_wait_for_an_ordinary_run_stay_waiting(shop: LakeInventory) -> None:
    assert ("orders", 3) not in reasons(planned(shop, *ALL, listed("orders", 3)))


def test_a_reason_narrows_it(shop: LakeInventory) -> None:
    plan = planned(shop, *ALL, replay={"reasons": ["missing"]})
    assert reasons(plan) == {("orders", 0): "replay: 1 row in quarantine"}


def test_a_window_narrows_it(shop: LakeInventory) -> None:
    plan = planned(shop, *ALL, start=str(day(1)), end=str(day(9)))
    assert reasons(plan) == {("orders", 1): "replay: 1 row in quarantine"}


def test_a_table_narrows_it(shop: LakeInventory) -> None:
    put_aside(shop, "returns", 0, [{"invalid_reason": "fk:order_id"}])
    plan = planned(shop, *ALL, listed("returns", 0), replay={"tables": "returns"})
    assert reasons(plan) == {("returns", 0): "replay: 1 row in quarantine"}


def test_enriched_makes_only_what_is_affected_and_no_older_snapshot(shop: LakeInventory) -> None:
    plan = planned(shop, *ALL, start=str(day(0)), end=str(day(0)))
    assert plan.asked_for == []
    assert plan.end == plan.horizon == day(2)


def test_nothing_that_matches_is_no_error(shop: LakeInventory) -> None:
    assert reasons(planned(shop, *ALL, replay={"reasons": ["negative"]})) == {}


def test_a_partition_that_left_bronze_is_reported_and_not_emptied(shop: LakeInventory) -> None:
    plan = planned(shop, *(p for p in ALL if p.day != day(0)))
    assert list(reasons(plan)) == [("orders", 1)]
    assert [str(finding) for finding in plan.findings] == [
        "orders/ingest_dt=2025-10-01: is not in Bronze; its 2 rows in quarantine stay there"
    ]


@pytest.mark.parametrize("replay", [{"tables": ["carts"]}, {"tables": ["orders; drop"]},
                                    {"reasons": ["fk:nobody"]}, {"rows": 3}])  # fmt: skip
def test_what_cannot_be_replayed_is_refused(shop: LakeInventory, replay: object) -> None:
    with pytest.raises(RequestError):
        planned(shop, *ALL, replay=replay)


class TestDimensions:
    """A dimension is made again for its own day if its newest snapshot left rows behind."""

    @staticmethod
    def verdict(lake: LakeInventory, **asked: Any) -> PlannedDimension:
        """The plan of customers whose snapshot is what Bronze says."""
        plan = planned(lake, *ALL, **asked)
        return next(d for d in plan.dimensions if d.name == "customers")

    @pytest.fixture
    def customers(self, shop: LakeInventory, monkeypatch: pytest.MonkeyPatch) -> LakeInventory:
        monkeypatch.setattr(
            "medallion.planning.plan._freshness", lambda *_: (False, "fresh: it still stands")
        )
        put_aside(shop, "customers", 1, [{"invalid_reason": "missing:signup_date"}] * 2, good=3)
        return shop

    def test_it_is_rebuilt(self, customers: LakeInventory) -> None:
        found = self.verdict(customers)
        assert (found.stale, found.day) == (True, day(1))
        assert found.reason == "replay: 2 rows in quarantine"

    def test_it_stands_when_others_are_asked_for(self, customers: LakeInventory) -> None:
        assert not self.verdict(customers, replay={"tables": ["orders"]}).stale

    def test_it_stands_when_only_an_older_snapshot_left_rows(
        self, customers: LakeInventory
    ) -> None:
        accept(customers, "customers", 2, 5)
        assert not self.verdict(customers).stale

    def test_it_stands_when_bronze_has_none_of_it(self, customers: LakeInventory) -> None:
        bronze = BronzeInventory("/bronze", {"orders": tuple(ALL[:3])}, ())
        plan = plan_run(parse_request({"replay": {}}), customers.spec, bronze, customers)
        assert [dimension.stale for dimension in plan.dimensions] == [False, False]
        assert "customers: is not in Bronze; its 2 rows in quarantine stay there" in [
            str(finding) for finding in plan.findings
        ]
