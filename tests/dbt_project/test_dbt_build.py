"""`dbt build` passes without Kedro, and its tests can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.bronze_writing import write_day
from tests.conftest import PROJECT
from tests.running import Shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Shop:
    root = tmp_path_factory.mktemp("standalone")
    made = Shop(root / "bronze", root / "data")
    request = SampleRequest(
        output=made.bronze, start=date(2025, 10, 1), days=3, orders_per_day=20, seed=9
    )
    generate(request, spec=spec)
    made.run()
    return made


def dbt(shop: Shop, *arguments: str) -> subprocess.CompletedProcess[str]:
    roots = {"MEDALLION_BRONZE_ROOT": str(shop.bronze), "MEDALLION_DATA_ROOT": str(shop.data)}
    return subprocess.run(
        [sys.executable, "-c", "from dbt.cli.main import cli; cli()", *arguments],
        cwd=PROJECT / "dbt",
        env={**os.environ, **roots},
        capture_output=True,
        text=True,
        check=False,
    )


def test_models_tests_and_unit_tests_pass_on_their_own(shop: Shop) -> None:
    before = shop.fingerprints("silver") | shop.fingerprints("warehouse")
    built = dbt(shop, "build")
    assert built.returncode == 0, built.stdout[-3000:]
    assert "ERROR=0" in built.stdout
    assert "the_dashboard_averages" in built.stdout
    assert shop.fingerprints("silver") | shop.fingerprints("warehouse") == before


def test_a_value_that_the_spec_does_not_accept_fails_its_test(
    tmp_path: Path, shop: Shop, spec: Spec
) -> None:
    odd = Shop(tmp_path / "bronze", shop.data)
    (tmp_path / "bronze").mkdir()
    for table in ("customers", "product_catalog"):
        (tmp_path / "bronze" / table).symlink_to(shop.bronze / table)
    write_day(odd.bronze, spec, shopping_carts=[{"status": "lost", "customer_id": "GUEST-1"}])
    tested = dbt(odd, "build", "--select", "+stg_shopping_carts")
    assert tested.returncode == 1
    assert "accepted_values_of_spec_stg_shopping_carts" in tested.stdout
