"""`dbt build` by hand, in its folder, without the pipeline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from medallion.spec import Spec
from tests.bronze_writing import write_day, write_dimensions
from tests.conftest import PROJECT


def test_dbt_builds_and_tests_everything_by_itself(tmp_path: Path, spec: Spec) -> None:
    bronze = tmp_path / "bronze"
    write_dimensions(bronze, spec)
    write_day(bronze, spec, orders=[{}], order_items=[{}], shopping_carts=[{}], cart_items=[{}])
    write_day(bronze, spec, 1, returns=[{"return_date": "2025-10-02"}], return_items=[{}])
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dbt"), "build", "--target-path", str(tmp_path / "t")],
        cwd=PROJECT / "dbt",
        env={
            **os.environ,
            "MEDALLION_BRONZE_ROOT": str(bronze),
            "MEDALLION_DATA_ROOT": str(tmp_path / "data"),
            "MEDALLION_DBT_SCRATCH": str(tmp_path / "scratch"),
            "DBT_LOG_PATH": str(tmp_path / "logs"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    results = json.loads((tmp_path / "t" / "run_results.json").read_text(encoding="utf-8"))
    assert {result["status"] for result in results["results"]} == {"success", "pass"}
    staged = tmp_path / "scratch"
    assert len(list(staged.glob("base/*/ingestion_dt=*/*.parquet"))) == 6
    assert not (tmp_path / "data").exists()
    shutil.rmtree(staged)
