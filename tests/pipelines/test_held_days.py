"""A partition dated far outside the others waits, and can be taken out again after all."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.running import Shop, kedro

FAR = "2025-12-01"
MARTS = ("dim_customers", "dim_dates", "fct_orders", "fct_daily_dashboard", "fct_sales_operations")


@pytest.fixture
def shop(tmp_path: Path, spec: Spec) -> Shop:
    """Two days, and the orders of the second once more under a date that is far away."""
    bronze = tmp_path / "bronze"
    generate(
        SampleRequest(output=bronze, start=date(2025, 10, 1), days=2, orders_per_day=10, seed=5,
                      mess="none"),
        spec=spec,
    )  # fmt: skip
    far = bronze / f"orders/ingest_dt={FAR}"
    shutil.copytree(bronze / "orders/ingest_dt=2025-10-02", far)
    manifest = far / "_MANIFEST.json"
    manifest.write_text(manifest.read_text().replace("ingest_dt=2025-10-02", far.name))
    return Shop(bronze, tmp_path / "data")


def marts(shop: Shop) -> dict[str, object]:
    return {name: shop.sql(f"select * from gold.{name} order by all") for name in MARTS}


@pytest.mark.parametrize("command", [("lake", "forget"), ("run", "--params", "forget=")])
def test_it_waits_is_processed_by_name_and_forgotten_without_a_trace(
    shop: Shop, command: tuple[str, ...]
) -> None:
    report = shop.run()
    (failure,) = [f for f in report["gates"]["bronze"]["failures"] if f["severity"] == "critical"]
    assert failure["partition"] == f"ingest_dt={FAR}"
    assert report["plan"]["horizon"] == "2025-10-02"
    before, silver = marts(shop), shop.fingerprints("silver/base")

    shop.run(ingest_dt=FAR)
    assert shop.run()["plan"]["horizon"] == FAR
    refused = kedro(shop, "lake", "forget", FAR)
    assert (refused.returncode, "still holds 2025-12-01: orders" in refused.stderr) == (1, True)

    shutil.rmtree(shop.bronze / f"orders/ingest_dt={FAR}")
    *words, last = command
    typed = [*words, f"{last}{FAR}"] if last.endswith("=") else [*command, FAR]
    forgotten = kedro(shop, *typed)
    assert forgotten.returncode == 0, forgotten.stderr
    assert shop.run()["plan"]["horizon"] == "2025-10-02"
    assert marts(shop) == before
    assert shop.fingerprints("silver/base") == silver
    # The state before the last change is kept beside the tables, and holds that day.
    left = list((shop.data / "silver").rglob(f"*={FAR}"))
    assert {found.relative_to(shop.data).parts[1] for found in left} <= {"_history"}
    assert kedro(shop, "lake", "verify").returncode == 0
