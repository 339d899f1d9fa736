"""Every case of `shared/faults`: what is right, in words, and the assertion of it.

A check gets the run on the case and the run on the clean base. `full` cases run up to Gold;
for the others it is enough that Silver is right, because all that follows is made from it.
A case that needs several runs is a test of its own in the other modules (`ELSEWHERE`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from tests.faults import bronze as b
from tests.faults.harness import (
    Outcome,
    assert_same,
    base_bronze,
    changed,
    layers,
    without,
)

Check = Callable[[Outcome, Outcome], None]
SECOND = pl.col("ingestion_dt") == "2025-10-02"


@dataclass(frozen=True)
class Case:
    """A case of the folder.

    Attributes:
        right: The right result, in words.
        full: Whether it runs up to Gold.
        cheap: Whether a plain `pytest` runs it.
        own_process: Whether it needs a process of its own, for what the shell has set.
        parameters: Parameters of the run.
        holds: What `holds_up` has to know about the case.
    """

    name: str
    right: str
    check: Check
    full: bool = False
    cheap: bool = False
    own_process: bool = False
    parameters: tuple[tuple[str, Any], ...] = ()
    holds: tuple[tuple[str, Any], ...] = ()


# ---------------------------------------------------------------- equal, or equal but for ...


def same(outcome: Outcome, base: Outcome) -> None:
    """All tables that the run makes equal those of the base run."""
    assert outcome.code == 0, outcome.text[-2000:]
    if outcome.full:
        assert_same(base.tables, outcome.tables)
    else:
        names = layers(base.tables | outcome.tables, "base", "dims", "quarantine")
        assert_same(base.tables, outcome.tables, *names)


def same_and_unnoticed(outcome: Outcome, base: Outcome) -> None:
    """As `same`, and the Bronze gate finds nothing wrong."""
    same(outcome, base)
    assert outcome.failures("bronze") == []


def same_and_drift(column: str) -> Check:
    """As `same`, and the gate names the column that nobody knows."""

    def check(outcome: Outcome, base: Outcome) -> None:
        same(outcome, base)
        assert outcome.failures("bronze"), "the drift is not reported"
        assert column in str(outcome.failures("bronze"))

    return check


def same_but_for(table: str, *columns: str, also: Check | None = None) -> Check:
    """All of Silver equals the base run's, without some columns of one table."""

    def check(outcome: Outcome, base: Outcome) -> None:
        assert outcome.code == 0, outcome.text[-2000:]
        expected = without(base.tables, table, *columns)
        found = without(outcome.tables, table, *columns)
        assert_same(expected, found, *layers(expected | found, "base", "dims", "quarantine"))
        if also:
            also(outcome, base)

    return check


def silver(outcome: Outcome, expected: dict[str, pl.DataFrame], *, leave_out: str = "") -> None:
    """Base Silver and the dimensions are as expected; quarantine is looked at apart."""
    names = layers(expected | outcome.tables, "base", "dims")
    assert_same(expected, outcome.tables, *(name for name in names if name != leave_out))


def quarantined(outcome: Outcome, expected: dict[str, dict[str, int]]) -> None:
    """The quarantine holds these reasons per table, this often, and nothing else."""
    found = {name.split("/")[1] for name in outcome.tables if name.startswith("quarantine/")}
    assert {table: outcome.reasons(table) for table in found} == expected


def refused(*words: str) -> Check:
    """The run ends with a message that names these things, and writes no event table."""

    def check(outcome: Outcome, _base: Outcome) -> None:
        assert outcome.code == 1, outcome.text[-2000:]
        assert [word for word in words if word not in outcome.words] == []
        assert "disk" not in outcome.words, "advice about the disk where the file is at fault"
        assert not layers(outcome.tables, "base", "quarantine")

    return check


# ---------------------------------------------------------------- rows that are put aside


def put_aside(table: str, reason: str, keep: pl.Expr, rows: int = 1) -> Check:
    """Some rows of one table are in quarantine with a reason; everything else is the same."""

    def check(outcome: Outcome, base: Outcome) -> None:
        assert outcome.code == 0, outcome.text[-2000:]
        quarantined(outcome, {table: {reason: rows}})
        expected = changed(base.tables, f"base/{table}", where=keep)
        silver(outcome, expected)
        assert base.tables[f"base/{table}"].height - expected[f"base/{table}"].height == rows

    return check


def _line(table: str, row: int, *key: str, day: str = b.SECOND) -> pl.Expr:
    """All rows but the one that stands in a row of the base's partition."""
    there = b.read(base_bronze() / table / day)
    same = [pl.col(name) == there[name][row].as_py() for name in key]
    return ~pl.all_horizontal(same)


def first_item_put_aside(outcome: Outcome, base: Outcome) -> None:
    keep = _line("order_items", 0, "order_id", "product_id")
    put_aside("order_items", "too_large:quantity", keep)(outcome, base)
    if "gold/fct_orders" in outcome.tables:
        units = outcome.gold("select sum(units), min(units) from gold.fct_orders")
        assert units[0][0] == outcome.tables["base/order_items"]["quantity"].sum()


def cart_lines_put_aside(outcome: Outcome, base: Outcome) -> None:
    there = b.read(base_bronze() / "cart_items" / b.SECOND)
    rows = [(there["cart_id"][n].as_py(), there["cart_item_id"][n].as_py()) for n in range(3)]
    keys = pl.struct("cart_id", "cart_item_id")
    gone = pl.DataFrame(rows, schema=["cart_id", "cart_item_id"], orient="row")
    keep = ~keys.is_in(gone.to_struct("keys").implode())
    put_aside("cart_items", "too_large:quantity", keep, rows=3)(outcome, base)


def carts_put_aside(day: str, at_most: int) -> Check:
    """Carts with an absurd total are put aside, and their items with them."""

    def check(outcome: Outcome, base: Outcome) -> None:
        assert outcome.code == 0, outcome.text[-2000:]
        there = b.read(base_bronze() / "shopping_carts" / day)
        carts = [
            cart
            for cart, status in zip(
                there["cart_id"].to_pylist(), there["status"].to_pylist(), strict=True
            )
            if status == "abandoned"
        ][:at_most]
        lines = b.keys(base_bronze(), "cart_items", "cart_id", "cart_id", carts)
        quarantined(
            outcome,
            {
                "shopping_carts": {"too_large:cart_total": len(carts)},
                "cart_items": {"fk:cart_id": len(lines)},
            },
        )
        keep = ~pl.col("cart_id").is_in(carts)
        expected = changed(base.tables, "base/shopping_carts", where=keep)
        silver(outcome, changed(expected, "base/cart_items", where=keep))

    return check


def orders_leave(outcome: Outcome, base: Outcome, orders: list[str], reason: str) -> None:
    """Some orders are put aside for a reason, and all that refers to them follows them."""
    assert outcome.code == 0, outcome.text[-2000:]
    gone = set(orders)
    expected = base.tables
    reasons = {"orders": {reason: len(orders)}}
    keep = ~pl.col("order_id").is_in(sorted(gone))
    for table in ("orders", "order_items", "returns", "return_items"):
        before = expected[f"base/{table}"].height
        expected = changed(expected, f"base/{table}", where=keep)
        lost = before - expected[f"base/{table}"].height
        if lost and table == "return_items":
            reasons[table] = {"fk:order_id|fk:return_id": lost}
        elif lost and table != "orders":
            reasons[table] = {"fk:order_id": lost}
    found = {table: _in_order(outcome.reasons(table)) for table in reasons}
    assert found == {table: _in_order(counted) for table, counted in reasons.items()}
    expected = {name: frame for name, frame in expected.items() if frame.height}
    names = layers(expected | outcome.tables, "base", "dims")
    assert_same(expected, outcome.tables, *names)


def _in_order(reasons: dict[str, int]) -> dict[str, int]:
    """Reasons with the codes of each in the order of the alphabet."""
    counted: Counter[str] = Counter()
    for codes, n in reasons.items():
        counted["|".join(sorted(codes.split("|")))] += n
    return dict(counted)


def _order_ids(day: str) -> list[str]:
    ids: list[str] = b.read(base_bronze() / "orders" / day)["order_id"].to_pylist()
    return ids


# ---------------------------------------------------------------- the cases, one by one


def renamed_category(outcome: Outcome, base: Outcome) -> None:
    """`Home & Garden` stands in the dimension wherever `home` did, and no row is lost."""
    assert outcome.code == 0, outcome.text[-2000:]
    home = pl.col("category").replace("home", "home & garden").alias("category")
    expected = dict(base.tables)
    for name, frame in base.tables.items():
        if "category" in frame.columns and name.split("/")[0] in ("dims", "enriched", "gold"):
            expected = changed(expected, name, home)
    assert_same(expected, outcome.tables)


def without_signup_date(outcome: Outcome, base: Outcome) -> None:
    """Customers of 20 folders are put aside, by `missing:signup_date`; no sale is lost."""
    assert outcome.code == 0, outcome.text[-2000:]
    folders = sorted((base_bronze() / "customers").glob("*=*"))[:20]
    gone = [key for folder in folders for key in b.read(folder)["customer_id"].to_pylist()]
    quarantined(outcome, {"customers": {"missing:signup_date": len(gone)}})
    keep = ~pl.col("customer_id").is_in(gone)
    silver(outcome, changed(base.tables, "dims/customers", where=keep))
    assert outcome.tables["gold/fct_orders"].height == base.tables["gold/fct_orders"].height


def three_products_moved(outcome: Outcome, base: Outcome) -> None:
    """No item of the three products is lost; their category is that of the folder."""
    assert outcome.code == 0, outcome.text[-2000:]
    assert_same(base.tables, outcome.tables, *layers(base.tables, "base"))
    moved = pl.col("category") == "home & garden"
    assert outcome.tables["dims/product_catalog"].filter(moved).height == 3
    assert not layers(outcome.tables, "quarantine")


def bytes_are_text(outcome: Outcome, base: Outcome) -> None:
    same_but_for("dims/customers", "last_name")(outcome, base)
    names = set(outcome.tables["dims/customers"]["last_name"].to_list())
    assert names == {"O'Brien", "Núñez"}


def one_address_is_null(outcome: Outcome, base: Outcome) -> None:
    """The order stays, its address is null, counted, and quoted nowhere."""
    assert outcome.code == 0, outcome.text[-2000:]
    first = pl.col("order_id") == _order_ids(b.SECOND)[0]
    address = pl.when(~first).then("shipping_address").alias("shipping_address")
    expected = changed(base.tables, "base/orders", address)
    assert_same(
        expected, outcome.tables, *layers(expected | outcome.tables, "base", "dims", "quarantine")
    )
    assert outcome.nullified("orders") == {"shipping_address": 1}
    assert "Libert" not in outcome.text


def held_back(day: str) -> Check:
    """The base run's tables, and a critical failure that names the day."""

    def check(outcome: Outcome, base: Outcome) -> None:
        same(outcome, base)
        assert day in str(outcome.failures("bronze", "critical"))

    return check


def agent_of_half_is_null(outcome: Outcome, base: Outcome) -> None:
    ids = _order_ids(b.SECOND)
    half = pl.col("order_id").is_in(ids[: len(ids) // 2])
    expected = changed(
        base.tables, "base/orders", pl.when(~half).then("agent_id").alias("agent_id")
    )
    assert outcome.code == 0, outcome.text[-2000:]
    assert_same(
        expected, outcome.tables, *layers(expected | outcome.tables, "base", "dims", "quarantine")
    )


def json_is_text(outcome: Outcome, base: Outcome) -> None:
    """The annotation changes nothing: the text with its quotes, and `null` is a null word."""
    same_but_for("base/orders", "payment_method")(outcome, base)
    there = b.read(base_bronze() / "orders" / b.SECOND)
    text = [f'"{value}"'.lower() for value in there["payment_method"].to_pylist()]
    expected = dict(zip(there["order_id"].to_pylist(), ['"n/a"', None, *text[2:]], strict=True))
    found = outcome.tables["base/orders"].filter(SECOND)
    assert dict(found.select("order_id", "payment_method").rows()) == expected


def total_items_ambiguous(outcome: Outcome, base: Outcome) -> None:
    """The optional column is null in the file, counted, and critical; nothing else moves."""
    assert outcome.code == 0, outcome.text[-2000:]
    items = pl.when(~SECOND).then("total_items").alias("total_items")
    expected = changed(base.tables, "base/orders", items)
    assert_same(
        expected, outcome.tables, *layers(expected | outcome.tables, "base", "dims", "quarantine")
    )
    assert outcome.nullified("orders") == {"total_items": len(_order_ids(b.SECOND))}
    assert "total_items" in str(outcome.failures("bronze", "critical"))


def net_total_ambiguous(outcome: Outcome, base: Outcome) -> None:
    orders_leave(outcome, base, _order_ids(b.SECOND), "ambiguous:net_total")
    assert "net_total" in str(outcome.failures("bronze", "critical"))


def unit_price_ambiguous(outcome: Outcome, base: Outcome) -> None:
    same_but_for("base/return_items", "unit_price")(outcome, base)
    items = outcome.tables["base/return_items"]
    assert items["unit_price"].null_count() == items.height
    assert outcome.nullified("return_items") == {"unit_price": items.height}
    assert "unit_price" in str(outcome.failures("bronze", "critical"))


def later_category_wins(outcome: Outcome, base: Outcome) -> None:
    """One row per product: equal to the moment, so the larger category, `toys`, wins."""
    assert outcome.code == 0, outcome.text[-2000:]
    home = b.read(base_bronze() / "product_catalog" / "category=Home")
    moved = pl.col("product_id") == home["product_id"][0].as_py()
    expected = changed(
        base.tables,
        "dims/product_catalog",
        pl.when(moved).then(pl.lit("toys")).otherwise("category").alias("category"),
        pl.when(moved)
        .then(pl.col("unit_price") + 100)
        .otherwise("unit_price")
        .cast(pl.Decimal(18, 2))
        .alias("unit_price"),
    )
    silver(outcome, expected)
    quarantined(outcome, {})


def odd_but_right(outcome: Outcome, base: Outcome) -> None:
    """All rows are kept: nothing in the contract forbids them; negative stock is null."""
    assert outcome.code == 0, outcome.text[-2000:]
    quarantined(outcome, {})
    order = _order_ids(b.THIRD)[0]
    expected = changed(base.tables, "base/order_items", where=pl.col("order_id") != order)
    toys = pl.col("category") == "toys"
    stock = pl.when(~toys).then("inventory_quantity").alias("inventory_quantity")
    expected = changed(expected, "dims/product_catalog", stock)
    names = layers(expected, "base", "dims")
    untouched = [name for name in names if name not in ("base/returns", "base/return_items")]
    assert_same(expected, outcome.tables, *untouched)
    for name in ("base/returns", "base/return_items"):
        assert outcome.tables[name].height == base.tables[name].height + 1
    found = outcome.gold(
        f"select lines, has_all_lines, gross_profit from gold.fct_orders where order_id = '{order}'"
    )
    assert found == [(0, False, None)]


def huge_ids_do_not_cast(outcome: Outcome, base: Outcome) -> None:
    assert outcome.code == 0, outcome.text[-2000:]
    quarantined(
        outcome,
        {
            "order_items": {"unparseable:product_id": 1},
            "product_catalog": {"unparseable:product_id": 1},
        },
    )
    keep = _line("order_items", 0, "order_id", "product_id")
    silver(outcome, changed(base.tables, "base/order_items", where=keep))
    raw = outcome.tables["quarantine/order_items"]["product_id"].to_list()
    assert raw == ["18446744073709551615"]


def long_text(outcome: Outcome, base: Outcome) -> None:
    """An unknown customer puts one order aside; long and odd text is text."""
    ids = _order_ids(b.SECOND)
    plain = ("shipping_address", "agent_id")
    tables = without(base.tables, "base/orders", *plain)
    found = without(outcome.tables, "base/orders", *plain)
    orders_leave(_with(outcome, found), _with(base, tables), [ids[1]], "fk:customer_id")
    rows = outcome.tables["base/orders"]
    first = rows.filter(pl.col("order_id") == ids[0])["shipping_address"].to_list()
    assert first == ["x" * 5_000_000]


def _with(outcome: Outcome, tables: dict[str, pl.DataFrame]) -> Outcome:
    """The same outcome with other tables."""
    twin = replace(outcome)
    twin.__dict__["tables"] = tables
    return twin


def numbers_meet(outcome: Outcome, base: Outcome) -> None:
    """Orders without a customer are put aside as such; all others find theirs."""
    guests = [
        order
        for order, customer in zip(
            b.column(base_bronze(), "orders", "order_id"),
            b.column(base_bronze(), "orders", "customer_id"),
            strict=True,
        )
        if customer.startswith("GUEST")
    ]
    assert outcome.code == 0, outcome.text[-2000:]
    assert outcome.reasons("orders") == {"missing:customer_id": len(guests)}
    assert set(outcome.reasons("shopping_carts")) <= {"missing:customer_id"}
    number = pl.col("customer_id").str.extract(r"(\d+)$").str.replace(r"^0+", "")
    kept = pl.col("customer_id").str.starts_with("CUST")
    plain = pl.when(kept).then(number).alias("customer_id")
    expected = changed(base.tables, "base/orders", plain, where=kept)
    expected = changed(expected, "base/shopping_carts", plain, where=kept)
    expected = changed(expected, "dims/customers", plain)
    assert_same(expected, outcome.tables, "base/orders", "base/shopping_carts", "dims/customers")


def zone_of_the_machine_means_nothing(outcome: Outcome, base: Outcome) -> None:
    same_but_for("base/orders", "order_date", "order_dt")(outcome, base)
    ids = _order_ids(b.THIRD)
    start = datetime(2025, 10, 3, 0, 30)
    expected = {key: start + timedelta(minutes=n) for n, key in enumerate(ids)}
    rows = outcome.tables["base/orders"].filter(pl.col("ingestion_dt") == "2025-10-03")
    assert dict(rows.select("order_id", "order_date").rows()) == expected
    assert rows["order_dt"].unique().to_list() == [date(2025, 10, 3)]


def old_zone_means_nothing(outcome: Outcome, _base: Outcome) -> None:
    """1900-01-01 UTC is that day, whatever Amsterdam's clocks showed in 1900."""
    assert outcome.code == 0, outcome.text[-2000:]
    folders = sorted((base_bronze() / "customers").glob("*=*"))[:3]
    old = [key for folder in folders for key in b.read(folder)["customer_id"].to_pylist()]
    dims = outcome.tables["dims/customers"]
    assert dims.filter(pl.col("customer_id").is_in(old))["signup_date"].unique().to_list() == [
        date(1900, 1, 1)
    ]
    assert outcome.reasons("orders") == {"negative:net_total": 1}
    raw = outcome.tables["quarantine/orders"]["order_date"].to_list()
    assert re.match(r"2025-10-03[ T]00:30", raw[0]), raw
    orders = outcome.tables["base/orders"].filter(pl.col("ingestion_dt") == "2025-10-03")
    assert orders["order_date"].unique().to_list() == [datetime(2025, 10, 3, 0, 30)]


def odd_columns_are_kept_aside(outcome: Outcome, base: Outcome) -> None:
    ids = _order_ids(b.SECOND)
    orders_leave(outcome, base, ids[:1], "negative:net_total")
    aside = outcome.tables["quarantine/orders"]
    for name in ("{{ 1/0 }}", "line\nbreak", "🛒", "net_total ", "x" * 300, "back\\slash"):
        assert aside[name].to_list() == ["v"], name


def nested_is_not_text(outcome: Outcome, base: Outcome) -> None:
    same_but_for("base/orders", "shipping_address", "email")(outcome, base)
    rows = outcome.tables["base/orders"].filter(SECOND)
    assert rows["email"].null_count() == rows.height


def capitals_are_unknown(outcome: Outcome, base: Outcome) -> None:
    """No name of the contract is there: every order misses its required columns."""
    required = ("order_id", "order_date", "customer_id", "gross_total", "net_total")
    ids = [key for day in (b.FIRST, b.SECOND, b.THIRD) for key in _order_ids(day)]
    orders_leave(outcome, base, ids, "|".join(f"missing:{name}" for name in required))


def money_as_people_write_it(outcome: Outcome, _base: Outcome) -> None:
    """Only plain decimal numbers cast; a value that does not is put aside as it was."""
    assert outcome.code == 0, outcome.text[-2000:]
    aside = outcome.tables["quarantine/orders"]
    unparseable = aside.filter(pl.col("invalid_reason") == "unparseable:net_total")
    refused = {
        "$12.50",
        "1,234.50",
        "1.234,50",
        "12,5",
        "€ 9",
        "12.50-",
        "(12.50)",
        "1 234.50",
        "1'234.50",
        "12.50 USD",
        "0x1F",
        "١٢",
        "\u22125",
        "Infinity",
        "1_000",
    }
    assert set(unparseable["net_total"].to_list()) - {"1e3"} == refused
    ids = _order_ids(b.SECOND)
    cut = outcome.tables["base/orders"].filter(pl.col("order_id") == ids[10])["net_total"]
    gone = set(aside.filter(pl.col("order_id") == ids[10])["invalid_reason"].to_list())
    assert [str(value) for value in cut] == ["1234.50"] or gone == {"rule:net_exceeds_gross"}


def file_url(outcome: Outcome, base: Outcome) -> None:
    """The same tables, or a refusal that shows the address."""
    if outcome.code == 0:
        same(outcome, base)
    else:
        assert "file://" in outcome.words


def guests_only(outcome: Outcome, base: Outcome) -> None:
    """Orders of customers are put aside by `fk:customer_id`; guests' orders reach Gold."""
    assert outcome.code == 0, outcome.text[-2000:]
    guest = pl.col("customer_id").str.starts_with("GUEST")
    orders = base.tables["base/orders"]
    assert outcome.reasons("orders") == {"fk:customer_id": orders.filter(~guest).height}
    assert_same(
        changed(
            changed(base.tables, "base/orders", where=guest), "base/shopping_carts", where=guest
        ),
        outcome.tables,
        "base/orders",
        "base/shopping_carts",
    )
    assert "dims/customers" not in outcome.tables
    found = set(outcome.tables["gold/dim_customers"]["customer_id"].to_list())
    assert found == set(orders.filter(guest)["customer_id"].to_list())


def unlimited_stock_is_null(outcome: Outcome, base: Outcome) -> None:
    assert outcome.code == 0, outcome.text[-2000:]
    books = b.read(base_bronze() / "product_catalog" / "category=Books")
    digital = pl.col("product_id") == books["product_id"][0].as_py()
    expected = changed(
        base.tables,
        "dims/product_catalog",
        *(
            pl.when(~digital).then(name).alias(name)
            for name in ("inventory_quantity", "cost_price")
        ),
    )
    silver(outcome, expected)
    quarantined(outcome, {})
    assert outcome.nullified("product_catalog") == {"inventory_quantity": 1}


def calendar(first: date, days: int) -> Check:
    """Gold's calendar has every day once, with Python's own ISO weeks."""

    def check(outcome: Outcome, _base: Outcome) -> None:
        assert outcome.code == 0, outcome.text[-2000:]
        rows = (
            outcome.tables["gold/dim_dates"]
            .select("date_dt", "iso_year", "iso_week", "day_of_week")
            .rows()
        )
        assert [row for row in rows if row[1:] != tuple(row[0].isocalendar())] == []
        dates = sorted(row[0] for row in rows)
        assert dates == [dates[0] + timedelta(days=n) for n in range(len(dates))]
        assert dates[-1] == first + timedelta(days=days)
        dashboard = sorted(outcome.tables["gold/fct_daily_dashboard"]["ingestion_dt"].to_list())
        assert [str(day) for day in dashboard] == [
            str(first + timedelta(days=n)) for n in range(days)
        ]
        found = [one for layer in outcome.report["gates"] for one in outcome.failures(layer)]
        # The shop of the case has taken nothing back yet.
        empty = {("table_present", "returns"), ("table_present", "return_items")}
        assert {(one["name"], one["table"]) for one in found} <= empty, found

    return check


CASES = (
    Case("01-spark-dims", "all tables equal those of the base run", same, full=True, cheap=True),
    Case(
        "02-urlencoded-category",
        "all tables equal, but `home` is called `home & garden`",
        renamed_category,
        full=True,
    ),
    Case(
        "02c-hive-default",
        "the customers are put aside by missing:signup_date; no sale is lost",
        without_signup_date,
        full=True,
    ),
    Case(
        "02e-small-category-strict",
        "a strict run keeps the items of the moved products",
        three_products_moved,
        parameters=(("quality", {"mode": "strict"}),),
    ),
    Case(
        "03-binary-strings", "bytes are text: everything equal but the names given", bytes_are_text
    ),
    Case("04-region-in-data-root", "all of Silver equals that of the base run", same),
    Case("04c-day-in-data-root", "all tables equal those of the base run", same, full=True),
    Case("05-status-in-bronze-root", "all of Silver equals that of the base run", same),
    Case("05b-ingest-dt-in-root", "all of Silver equals that of the base run", same),
    Case("06-brackets", "all of Silver equals that of the base run", same),
    Case("06b-brackets-data", "all tables equal those of the base run", same, full=True),
    Case("06c-odd-path", "all of Silver equals that of the base run", same),
    Case("07-appledouble", "all of Silver equal, and nothing to complain of", same_and_unnoticed),
    Case(
        "08-huge-quantity",
        "one line put aside by too_large:quantity; all else equal",
        first_item_put_aside,
        full=True,
    ),
    Case(
        "08b-large-quantity",
        "one line put aside by too_large:quantity; all else equal",
        first_item_put_aside,
    ),
    Case(
        "08c-cart-quantity",
        "three cart lines put aside by too_large:quantity; all else equal",
        cart_lines_put_aside,
    ),
    Case(
        "09-huge-money",
        "the carts put aside by too_large:cart_total, their lines by fk",
        carts_put_aside(b.SECOND, 10**6),
    ),
    Case(
        "09b-money-sum",
        "two carts put aside by too_large:cart_total, their lines by fk",
        carts_put_aside(b.FIRST, 2),
        full=True,
    ),
    Case(
        "10-epoch-partition",
        "all tables equal; a critical failure names the day held back",
        held_back("1970-01-01"),
        holds=(("held_back", ("1970-01-01",)),),
    ),
    Case(
        "10c-future-partition",
        "all tables equal; a critical failure names the day held back",
        held_back("2027-10-02"),
        full=True,
        holds=(("held_back", ("2027-10-02",)),),
    ),
    Case("11-empty-column-name", "all of Silver equal; the drift is reported", same_and_drift("")),
    Case(
        "12-invalid-utf8",
        "one address is null and counted; all else equal; no value quoted",
        one_address_is_null,
    ),
    Case("14-dbt-target", "all of Silver equals that of the base run", same, own_process=True),
    Case(
        "14c-dbt-target-path",
        "all tables equal those of the base run",
        same,
        full=True,
        own_process=True,
    ),
    Case("14x-DBT_FULL_REFRESH", "all tables equal those of the base run", same, full=True),
    Case("14x-DBT_TARGET", "all of Silver equals that of the base run", same),
    Case(
        "15-manifests",
        "all of Silver equal, and nothing to complain of",
        same_and_unnoticed,
        cheap=True,
    ),
    Case(
        "15b-manifest-numbers-as-text",
        "all of Silver equal, and nothing to complain of",
        same_and_unnoticed,
    ),
    Case(
        "15c-manifest-no-total",
        "all of Silver equal, and nothing to complain of",
        same_and_unnoticed,
    ),
    Case(
        "16-encrypted-columns",
        "refused: partition and file are named, not the disk",
        refused(f"orders/{b.SECOND}", "part-0000.parquet"),
        cheap=True,
    ),
    Case(
        "16b-encrypted-footer",
        "refused: partition and file are named, not the disk",
        refused(f"orders/{b.SECOND}", "part-0000.parquet"),
        cheap=True,
    ),
    Case(
        "17-corrupt-page",
        "refused: partition and file are named, not the disk",
        refused(f"orders/{b.SECOND}", "part-0000.parquet"),
        cheap=True,
    ),
    Case("18-codecs", "all of Silver equals that of the base run", same),
    Case("19-timestamps", "all of Silver equals that of the base run", same, own_process=True),
    Case("20-decimals", "all of Silver equals that of the base run", same),
    Case("21-arrow-types", "all of Silver equal, but an agent that is null", agent_of_half_is_null),
    Case("21b-json-type", "JSON is text, as it stands, cleaned like any text", json_is_text),
    Case(
        "22-duplicate-columns",
        "total_items is null in the file, counted, and critical",
        total_items_ambiguous,
    ),
    Case(
        "22b-duplicate-only",
        "the day's orders put aside by ambiguous:net_total",
        net_total_ambiguous,
        cheap=True,
    ),
    Case(
        "22c-duplicate-and-case",
        "unit_price is null, counted, and critical; all else equal",
        unit_price_ambiguous,
    ),
    Case("23-partition-column-inside", "all of Silver equals that of the base run", same),
    Case(
        "24-product-in-two-folders",
        "one row of the product, category toys, its price + 100",
        later_category_wins,
        holds=(("products_superseded", 1),),
    ),
    Case(
        "25-year-end",
        "all checks pass, ISO years are right",
        calendar(date(2024, 12, 28), 6),
        full=True,
    ),
    Case(
        "25b-leap-day",
        "all checks pass, the leap day is there",
        calendar(date(2024, 2, 27), 4),
        full=True,
    ),
    Case("26-odd-orders", "all rows are kept; stock below 0 is null", odd_but_right, full=True),
    Case(
        "28-huge-ids",
        "ids beyond int64 put their row aside by unparseable:product_id",
        huge_ids_do_not_cast,
    ),
    Case("29-long-text", "one order put aside by fk:customer_id; text is text", long_text),
    Case(
        "32-float-ids",
        "1001 meets 1001.0; only orders without a customer are put aside",
        numbers_meet,
    ),
    Case(
        "33-dst",
        "the machine's zone changes nothing",
        zone_of_the_machine_means_nothing,
        own_process=True,
    ),
    Case(
        "33b-zone-Amsterdam", "1900-01-01 UTC is that day", old_zone_means_nothing, own_process=True
    ),
    Case("33b-zone-UTC", "1900-01-01 UTC is that day", old_zone_means_nothing),
    Case(
        "34-weird-column-names",
        "unknown columns are dropped, and kept in quarantine",
        odd_columns_are_kept_aside,
    ),
    Case("34b-bom-column", "the mark is no part of the name: all of Silver equal", same),
    Case("35-columns-nested", "all orders are kept; a list is no e-mail", nested_is_not_text),
    Case(
        "36-other-case",
        "every order misses its required columns; children follow",
        capitals_are_unknown,
    ),
    Case(
        "37-money-text",
        "what is no plain number is put aside by unparseable:net_total",
        money_as_people_write_it,
    ),
    Case("39-file-url", "all of Silver equal, or a refusal that shows the address", file_url),
    Case(
        "41-no-customers",
        "guests' orders reach Gold, others are put aside by fk:customer_id",
        guests_only,
        full=True,
        cheap=True,
    ),
    Case(
        "42-money-boundary",
        "one line put aside by too_large:quantity; all else equal",
        first_item_put_aside,
    ),
    Case(
        "43b-unlimited-stock", "stock beyond its bound is null and counted", unlimited_stock_is_null
    ),
)

# Cases of several runs, and where their tests are.
ELSEWHERE = {
    "13-warehouse-locked": "test_state",
    "27-gdpr-deletion": "test_state",
    "30-export": "test_commands",
    "31-symlinked-lake": "test_folders",
    "31b-symlinked-silver": "test_folders",
    "40-warehouse-deleted": "test_state",
    "44-schema-race": "test_environment",
}
