"""A run leaves a log, a record and lineage, and in none of them what is personal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medallion.spec import Spec
from tests.bronze_writing import ingest, write_dimensions, write_partition
from tests.running import Shop

CANARIES = {
    "email": "canary.bird@canary-mail.example",
    "shipping_address": "77 Canaryshipping Lane, Birdtown, CA 90210",
    "billing_address": "78 Canarybilling Lane, Birdtown, CA 90210",
}
CUSTOMER = {
    "first_name": "Canaryfirst",
    "last_name": "Canarylast",
    "email": "canary.customer@canary-mail.example",
    "phone_number": "555-867-5309",
    "mailing_address": "79 Canarymail Lane, Birdtown, CA 90210",
    "billing_address": "80 Canarybilling Lane, Birdtown, CA 90210",
}
TOLD = ("logs", "metrics", "reports")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Shop:
    root = tmp_path_factory.mktemp("observed")
    made = Shop(root / "bronze", root / "data")
    write_dimensions(made.bronze, spec)
    accepted = {"customer_id": "CUST-2", **CUSTOMER}
    nobody = {**accepted, "customer_id": None}
    write_partition(made.bronze, spec, "customers", "signup_date=2025-01-02", [accepted, nobody])
    orders = [
        CANARIES,
        {**CANARIES, "order_id": "ORD-2", "gross_total": -1.0},
        {**CANARIES, "order_id": None},
        {**CANARIES, "order_id": "ORD-3", "order_date": CANARIES["shipping_address"]},
        {**CANARIES, "order_id": "ORD-4", "email": "Canary without an at sign"},
        {**CANARIES, "order_id": "ORD-5", "nickname": "Canarynick"},
    ]
    write_partition(made.bronze, spec, "orders", ingest(0), orders)
    write_partition(made.bronze, spec, "order_items", ingest(0), [{}])
    made.run()
    return made


def told(shop: Shop, folder: str) -> dict[Path, str]:
    found = [path for path in (shop.data / folder).rglob("*") if path.is_file()]
    return {path: path.read_text(encoding="utf-8") for path in found}


def the_only(shop: Shop, folder: str) -> str:
    ((_, text),) = told(shop, folder).items()
    return text


def lines(shop: Shop) -> list[dict[str, Any]]:
    return [json.loads(line) for line in the_only(shop, "logs").splitlines()]


@pytest.mark.parametrize("folder", TOLD)
def test_nothing_personal_is_told(shop: Shop, folder: str) -> None:
    texts = told(shop, folder)
    assert texts
    personal = [*CANARIES.values(), *CUSTOMER.values(), "Canary"]
    for path, text in texts.items():
        assert [value for value in personal if value.lower() in text.lower()] == [], path


def test_the_rows_were_there_to_be_told(shop: Shop) -> None:
    assert "Canaryfirst" in str(shop.table("dims.customers").rows())
    quarantined = str(shop.table("quarantine.orders").rows())
    assert CANARIES["shipping_address"] in quarantined


def test_a_line_tells_how_many_rows_of_a_table_were_accepted(shop: Shop) -> None:
    (line,) = (
        line
        for line in lines(shop)
        if line.get("table") == "orders" and "accepted" in line["message"]
    )
    assert (line["layer"], line["rows"]) == ("base_silver", 3)
    assert line["node"] == "base_silver.score"
    assert line["run_id"] == shop.report()["run_id"]


def test_the_log_begins_and_ends_with_the_run(shop: Shop) -> None:
    first, last = lines(shop)[0], lines(shop)[-1]
    assert first["message"] == "The run starts."
    assert last["message"] == "The run succeeded."
    assert last["seconds"] == pytest.approx(shop.report()["seconds"])


def test_the_record_counts_what_came_in_and_what_was_put_aside(shop: Shop) -> None:
    record = json.loads(the_only(shop, "metrics/runs"))
    assert record["status"] == "succeeded"
    assert record["volume"]["tables"]["base_silver.orders"] == 6
    assert record["quarantine"]["tables"]["base_silver.orders"] == 0.5
    assert record["freshness"]["base_silver.orders"] == {"days_behind": 0, "newest": "2025-10-01"}
    assert record["duration"]["within_target"]
