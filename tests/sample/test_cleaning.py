"""`make clean`, beside Bronze of one's own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from medallion.lake.names import as_day
from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.conftest import PROJECT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    return tmp_path


def clean(project: Path) -> str:
    return subprocess.run(
        ["make", "clean"], cwd=project, check=True, capture_output=True, text=True
    ).stdout


def test_a_sample_goes_without_rest(project: Path, spec: Spec) -> None:
    bronze = project / "data" / "bronze"
    generate(SampleRequest(bronze, as_day("2025-10-01"), 1, 5, seed=1, defects=True), spec=spec)
    clean(project)
    assert not bronze.exists()


def test_bronze_of_ones_own_stays(project: Path) -> None:
    mine = project / "data" / "bronze" / "orders" / "ingest_dt=2025-10-01" / "part-0000.parquet"
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert "stays" in clean(project)
    assert mine.exists()


def test_what_was_put_beside_a_sample_stays(project: Path, spec: Spec) -> None:
    bronze = project / "data" / "bronze"
    generate(SampleRequest(bronze, as_day("2025-10-01"), 1, 5, seed=1), spec=spec)
    mine = bronze / "orders" / "ingest_dt=2025-10-02" / "part-0000.parquet"
    mine.parent.mkdir()
    mine.touch()
    clean(project)
    assert [path for path in bronze.rglob("*") if path.is_file()] == [mine]


def test_what_has_replaced_a_file_of_the_sample_stays(project: Path, spec: Spec) -> None:
    bronze = project / "data" / "bronze"
    generate(SampleRequest(bronze, as_day("2025-10-01"), 1, 5, seed=1), spec=spec)
    mine = bronze / "orders" / "ingest_dt=2025-10-01" / "part-0000.parquet"
    mine.write_bytes(mine.read_bytes() + b"mine")
    clean(project)
    assert [path for path in bronze.rglob("*") if path.is_file()] == [mine]
