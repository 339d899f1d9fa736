"""The commands a person types, and what they print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medallion.cli import cli
from medallion.lake.store import Lake
from medallion.runs import lifecycle
from tests.running import Shop, kedro


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    root = tmp_path_factory.mktemp("commands")
    made = Shop(root / "bronze", root / "data")
    sample = ("--days", "2", "--orders-per-day", "20", "--output", str(made.bronze))
    generated = kedro(made, "bronze", "generate", *sample)
    assert generated.returncode == 0, generated.stderr
    assert "orders                      40" in generated.stdout
    return made


@pytest.mark.parametrize("name", ["007", "20251003_1", "2025.10", "1e5", "true", "a-b"])
@pytest.mark.parametrize("command", [("run",), ("lake", "plan"), ("lake", "forget")])
def test_a_run_is_called_as_it_was_written(command: tuple[str, ...], name: str) -> None:
    found: Any = cli
    for part in command:
        found = found.commands[part]
    context = found.make_context(
        command[-1], ["--params", f"snapshots=all,run_id={name}"], resilient_parsing=True
    )
    assert context.params["params"] == {"snapshots": "all", "run_id": name}


@pytest.mark.parametrize("name", ["", "none", "quality", "Run.json", "BRONZE_QUALITY.md"])
def test_a_name_that_means_something_else_is_refused(name: str, shop: Shop, tmp_path: Path) -> None:
    told = kedro(Shop(shop.bronze, tmp_path), "run", "--params", f"run_id={name}")
    assert told.returncode == 2
    assert "run id" in told.stderr
    assert "Traceback" not in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_plan_says_why_and_runs_nothing(shop: Shop, tmp_path: Path) -> None:
    fresh = Shop(shop.bronze, tmp_path / "data")
    shown = kedro(fresh, "lake", "plan")
    assert shown.returncode == 0, shown.stderr
    assert "there is no snapshot yet" in shown.stdout
    assert "ingest_dt=2025-10-02" in shown.stdout
    assert not fresh.data.exists()


def test_a_run_ends_with_a_summary_and_the_next_with_one_line(shop: Shop) -> None:
    first = kedro(shop, "run")
    assert first.returncode == 0, first.stderr
    for told in ("rows in", "quarantined", "base_silver", "fct_orders", "index.html"):
        assert told in first.stdout
    assert "Traceback" not in first.stdout + first.stderr

    second = kedro(shop, "run")
    assert second.returncode == 0
    (line,) = second.stdout.splitlines()
    assert line.startswith("Nothing to do: every layer is up to date")
    assert "Nothing is pending" in kedro(shop, "lake", "plan").stdout


def test_a_folder_with_data_is_not_generated_into(shop: Shop) -> None:
    again = kedro(shop, "bronze", "generate", "--output", str(shop.bronze))
    assert again.returncode == 1
    assert "is not empty" in again.stderr
    assert "Traceback" not in again.stderr


def test_the_lake_is_free_after_a_run(shop: Shop) -> None:
    assert not (shop.data / "silver" / "_LEASE.json").exists()
    with lifecycle.alone(
        Lake(shop.data / "silver"), shop.data / "silver" / "_processes", "another"
    ):
        pass


def test_each_layer_can_be_run_alone(shop: Shop, tmp_path: Path) -> None:
    alone = Shop(shop.bronze, tmp_path / "data")
    for layer in ("bronze", "dims", "base_silver", "enriched", "warehouse", "gold", "reporting"):
        assert alone.run(layer)["status"] == "succeeded", layer
    shop.run()
    together = shop.fingerprints("silver")
    assert alone.fingerprints("silver") == together
