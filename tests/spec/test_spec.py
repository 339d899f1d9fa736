"""A wrong spec fails at start, naming the file, the key, the value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion.errors import SpecError
from medallion.spec import Spec, load_spec, parse_spec
from tests.conftest import PROJECT

TEXT = (PROJECT / "conf" / "base" / "spec.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "gross_total: {bronze: double, silver: money",
            "gross_total: {bronze: double, silver: monee",
            (
                r"tables.orders.columns.gross_total.silver: Input should be 'text', 'int', "
                r"'money', 'bool', 'date' or 'timestamp' \(found: 'monee'\)"
            ),
        ),
        (
            "    key: [cart_id]",
            "    key: [basket_id]",
            r"tables.shopping_carts: key names the unknown column 'basket_id'; known are cart_id",
        ),
        (
            "{columns: [cart_id], parent: shopping_carts}",
            "{columns: [cart_id], parent: baskets}",
            r"parent 'baskets' is no table with a single key; allowed are customers, orders",
        ),
        ("sla: 0.98", "sla: 98", r"tables.customers.sla: .* less than or equal to 1 \(found: 98\)"),
        ("version: 1", "version: 2", r"version: Input should be 1 \(found: 2\)"),
        ("snapshots: last", "snapshots: first", r"snapshots: Input should be 'last' or 'all'"),
        (
            "{trailing: window_days}",
            "{trailing: window_dayz}",
            r"reads.order_items names the unknown parameter 'window_dayz'; known are",
        ),
        ("freshness_hours: 24", "freshness_hourz: 24", r"tables.customers.freshness_hourz"),
        ("version: 1", "version: [1", r"is not valid YAML"),
    ],
)
def test_a_wrong_spec_names_the_key_the_value_and_what_is_allowed(
    old: str, new: str, expected: str
) -> None:
    assert old in TEXT
    with pytest.raises(SpecError, match=expected) as raised:
        parse_spec(TEXT.replace(old, new), "conf/base/spec.yml")
    assert "conf/base/spec.yml" in str(raised.value)


def test_an_absent_spec_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.yml cannot be read"):
        load_spec(tmp_path / "nowhere.yml")


def test_parents_come_before_their_children(spec: Spec) -> None:
    order = list(spec.events)
    for name, table in spec.events.items():
        for fk in table.foreign_keys:
            if fk.parent in order:
                assert order.index(fk.parent) < order.index(name)


def test_lineage_columns_are_the_last_of_every_table(spec: Spec) -> None:
    for table in spec.tables:
        assert list(spec.contract(table))[-4:] == [
            "batch_id",
            "ingestion_ts",
            "event_id",
            "source_file",
        ]
