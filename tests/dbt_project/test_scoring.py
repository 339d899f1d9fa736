"""Which rows are accepted, which are put aside and why, and which version of a key wins."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from medallion.spec import Spec
from tests.bronze_writing import Row, ingest, write_day, write_dimensions, write_partition
from tests.running import Shop


@pytest.fixture
def shop(tmp_path: Path, spec: Spec) -> Shop:
    made = Shop(tmp_path / "bronze", tmp_path / "data")
    write_dimensions(made.bronze, spec)
    return made


def scored(shop: Shop) -> Shop:
    shop.run("dims", "base_silver")
    return shop


def reasons(shop: Shop, table: str, key: str) -> dict[object, str]:
    """Reason by key of the rows that were put aside."""
    rows = shop.table(f"quarantine.{table}").select(key, "invalid_reason").rows()
    return dict(rows)


def kept(shop: Shop, table: str, *columns: str) -> list[tuple[object, ...]]:
    return shop.table(f"base_silver.{table}").select(columns).sort(columns).rows()


ORDERS: list[tuple[Row, str]] = [
    ({"order_date": None}, "missing:order_date"),
    ({"customer_id": " null "}, "missing:customer_id"),
    ({"order_date": "soon"}, "unparseable:order_date"),
    ({"net_total": -1.0}, "negative:net_total"),
    ({"shipping_cost": -1.0}, "negative:shipping_cost"),
    ({"net_total": 100.01}, "rule:net_exceeds_gross"),
    ({"order_date": "2025-10-03T00:00:00"}, "rule:implausible_date:order_date"),
    ({"order_date": "1999-12-31T23:59:59"}, "rule:implausible_date:order_date"),
    ({"customer_id": "CUST-9"}, "fk:customer_id"),
    ({"customer_id": "guest-1"}, "fk:customer_id"),
    ({"customer_id": "GUEST-"}, "fk:customer_id"),
    (
        {"order_date": "soon", "customer_id": None, "gross_total": -5.0, "net_total": -1.0},
        "missing:customer_id|unparseable:order_date|negative:gross_total|negative:net_total"
        "|rule:net_exceeds_gross",
    ),
    (
        {"order_date": "1999-01-01", "net_total": 200.0, "customer_id": "CUST-9"},
        "rule:net_exceeds_gross|rule:implausible_date:order_date|fk:customer_id",
    ),
]
GOOD_ORDERS: list[Row] = [
    {},
    {"order_date": "2025-10-02T23:59:59"},
    {"order_date": "2000-01-01"},
    {"net_total": 100.0},
    {"net_total": 0.0, "gross_total": 0.0},
    {"customer_id": "GUEST-1"},
    {"customer_id": " CUST-1 "},
    {"shipping_cost": None, "email": None},
]


def test_every_reason_of_an_order_and_their_order(shop: Shop, spec: Spec) -> None:
    bad = [{"order_id": f"BAD-{n:02}", **row} for n, (row, _) in enumerate(ORDERS)]
    good = [{"order_id": f"GOOD-{n:02}", **row} for n, row in enumerate(GOOD_ORDERS)]
    write_day(shop.bronze, spec, orders=[*bad, *good])
    scored(shop)
    assert reasons(shop, "orders", "order_id") == {
        f"BAD-{n:02}": reason for n, (_, reason) in enumerate(ORDERS)
    }
    assert kept(shop, "orders", "order_id") == [(row["order_id"],) for row in good]


def test_lines_of_an_order(shop: Shop, spec: Spec) -> None:
    write_day(
        shop.bronze,
        spec,
        orders=[{"order_id": "ORD-1"}, {"order_id": "ORD-2", "net_total": -1.0}],
        order_items=[
            {"product_id": 1},
            {"product_id": 1, "order_id": "ORD-2"},
            {"product_id": 2},
            {"product_id": 1, "order_id": "ORD-3", "quantity": 0},
            {"product_id": 1, "order_id": "ORD-4", "quantity": -1, "unit_price": -2.0},
        ],
    )
    scored(shop)
    put_aside = shop.table("quarantine.order_items")
    found = put_aside.select("order_id", "product_id", "invalid_reason").sort("order_id").rows()
    assert found == [
        ("ORD-1", "2", "fk:product_id"),
        ("ORD-2", "1", "fk:order_id"),
        ("ORD-3", "1", "not_positive:quantity|fk:order_id"),
        ("ORD-4", "1", "not_positive:quantity|negative:unit_price|fk:order_id"),
    ]
    assert kept(shop, "order_items", "order_id", "product_id") == [("ORD-1", 1)]


def test_carts_and_their_lines(shop: Shop, spec: Spec) -> None:
    early = "2025-10-01T09:59:59"
    write_day(
        shop.bronze,
        spec,
        shopping_carts=[
            {"cart_id": "A"},
            {"cart_id": "B", "updated_at": early},
            {"cart_id": "C", "updated_at": None, "cart_total": None},
            {"cart_id": "D", "customer_id": "GUEST-7", "status": "  EMPTIED "},
        ],
        cart_items=[
            {"cart_id": "A", "product_name": "  sMART   lamp "},
            {"cart_id": "B"},
            {"cart_id": "Z"},
            {"cart_id": "A", "cart_item_id": 2, "product_name": "None"},
        ],
    )
    scored(shop)
    assert reasons(shop, "shopping_carts", "cart_id") == {"B": "rule:updated_before_created"}
    assert reasons(shop, "cart_items", "cart_id") == {"B": "fk:cart_id", "Z": "fk:cart_id"}
    assert kept(shop, "cart_items", "cart_item_id", "product_name") == [
        (1, "Smart   Lamp"),
        (2, "None"),
    ]
    assert ("D", "emptied") in kept(shop, "shopping_carts", "cart_id", "status")


def test_returns_of_a_quarantined_order_are_put_aside_with_it(shop: Shop, spec: Spec) -> None:
    write_day(shop.bronze, spec, orders=[{"order_id": "ORD-1", "net_total": -1.0}])
    write_day(
        shop.bronze,
        spec,
        1,
        returns=[{"return_date": "2025-10-02"}],
        return_items=[{"quantity_returned": 0}],
    )
    scored(shop)
    assert reasons(shop, "returns", "return_id") == {"RTN-1": "fk:order_id"}
    assert reasons(shop, "return_items", "return_id") == {
        "RTN-1": "not_positive:quantity_returned|fk:return_id|fk:order_id"
    }


NEWER, OLDER = "2025-12-02T00:00:00+00:00", "2025-11-30T00:00:00+00:00"


VERSIONS: list[tuple[Row, Row]] = [
    ({"ingestion_ts": OLDER}, {"ingestion_ts": NEWER}),
    ({"ingestion_ts": None}, {"ingestion_ts": OLDER}),
    ({"source_file": "a"}, {"source_file": "b"}),
    ({"source_file": None}, {"source_file": "a"}),
    ({"total_items": 1}, {"total_items": 2}),
    ({"net_total": 80.0}, {"net_total": 90.0}),
    ({"net_total": 9.0}, {"net_total": 10.0}),
    ({"is_expedited": False}, {"is_expedited": True}),
    ({"batch_id": "a"}, {"batch_id": "b"}),
    ({"total_items": 9, "ingestion_ts": OLDER}, {"total_items": 1, "ingestion_ts": NEWER}),
]


def test_of_two_versions_the_later_wins_wherever_it_stands(shop: Shop, spec: Spec) -> None:
    rows: list[Row] = []
    for n, (first, second) in enumerate(VERSIONS):
        # event_id is the last but one column of the contract, so here it never decides.
        loser: Row = {"event_id": "z-loser", **first}
        winner: Row = {"event_id": "a-winner", **second}
        rows += [{"order_id": f"{n}-as-is", **row} for row in (loser, winner)]
        rows += [{"order_id": f"{n}-turned", **row} for row in (winner, loser)]
    write_day(shop.bronze, spec, orders=rows)
    scored(shop)
    keys = sorted({row["order_id"] for row in rows})
    assert kept(shop, "orders", "order_id", "event_id") == [(key, "a-winner") for key in keys]
    put_aside = shop.table("quarantine.orders").select("order_id", "event_id", "invalid_reason")
    expected = [(key, "z-loser", "duplicate:order_id") for key in keys]
    assert sorted(put_aside.rows()) == expected


def test_a_bad_later_version_never_evicts_a_good_earlier_one(shop: Shop, spec: Spec) -> None:
    write_day(
        shop.bronze,
        spec,
        orders=[{}, {"net_total": -1.0, "ingestion_ts": NEWER}],
        order_items=[{}],
    )
    scored(shop)
    assert kept(shop, "orders", "order_id", "net_total")[0][0] == "ORD-1"
    assert reasons(shop, "orders", "order_id") == {"ORD-1": "negative:net_total"}
    assert len(kept(shop, "order_items", "order_id")) == 1


def test_unknown_columns_decide_last(shop: Shop, spec: Spec) -> None:
    write_day(shop.bronze, spec, orders=[{"note": "a"}, {"note": "b"}, {"note": None}])
    scored(shop)
    put_aside = shop.table("quarantine.orders")
    assert (
        sorted(put_aside["note"].to_list(), key=str) == [None, "a"][::-1]
        or sorted(put_aside["note"].to_list(), key=str) == ["None", "a"]
        or set(put_aside["note"]) == {None, "a"}
    )


def test_a_compound_key_is_named_whole(shop: Shop, spec: Spec) -> None:
    write_day(shop.bronze, spec, orders=[{}], order_items=[{}, {"ingestion_ts": NEWER}])
    scored(shop)
    assert reasons(shop, "order_items", "order_id") == {"ORD-1": "duplicate:order_id+product_id"}


class TestAcrossDays:
    """Tables are unique over their whole history."""

    def test_a_later_day_supersedes_and_the_older_partition_gives_its_row_up(
        self, shop: Shop, spec: Spec
    ) -> None:
        write_day(shop.bronze, spec, 0, orders=[{"order_id": "A"}, {"order_id": "B"}])
        scored(shop)
        later: Row = {"order_id": "A", "order_date": "2025-10-02T08:00:00"}
        write_day(shop.bronze, spec, 1, orders=[later])
        scored(shop)
        days = kept(shop, "orders", "order_id", "ingestion_dt")
        assert [(key, str(day)) for key, day in days] == [("A", "2025-10-02"), ("B", "2025-10-01")]
        put_aside = shop.table("quarantine.orders")
        assert put_aside.select("order_id", "invalid_reason").rows() == [
            ("A", "duplicate:order_id")
        ]
        assert str(put_aside["ingestion_dt"][0]) == "2025-10-01"

    def test_an_older_delivery_of_a_later_day_loses(self, shop: Shop, spec: Spec) -> None:
        write_day(shop.bronze, spec, 0, orders=[{"ingestion_ts": NEWER}])
        scored(shop)
        write_day(shop.bronze, spec, 1, orders=[{"ingestion_ts": OLDER}])
        scored(shop)
        assert str(kept(shop, "orders", "ingestion_dt")[0][0]) == "2025-10-01"
        assert str(shop.table("quarantine.orders")["ingestion_dt"][0]) == "2025-10-02"

    def test_a_row_whose_rival_was_withdrawn_comes_back(self, shop: Shop, spec: Spec) -> None:
        write_day(shop.bronze, spec, 0, orders=[{}])
        write_day(shop.bronze, spec, 1, orders=[{}, {"order_id": "B"}])
        scored(shop)
        assert str(shop.table("quarantine.orders")["ingestion_dt"][0]) == "2025-10-01"
        write_day(shop.bronze, spec, 1, orders=[{"order_id": "B"}])
        scored(shop)
        assert shop.table("quarantine.orders").height == 0
        assert len(kept(shop, "orders", "order_id")) == 2

    def test_a_child_that_waited_is_accepted_when_its_parent_arrives(
        self, shop: Shop, spec: Spec
    ) -> None:
        write_day(
            shop.bronze,
            spec,
            1,
            returns=[{"return_date": "2025-10-02"}],
            return_items=[{}],
        )
        scored(shop)
        assert reasons(shop, "returns", "return_id") == {"RTN-1": "fk:order_id"}
        write_day(shop.bronze, spec, 0, orders=[{"order_id": " ORD-1"}])
        scored(shop)
        assert shop.table("quarantine.returns").height == 0
        assert kept(shop, "returns", "return_id") == [("RTN-1",)]
        assert kept(shop, "return_items", "return_id") == [("RTN-1",)]

    def test_a_child_whose_parent_was_withdrawn_is_put_aside(self, shop: Shop, spec: Spec) -> None:
        write_day(shop.bronze, spec, 0, orders=[{}, {"order_id": "B"}])
        write_day(shop.bronze, spec, 1, returns=[{"return_date": "2025-10-02"}])
        scored(shop)
        assert kept(shop, "returns", "return_id") == [("RTN-1",)]
        write_day(shop.bronze, spec, 0, orders=[{"order_id": "B"}])
        scored(shop)
        assert reasons(shop, "returns", "return_id") == {"RTN-1": "fk:order_id"}


class TestDimensions:
    """A snapshot has the newest good version of each key."""

    def test_older_versions_are_superseded_and_bad_rows_put_aside(
        self, shop: Shop, spec: Spec
    ) -> None:
        write_partition(
            shop.bronze,
            spec,
            "customers",
            "signup_date=2025-02-01",
            [
                {"customer_id": "C", "age": 30.0},
                {"customer_id": "C", "age": 31.0, "ingestion_ts": NEWER},
                {"customer_id": "D", "signup_date": "never"},
                {"customer_id": "E", "age": 200.0, "email": "nobody"},
                {"customer_id": None},
            ],
        )
        write_day(
            shop.bronze,
            spec,
            orders=[{"order_id": "1", "customer_id": "D"}, {"order_id": "2", "customer_id": "X"}],
        )
        scored(shop)
        ages = shop.load("dims.customers").collect().select("customer_id", "age").sort("age").rows()
        assert ages == [("E", None), ("CUST-1", 30), ("C", 31)]
        put_aside = shop.table("quarantine.customers").select("customer_id", "invalid_reason")
        assert set(put_aside.rows()) == {
            ("D", "unparseable:signup_date"),
            (None, "missing:customer_id"),
        }
        # A bad attribute of a customer does not delete his orders.
        assert kept(shop, "orders", "order_id") == [("1",)]
        assert reasons(shop, "orders", "order_id") == {"2": "fk:customer_id"}

    def test_the_numbers_add_up(self, shop: Shop, spec: Spec) -> None:
        rows: list[Row] = [{}, {"ingestion_ts": NEWER}, {"product_id": None}, {"product_id": 2}]
        write_partition(shop.bronze, spec, "product_catalog", "category=Home", rows)
        write_day(shop.bronze, spec, orders=[{}])
        counts = {row["table"]: row for row in shop.run("dims")["tables"]["dims"]}
        products = counts["product_catalog"]
        assert products["bronze_rows"] == 4
        assert (products["accepted"], products["superseded"], products["quarantined"]) == (2, 1, 1)

    def test_the_layout_by_ingest_day_knows_nothing_of_later_days(
        self, tmp_path: Path, spec: Spec
    ) -> None:
        shop = Shop(tmp_path / "b", tmp_path / "d")
        write_partition(shop.bronze, spec, "customers", ingest(0), [{}])
        write_partition(shop.bronze, spec, "customers", ingest(5), [{"customer_id": "LATE"}])
        for n, price in ((0, 50.0), (5, 60.0)):
            row: Row = {"unit_price": price, "ingestion_ts": NEWER if n else OLDER}
            write_partition(shop.bronze, spec, "product_catalog", ingest(n), [row])
        write_day(shop.bronze, spec, orders=[{}, {"order_id": "2", "customer_id": "LATE"}])
        shop.run("dims", "base_silver", ingest_dt=ingest(0)[-10:])
        assert shop.load("dims.customers").collect()["customer_id"].to_list() == ["CUST-1"]
        assert shop.load("dims.product_catalog").select(pl.col("unit_price")).collect().item() == 50
        # Its key stands in Bronze, so its order counts.
        assert len(kept(shop, "orders", "order_id")) == 2
