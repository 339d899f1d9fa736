"""Days one by one, in any order, or as one window: the event tables come out the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.running import Shop

DAYS = ["2025-10-01", "2025-10-02", "2025-10-03", "2025-10-04"]
SNAPSHOTS = ("customer_lifetime_value", "customer_retention_signals", "inventory_risk")


SILVER = ("bronze", "dims", "base_silver", "enriched")


@pytest.fixture(scope="module", params=[False, True], ids=["clean", "defects"])
def bronze(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, spec: Spec
) -> Path:
    root = tmp_path_factory.mktemp("bronze") / "lake"
    sample = SampleRequest(
        output=root,
        start=date(2025, 10, 1),
        days=len(DAYS),
        orders_per_day=40,
        seed=7,
        mess="light",
        defects=request.param,
    )
    generate(sample, spec=spec)
    return root


@pytest.fixture(scope="module")
def as_one_window(bronze: Path, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(bronze, tmp_path_factory.mktemp("window"))
    shop.run(*SILVER)
    return shop


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (2, 0, 3, 1)], ids=str)
def test_the_event_tables_are_the_same(
    bronze: Path,
    as_one_window: Shop,
    tmp_path: Path,
    spec: Spec,
    order: tuple[int, ...],
) -> None:
    shop = Shop(bronze, tmp_path)
    for n in order:
        shop.run(*SILVER, ingest_dt=DAYS[n])
    tables = [f"{layer}/{table}" for layer in ("base", "quarantine") for table in spec.events]
    tables += [f"enriched/{name}" for name in spec.transforms if name not in SNAPSHOTS]
    for table in tables:
        assert shop.fingerprints(f"silver/{table}") == as_one_window.fingerprints(
            f"silver/{table}"
        ), table
    assert shop.run()["plan"]["partitions"] == []
