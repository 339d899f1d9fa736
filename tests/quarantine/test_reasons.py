"""A reason says which columns it is about; one that cannot be is refused."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from medallion.errors import RequestError
from medallion.lake.inventory import LakeInventory
from medallion.lake.quarantined import selected_rows
from medallion.lake.store import Lake
from medallion.spec import Spec, parse_spec
from medallion.spec.reasons import offending_columns, reason_codes
from tests.bronze_writing import DAY
from tests.conftest import PROJECT
from tests.quarantine.putting_aside import put_aside, selected


@pytest.mark.parametrize(
    ("table", "reason", "columns"),
    [
        ("orders", "missing:order_date", ("order_date",)),
        ("orders", "rule:net_exceeds_gross", ("net_total", "gross_total")),
        ("orders", "rule:implausible_date:order_date", ("order_date",)),
        ("orders", "missing:order_date|fk:customer_id", ("order_date", "customer_id")),
        ("orders", "duplicate:order_id", ("order_id", "ingestion_ts")),
        ("return_items", "duplicate:return_id+return_item_id",
         ("return_id", "return_item_id", "ingestion_ts")),
        ("orders", "rule:that_the_spec_no_longer_has", ()),
    ],
)  # fmt: skip
def test_a_reason_names_the_columns_to_look_at(
    spec: Spec, table: str, reason: str, columns: tuple[str, ...]
) -> None:
    assert offending_columns(spec, table, reason) == columns


def test_the_codes_of_a_table_are_those_that_scoring_gives(spec: Spec) -> None:
    assert reason_codes(spec, "order_items") == (
        "missing:order_id",
        "ambiguous:order_id",
        "missing:product_id",
        "ambiguous:product_id",
        "missing:quantity",
        "ambiguous:quantity",
        "missing:unit_price",
        "ambiguous:unit_price",
        "unparseable:order_id",
        "unparseable:product_id",
        "unparseable:quantity",
        "unparseable:unit_price",
        "not_positive:quantity",
        "too_large:quantity",
        "negative:unit_price",
        "too_large:unit_price",
        "negative:discount_amount",
        "too_large:discount_amount",
        "negative:cost_price",
        "too_large:cost_price",
        "fk:order_id",
        "fk:product_id",
        "duplicate:order_id+product_id",
    )


def test_an_unknown_table_is_refused_with_those_there_are(lake: LakeInventory) -> None:
    with pytest.raises(RequestError, match=re.escape("tables are orders, order_items")):
        selected(lake, "carts")


def test_an_impossible_reason_is_refused_with_those_near_it(lake: LakeInventory) -> None:
    with pytest.raises(RequestError, match="did you mean fk:customer_id"):
        selected(lake, "orders", reasons=("fk:customer",))


@pytest.mark.parametrize("reason", ["x' or true --", "fk:", "FK", "fk:a|b", ""])
def test_what_is_no_reason_never_reaches_sql(lake: LakeInventory, reason: str) -> None:
    with pytest.raises(RequestError, match="is none"):
        selected(lake, "orders", reasons=(reason,))


def test_a_reason_selects_whole_codes_and_classes_of_them(lake: LakeInventory) -> None:
    reasons = ("fk:customer_id", "missing:order_date|fk:customer_id", "missing:customer_id")
    put_aside(lake, "orders", 0, [{"invalid_reason": reason} for reason in reasons])

    def rows(*asked: str) -> int:
        return sum(selected_rows(lake, "orders", selected(lake, reasons=asked)).values())

    assert rows("fk") == rows("fk:customer_id") == 2
    assert rows("missing") == 2
    assert rows("missing:customer_id") == 1
    assert rows("missing:customer_id", "fk") == 3
    assert rows("negative") == 0


def test_a_reason_whose_rule_has_gone_can_still_be_asked_for(tmp_path: Path) -> None:
    rule = "    rules:\n      net_exceeds_gross: net_total > gross_total\n"
    text = (PROJECT / "conf/base/spec.yml").read_text(encoding="utf-8")
    assert rule in text
    lake = LakeInventory(Lake(tmp_path), parse_spec(text.replace(rule, "")))
    with pytest.raises(RequestError, match="can have the reason"):
        selected(lake, "orders", reasons=("rule:net_exceeds_gross",))
    put_aside(lake, "orders", 0, [{"invalid_reason": "rule:net_exceeds_gross"}])
    asked = selected(lake, "orders", reasons=("rule:net_exceeds_gross",))
    assert selected_rows(lake, "orders", asked) == {DAY: 1}


def test_a_window_leaves_other_days_out(lake: LakeInventory) -> None:
    for n in range(3):
        put_aside(lake, "orders", n, [{"invalid_reason": "fk:customer_id"}])
    asked = selected(lake, "orders", window=(date(2025, 10, 2), date(2025, 10, 2)))
    assert selected_rows(lake, "orders", asked) == {date(2025, 10, 2): 1}
