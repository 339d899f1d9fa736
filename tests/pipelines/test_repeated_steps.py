"""Steps of one run that are done again: the run keeps its plan, and what it has done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from kedro.io import DatasetError

from medallion.errors import MedallionError
from medallion.runs.folder import RunFolder
from medallion.spec import Spec
from medallion.storage import LocalStorage
from tests.audit.recorded import recorded, standing
from tests.running import Shop, two_light_days

RUN = "again-1"
FIRST, SECOND = "ingest_dt=2025-10-01", "ingest_dt=2025-10-02"


def do(shop: Shop, given: Mapping[str, Any] = MappingProxyType({}), **what: list[str]) -> None:
    """Steps of the run, in a process of their own as far as the run can see."""
    with shop.session(run_id=RUN, **given) as session:
        session.run(**what)


def documents(shop: Shop) -> dict[str, Any]:
    folder = shop.data / "runs" / RUN / "documents"
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def rows_in(shop: Shop) -> dict[str, int]:
    return {one["table"]: one["bronze_rows"] for one in documents(shop)["dims.receipt"]["tables"]}


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> tuple[Shop, dict[str, Any]]:
    """A layer of a run that is done again after a day was delivered; with what it left first."""
    top = tmp_path_factory.mktemp("repeated")
    whole, bronze = two_light_days(top / "whole", spec, seed=9), top / "bronze"
    shutil.copytree(whole, bronze, ignore=shutil.ignore_patterns(SECOND))
    shop = Shop(bronze, top / "data")
    do(shop, pipeline_names=["dims"])
    first = documents(shop)
    shutil.copytree(whole, bronze, dirs_exist_ok=True)
    # What is given, and is so anyway, is no other request.
    do(shop, {"quality": {"mode": "warn"}}, pipeline_names=["dims"])
    return shop, first


def test_a_run_keeps_its_plan_whatever_is_delivered_meanwhile(
    repeated: tuple[Shop, dict[str, Any]],
) -> None:
    shop, first = repeated
    assert {one["day"] for one in first["run_plan"]["partitions"]} == {"2025-10-01"}
    assert documents(shop)["run_plan"] == first["run_plan"]
    assert not (shop.data / "silver" / "dims" / "customers" / "snapshot_dt=2025-10-02").exists()


def test_a_step_that_is_done_again_counts_what_it_counted(
    repeated: tuple[Shop, dict[str, Any]],
) -> None:
    shop, first = repeated
    before = {one["table"]: one["bronze_rows"] for one in first["dims.receipt"]["tables"]}
    assert rows_in(shop) == before
    assert all(before.values())


def test_what_a_gate_has_found_in_a_run_stays_found_when_it_is_asked_again(
    repeated: tuple[Shop, dict[str, Any]],
) -> None:
    shop, _ = repeated
    result = json.loads((shop.data / "reports" / "quality" / "dims.json").read_text())
    assert result["evaluated"] == result["last"]["evaluated"] > 0
    assert {"customers", "product_catalog"} <= set(result["tables"])


def test_a_step_that_fails_when_it_is_done_again_leaves_no_way_round_its_gate(
    repeated: tuple[Shop, dict[str, Any]],
) -> None:
    shop, first = repeated
    assert "dims.passed" in first
    for file in shop.bronze.glob("customers/*/*.parquet"):
        file.write_bytes(b"no Parquet")
    with pytest.raises(MedallionError):
        do(shop, node_names=["dims.snapshot"])
    left = documents(shop)
    assert {"dims.passed", "dims.receipt"}.isdisjoint(left)
    assert {"run_plan", "bronze.accepted"} <= left.keys()
    folder = RunFolder(LocalStorage(shop.data / "runs"), RUN)
    assert {"dims.snapshot", "dims.gate"}.isdisjoint(folder.steps())
    with pytest.raises(DatasetError, match=r"dims\.gate"):
        do(shop, node_names=["base_silver.score"])
    assert recorded(shop) == standing(shop)
