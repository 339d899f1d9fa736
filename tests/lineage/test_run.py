"""The lineage of whole runs: one that succeeds on threads, one that fails, one that is cut."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from kedro.framework.project import pipelines
from kedro.io import MemoryDataset
from kedro.pipeline import node as make_node
from kedro.runner import ThreadRunner

from medallion.errors import GateError
from medallion.hooks import recorder
from medallion.runs.settings import parse_observability
from medallion.runs.sinks import LineageSink
from medallion.spec import Spec
from tests.bronze_writing import ingest, write_dimensions, write_partition
from tests.lineage.standard import problems
from tests.listening import listening
from tests.observability.telling import Process
from tests.running import Shop

Events = list[dict[str, Any]]


@dataclass(frozen=True)
class Told:
    """A shop that has run, and what its run told."""

    shop: Shop
    events: Events
    undelivered: Events


def read(folder: Path) -> Events:
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.jsonl")]
    return [json.loads(line) for text in texts for line in text.splitlines()]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Told:
    """A run on threads, whose backend hangs."""
    root = tmp_path_factory.mktemp("told")
    shop = Shop(root / "bronze", root / "data")
    write_dimensions(shop.bronze, spec)
    for table in ("orders", "order_items", "shopping_carts", "cart_items", "returns"):
        write_partition(shop.bronze, spec, table, ingest(0), [{}])
    with listening(hangs=True) as backend:
        lineage = {"transport": "http", "url": backend.url, "timeout_seconds": 0.3}
        settings = parse_observability({"lineage": lineage})
        with (
            mock.patch.object(recorder, "parse_observability", return_value=settings),
            shop.session() as session,
        ):
            session.run(runner=ThreadRunner(max_workers=2))
    folder = shop.data / "metrics" / "lineage"
    return Told(shop, read(folder), read(folder / "undelivered"))


def of(events: Events, job: str, state: str) -> dict[str, Any]:
    (found,) = (
        event
        for event in events
        if (event["job"]["name"], event["eventType"]) == (f"bronze_to_gold{job}", state)
    )
    return found


def names(datasets: list[dict[str, Any]]) -> set[str]:
    return {dataset["name"] for dataset in datasets}


def test_every_event_keeps_to_the_standard(told: Told) -> None:
    assert [found for event in told.events for found in problems(event)] == []


def test_the_run_and_each_node_start_once_and_complete_once(told: Told) -> None:
    states = Counter((event["run"]["runId"], event["eventType"]) for event in told.events)
    runs = {event["run"]["runId"] for event in told.events}
    nodes = pipelines["__default__"].nodes
    assert states == {(run, state): 1 for run in runs for state in ("START", "COMPLETE")}
    assert len(runs) == 1 + len(nodes)
    assert told.events[0]["job"]["name"] == told.events[-1]["job"]["name"] == "bronze_to_gold"


def test_a_silver_table_is_made_from_its_bronze_table(told: Told) -> None:
    event = of(told.events, ".base_silver.score", "COMPLETE")
    assert f"{told.shop.bronze}/orders" in names(event["inputs"])
    outputs = {output["name"]: output for output in event["outputs"]}
    statistics = outputs["silver/base/orders"]["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["fileCount"]) == (1, 1)
    assert statistics["size"] > 0
    fields = outputs["silver/base/orders"]["facets"]["schema"]["fields"]
    assert {"name": "net_total", "type": "money"}.items() <= next(
        field for field in fields if field["name"] == "net_total"
    ).items()


def test_a_mart_is_made_from_silver(told: Told) -> None:
    event = of(told.events, ".gold.marts", "COMPLETE")
    assert {"silver/base/orders", "silver/enriched/sales_velocity"} <= names(event["inputs"])
    assert "warehouse/medallion.duckdb/gold.fct_orders" in names(event["outputs"])


@pytest.mark.parametrize(
    ("gate", "table"),
    [
        ("base_silver", "silver/base/orders"),
        ("enriched", "silver/enriched/sales_velocity"),
        ("gold", "warehouse/medallion.duckdb/gold.fct_orders"),
    ],
)
def test_a_gate_asserts_what_it_has_checked(told: Told, gate: str, table: str) -> None:
    event = of(told.events, f".{gate}.validate", "COMPLETE")
    (checked,) = (one for one in event["inputs"] if one["name"] == table)
    (assertion,) = checked["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert (assertion["assertion"], assertion["success"]) == ("all_checks", True)


def test_what_a_backend_that_hangs_did_not_take_is_kept(told: Told) -> None:
    assert told.undelivered == told.events
    many = len(told.events)
    (log,) = (told.shop.data / "logs").glob("*.jsonl")
    assert f"The lineage backend did not take {many} events (" in log.read_text(encoding="utf-8")


def test_a_run_that_a_gate_stops_fails_in_its_node_and_as_a_whole(
    tmp_path: Path, spec: Spec
) -> None:
    shop = Shop(tmp_path / "bronze", tmp_path / "data")
    write_dimensions(shop.bronze, spec)
    write_partition(shop.bronze, spec, "orders", ingest(0), [{}])
    for file in (shop.bronze / "orders").rglob("*.parquet"):
        file.write_bytes(b"no parquet")
    with pytest.raises(GateError):
        shop.run("bronze")
    events = read(shop.data / "metrics" / "lineage")
    assert [found for event in events for found in problems(event)] == []
    for job in (".bronze.gate", ""):
        message = of(events, job, "FAIL")["run"]["facets"]["errorMessage"]["message"]
        assert message.startswith("The bronze gate stopped the run")


def same(orders: int) -> int:
    return orders


NODE = make_node(same, "orders", "copies", name="copy", namespace="bronze")
CATALOG = {"orders": MemoryDataset(1), "copies": MemoryDataset()}


def process(data_root: Path, **lineage: Any) -> Process:
    return Process(data_root, LineageSink(), catalog=CATALOG, lineage=lineage)


def test_a_run_that_is_killed_has_left_its_start(tmp_path: Path) -> None:
    run = process(tmp_path).begin()
    (start,) = read(tmp_path / "metrics" / "lineage")
    assert start["eventType"] == "START"
    run.end("interrupted")


def test_a_run_that_is_interrupted_is_aborted_with_the_nodes_at_work(tmp_path: Path) -> None:
    run = process(tmp_path).begin()
    run.recorder.before_node_run(NODE, {"orders": 1})
    run.end("interrupted")
    states = [event["eventType"] for event in read(tmp_path / "metrics" / "lineage")]
    assert states == ["START", "START", "ABORT", "ABORT"]


def test_a_backend_that_hangs_costs_a_run_less_than_a_second(tmp_path: Path) -> None:
    with listening(hangs=True) as backend:
        run = process(tmp_path, transport="http", url=backend.url, timeout_seconds=60).begin()
        while not backend.bodies:
            time.sleep(0.01)
        start = time.perf_counter()
        run.end()
        assert time.perf_counter() - start < 1


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    process(tmp_path, transport="off").begin().end()
    assert not (tmp_path / "metrics").exists()
