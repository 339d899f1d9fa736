"""Runs leave the records one would want weeks later, whatever became of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project
from kedro.runner import ThreadRunner

from medallion.commands.runs import runs
from medallion.errors import RequestError
from medallion.hooks.recorder import _masked
from medallion.lake.inventory import LakeInventory
from medallion.lake.store import Lake
from medallion.masking import Mask
from medallion.spec import Spec
from tests.audit.recorded import recorded, standing, trail
from tests.conftest import PROJECT
from tests.running import Shop, two_light_days

DAY = "2025-10-02"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Shop:
    """A run, a run that failed, a re-run with changed input, and a run that was killed."""
    root = tmp_path_factory.mktemp("audit")
    two_light_days(root / "bronze", spec)
    shop = Shop(root / "bronze", root / "data")
    shop.run()
    with pytest.raises(RequestError):
        shop.run(ingest_dt="2030-01-01")
    deliver_again(shop, f"orders/ingest_dt={DAY}")
    shop.run()
    killed = {**trail(shop).runs()[0], "run_id": "killed", "started_at": "2099"}
    trail(shop).begin({name: killed[name] for name in (*BEGUN, "run_id", "started_at")})
    return shop


BEGUN = ("env", "pipeline", "git_sha", "code_version", "config_hash", "plan")


def deliver_again(shop: Shop, partition: str) -> None:
    """Half of the rows, with a manifest that says so."""
    file = shop.bronze / partition / "part-0000.parquet"
    frame = pl.read_parquet(file, hive_partitioning=False)
    frame = frame.head(frame.height // 2)
    frame.write_parquet(file)
    path = shop.bronze / partition / "_MANIFEST.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["files"][0]["rows"] = manifest["total_rows"] = frame.height
    path.write_text(json.dumps(manifest), encoding="utf-8")


def ended(shop: Shop) -> list[dict[str, Any]]:
    """The runs that ended, the oldest first."""
    return [run for run in reversed(trail(shop).runs()) if run["status"] != "started"]


@pytest.fixture
def told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """A command of `kedro runs` and what it prints."""
    monkeypatch.setenv("MEDALLION_BRONZE_ROOT", str(shop.bronze))
    monkeypatch.setenv("MEDALLION_DATA_ROOT", str(shop.data))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    return lambda *arguments: CliRunner().invoke(runs, list(arguments))


def test_the_records_of_a_run_add_up_to_what_stands(shop: Shop, spec: Spec) -> None:
    first = trail(shop).records(ended(shop)[0]["run_id"])
    of_carts = [r for r in first if (r["layer"], r["table_name"]) == ("base_silver", "cart_items")]
    lake = LakeInventory(Lake(shop.data / "silver"), spec)
    stands = lake.base("cart_items")
    assert {r["partition_value"]: r["output_rows"] for r in of_carts} == {
        str(day): manifest.rows for day, manifest in stands.items()
    }
    for record in of_carts:
        assert record["input_rows"] == record["output_rows"] + record["quarantine_rows"]
        assert (
            record["content_hash"] == stands[date.fromisoformat(record["ingest_dt"])].content_hash
        )
        assert record["input_manifests"].keys() == {"bronze"}
        assert (record["files"], record["status"]) == (1, "written")
        assert record["quality_checks_passed"] > 10
        assert record["execution_time_seconds"] > 0


def test_every_layer_leaves_records_and_the_run_one_of_its_own(shop: Shop) -> None:
    records = trail(shop).records(ended(shop)[0]["run_id"])
    assert {r["layer"] for r in records} == {None, "dims", "base_silver", "enriched", "gold"}
    (whole,) = [r for r in records if r["layer"] is None]
    assert (whole["status"], whole["error"]) == ("succeeded", None)
    assert all(r["git_sha"] and r["config_hash"] and r["code_version"] for r in records)
    orders = next(r for r in records if r["table_name"] == "fct_orders")
    assert orders["output_rows"] > 0


def test_days_that_are_asked_for_are_no_other_configuration(shop: Shop) -> None:
    first, failed, _ = ended(shop)
    assert first["config_hash"] == failed["config_hash"]


def test_a_parameter_that_is_refused_is_not_written_down_and_its_value_not_repeated(
    tmp_path: Path,
) -> None:
    refused = Shop(tmp_path / "bronze", tmp_path / "data")
    parameters = {"api_token": "hunter2-hunter2"}
    with pytest.raises(RequestError) as caught:
        refused.run(**parameters)
    assert "api_token" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_parameters_that_are_named_like_secrets_are_masked_in_the_record() -> None:
    asked = {"api_token": "hunter2-hunter2", "engine": {"password": "hunter2", "threads": 4}}
    masked = _masked(asked, Mask({}))
    assert masked == {"api_token": "***", "engine": {"password": "***", "threads": 4}}


def test_a_failed_run_leaves_its_record_with_the_error(shop: Shop) -> None:
    failed = ended(shop)[1]
    (record,) = trail(shop).records(failed["run_id"])
    assert record["status"] == "failed"
    assert "has no data on 2030-01-01" in record["error"]


def test_a_re_run_records_only_what_it_dealt_with(shop: Shop) -> None:
    records = trail(shop).records(ended(shop)[2]["run_id"])
    silver = {r["partition_value"] for r in records if r["layer"] == "base_silver"}
    assert silver == {DAY}


def test_rows_per_table_per_day_over_all_runs_is_one_query(shop: Shop) -> None:
    found = shop.sql(
        "select run_id, sum(output_rows) from audit.runs where layer = 'base_silver'"
        f" and table_name = 'orders' and partition_value = '{DAY}' group by all order by 1"
    )
    assert len(found) == 2
    assert found[0][1] > found[1][1]
    assert shop.load("audit.runs").collect().height == sum(
        len(trail(shop).records(run["run_id"])) for run in ended(shop)
    )


def test_the_commands_tell_of_all_four(shop: Shop, told: Callable[..., Result]) -> None:
    listed = told("list").output
    assert [word in listed for word in ("succeeded", "failed", "killed")] == [True] * 3
    first, failed, again = (run["run_id"] for run in ended(shop))
    assert "gate      base_silver: " in told("show", first).output
    assert "has no data on 2030-01-01" in told("show", failed).output
    assert "killed" in told("show", "killed").output
    differs = told("diff", first, again).output
    assert "tables.base_silver.orders.rows" in differs
    assert "config_hash" not in differs


def test_why_names_the_run_its_inputs_and_what_was_before(
    shop: Shop, told: Callable[..., Result]
) -> None:
    first, _, again = (run["run_id"] for run in ended(shop))
    said = told("why", "base_silver.orders", DAY).output
    assert f"base_silver.orders of {DAY} was written by {again}" in said
    assert "made from bronze" in said
    assert f"Before it, {first} had written it" in said
    assert "input_rows" in said.partition("Before it")[2]
    other = told("why", "base_silver.orders", "2025-10-01").output
    assert f"was written by {first}" in other
    assert "No run before it" in other


@pytest.mark.parametrize(
    ("table", "changed", "same"),
    [
        ("enriched.shipping_economics", "orders", "parameters"),
        ("enriched.inventory_risk", "order_items", "product_catalog"),
        ("gold.fct_orders", "base_silver.orders", "code"),
    ],
)
def test_why_names_the_inputs_that_differ_and_no_other(
    told: Callable[..., Result], table: str, changed: str, same: str
) -> None:
    now, _, before = told("why", table, DAY).output.partition("Before it")
    assert f"made from {changed} " in now
    assert f"made from {same} " in now
    assert f"made from {changed} " in before
    assert f"made from {same} " not in before


def test_rows_in_are_those_of_the_inputs_whatever_the_layer(shop: Shop) -> None:
    records = trail(shop).records(ended(shop)[0]["run_id"])
    assert all(record["input_rows"] for record in records if record["layer"])
    rows = {(r["layer"], r["table_name"], r["partition_value"]): r for r in records}
    economics = rows["enriched", "shipping_economics", DAY]
    assert economics["input_rows"] == rows["base_silver", "orders", DAY]["output_rows"]
    shipping = rows["gold", "fct_shipping_analysis", None]
    assert shipping["input_rows"] == sum(
        r["output_rows"] for r in records if r["table_name"] == "shipping_economics"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("show", "nope"), "There is no run 'nope'"),
        (("why", "orders", DAY), "names no table"),
        (("why", "base_silver.orders", "2025-13-01"), "not a day of the calendar"),
        (("why", "base_silver.orders", "2024-01-01"), "No run has left a record"),
        (("show", "../../etc/passwd"), "it may hold at most 80 letters"),
    ],
)
def test_what_cannot_be_asked_is_told(
    told: Callable[..., Result], arguments: tuple[str, ...], expected: str
) -> None:
    result = told(*arguments)
    # Nothing is mistyped if the day is only not there.
    assert result.exit_code == (1 if expected == "No run has left a record" else 2)
    assert expected in result.output.replace("\n", " ")


def test_the_thread_runner_leaves_a_record_of_every_partition_that_stands(
    shop: Shop, tmp_path: Path
) -> None:
    other = Shop(shop.bronze, tmp_path / "data")
    with other.session() as session:
        session.run(runner=ThreadRunner(max_workers=2))
    assert recorded(other) == standing(other)
