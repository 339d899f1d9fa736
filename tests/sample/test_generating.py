"""Sample Bronze is laid out, related and messed up like the real producer's."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest

from medallion.errors import RequestError
from medallion.sample import SampleRequest, generate, orders_per_day_for
from medallion.sample.request import Mess
from medallion.spec import Spec
from tests.running import Shop

START = date(2025, 10, 1)


def sample(root: Path, spec: Spec, mess: Mess = "light", seed: int = 1, days: int = 5) -> Path:
    request = SampleRequest(
        output=root, start=START, days=days, orders_per_day=60, seed=seed, mess=mess
    )
    generate(request, spec=spec)
    return root


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Path:
    return sample(tmp_path_factory.mktemp("light") / "bronze", spec)


def ask(root: Path, query: str) -> list[tuple[object, ...]]:
    tables = {
        table.name: f"read_parquet('{table}/*/*.parquet')"
        for table in root.iterdir()
        if table.is_dir()
    }
    return duckdb.sql(query.format(**tables)).fetchall()


def test_the_physical_schema_is_the_real_producers(light: Path, real_bronze: Path) -> None:
    for table in sorted(real_bronze.iterdir()):
        real = next(table.glob("*/*.parquet"))
        made = next((light / table.name).glob("*/*.parquet"))
        assert pl.read_parquet_schema(made) == pl.read_parquet_schema(real), table.name


def test_every_manifest_has_the_real_ones_keys_and_tells_the_truth(
    light: Path, real_bronze: Path
) -> None:
    real = json.loads(next(real_bronze.glob("orders/*/_MANIFEST.json")).read_text())
    for path in light.glob("*/*/_MANIFEST.json"):
        manifest = json.loads(path.read_text())
        assert manifest.keys() == real.keys()
        rows = pl.scan_parquet(path.parent / "*.parquet").select(pl.len()).collect().item()
        assert manifest["total_rows"] == rows
        assert manifest["files"][0]["path"].startswith(f"{path.parts[-3]}/{path.parts[-2]}/")
        assert (path.parent / "_SUCCESS").exists()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(
    light: Path, tmp_path: Path, spec: Spec
) -> None:
    again = sample(tmp_path / "again", spec)
    other = sample(tmp_path / "other", spec, seed=2)

    def seen(root: Path) -> dict[str, bytes]:
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    assert seen(again) == seen(light)
    assert seen(other) != seen(light)


def test_proportions_are_the_real_producers(light: Path) -> None:
    orders, carts, lines, items = (
        ask(light, f"select count(*) from {{{table}}}")[0][0]
        for table in ("orders", "shopping_carts", "cart_items", "order_items")
    )
    assert isinstance(orders, int)
    assert carts / orders == pytest.approx(7.6, rel=0.02)
    assert lines / orders == pytest.approx(32, rel=0.1)
    assert items / orders == pytest.approx(5, rel=0.1)
    guests = ask(light, "select avg((customer_id like 'GUEST-%')::int) from {orders}")[0][0]
    assert guests == pytest.approx(0.28, abs=0.08)


@pytest.mark.parametrize(
    ("what", "query"),
    [
        (
            "order totals are their lines'",
            "select count(*) from {orders} o join (select order_id,"
            " sum(quantity * unit_price) g, sum(discount_amount) d from {order_items} group by 1) l"
            " using (order_id) where abs(g - gross_total) > 0.001"
            " or abs(d - total_discount_amount) > 0.001"
            " or abs(gross_total - total_discount_amount - net_total) > 0.001",
        ),
        (
            "refunds are their lines'",
            "select count(*) from {returns} r left join (select return_id, sum(refunded_amount) s"
            " from {return_items} group by 1) l using (return_id)"
            " where abs(coalesce(s, 0) - r.refunded_amount) > 0.001",
        ),
        (
            "every order has the very time of a converted cart",
            "select count(*) from {orders} o anti join (select customer_id,"
            " created_at as order_date"
            " from {shopping_carts} where lower(trim(status)) = 'converted')"
            " using (customer_id, order_date)",
        ),
        (
            "a known customer has a row",
            "select count(*) from {orders} where customer_id not like 'GUEST-%'"
            " and customer_id not in (select customer_id from {customers})",
        ),
        (
            "returns come after their order",
            "select count(*) from {returns} r join {orders} o using (order_id)"
            " where r.return_date::date <= o.order_date::date",
        ),
        (
            "nothing is dated outside its partition",
            "select count(*) from {cart_items} where added_at::date <> ingest_dt::date",
        ),
        (
            "keys are unique",
            "select count(*) - count(distinct (cart_id, cart_item_id)) from {cart_items}",
        ),
        (
            "no more is returned than was bought",
            "select count(*) from {return_items} r join {order_items} o"
            " using (order_id, product_id) where quantity_returned > quantity",
        ),
    ],
)
def test_the_rows_agree_with_each_other(light: Path, what: str, query: str) -> None:
    assert ask(light, query) == [(0,)], what


def test_a_cart_begun_before_midnight_has_lines_on_the_next_day(light: Path) -> None:
    late = ask(
        light,
        "select count(*) from {cart_items} i join {shopping_carts} c using (cart_id)"
        " where i.ingest_dt > c.ingest_dt",
    )
    assert int(str(late[0][0])) > 0


@pytest.mark.parametrize(("mess", "damaged"), [("none", False), ("light", True), ("heavy", True)])
def test_mess_is_undone_by_trimming_and_lowering(
    tmp_path: Path, spec: Spec, mess: Mess, damaged: bool
) -> None:
    root = sample(tmp_path / "b", spec, mess=mess, days=2)
    kinds = {kind for (kind,) in ask(root, "select distinct status from {shopping_carts}")}
    assert (len(kinds) > 3) is damaged
    assert {str(kind).strip().lower() for kind in kinds} == {"abandoned", "converted", "emptied"}
    has_blank = ask(root, "select bool_and(order_date[11] = ' ') from {orders}")[0][0]
    assert has_blank is (mess == "heavy")


def test_every_planted_defect_is_found_under_its_reason_and_nothing_else(
    tmp_path: Path, spec: Spec
) -> None:
    shop = Shop(tmp_path / "bronze", tmp_path / "data")
    request = SampleRequest(
        output=shop.bronze, start=START, days=4, orders_per_day=40, seed=3, defects=True
    )
    report = generate(request, spec=spec)
    planted = json.loads((shop.bronze / "_planted.json").read_text(encoding="utf-8"))
    assert report.planted == len(planted) > 100
    shop.run("dims", "base_silver")

    expected = Counter(
        (row["table"], row["partition"][-10:], tuple(row["key"]), row["reason"])
        for row in planted
        if "reason" in row
    )
    found: Counter[tuple[str, str, tuple[str, ...], str]] = Counter()
    for name, table in spec.events.items():
        rows = shop.table(f"quarantine.{name}").select(*table.key, "ingestion_dt", "invalid_reason")
        for *key, day, reason in rows.rows():
            found[name, str(day), tuple(key), reason] += 1
    assert found == expected

    lost = Counter((row["table"], row["nullified"]) for row in planted if "nullified" in row)
    counted = {
        (row["table"], column): count
        for row in shop.report()["tables"]["base_silver"]
        for column, count in row["nullified"].items()
    }
    assert counted == lost


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"days": 0}, "--days 0"),
        ({"orders_per_day": 0}, "--orders-per-day 0"),
        ({"mess": "total"}, "--mess total"),
        ({"start": date.max}, "--start 9999-12-31: give a day from 1970-01-01 to 2200-12-31"),
        ({"start": date.min}, "--start 0001-01-01"),
    ],
)
def test_what_cannot_be_generated_is_refused(
    tmp_path: Path, wrong: dict[str, object], expected: str
) -> None:
    asked = {"start": START, "days": 1, "orders_per_day": 1, "seed": 1, "mess": "none"} | wrong
    with pytest.raises(RequestError, match=expected):
        SampleRequest(output=tmp_path / "new", **asked)  # type: ignore[arg-type]


def test_a_folder_that_holds_something_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(RequestError, match="is not empty"):
        SampleRequest(output=tmp_path, start=START, days=1, orders_per_day=1, seed=1)


def test_a_wanted_number_of_rows_is_met(tmp_path: Path, spec: Spec) -> None:
    per_day = orders_per_day_for(20_000, 5)
    request = SampleRequest(
        output=tmp_path / "b", start=START, days=5, orders_per_day=per_day, seed=1
    )
    rows = generate(request, spec=spec).rows
    events = sum(count for table, count in rows.items() if table in spec.events)
    assert events == pytest.approx(20_000, rel=0.1)
