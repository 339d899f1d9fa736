"""Siblings of the given inputs: each value ends where the semantics say.

All are spoiled partitions of one Bronze, and one run is made for all of them. While something is
being mended, `FAULTS_ALONE=1` gives each kind a run of its own, so that none hides another.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from medallion.spec import Spec
from tests.bronze_writing import DAY, ingest, write_day, write_dimensions, write_partition
from tests.faults.bronze import change
from tests.faults.harness import DIMENSIONS, SILVER, Outcome, holds_up, run
from tests.faults.siblings import KINDS, SIBLINGS, Sibling

_NUMBERS = {sibling.name: n for n, sibling in enumerate(SIBLINGS, start=2)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Callable[[str], Outcome]:
    """The run on the Bronze that holds a kind of siblings: one and the same for all kinds."""

    @cache
    def outcome(kind: str) -> Outcome:
        chosen = KINDS[kind] if kind else SIBLINGS
        return _deliver_and_run(tmp_path_factory.mktemp("siblings"), spec, chosen)

    return lambda kind: outcome(kind if os.environ.get("FAULTS_ALONE") else "")


def _deliver_and_run(top: Path, spec: Spec, siblings: Iterable[Sibling]) -> Outcome:
    root = top / "bronze"
    write_dimensions(root, spec)
    write_day(root, spec, 0, **{table: [{}] for table in _DAY_TABLES})
    for sibling in siblings:
        _deliver(root, spec, sibling)
    return run(root, top / "data", *SILVER)


_DAY_TABLES = ("orders", "order_items", "shopping_carts", "cart_items", "returns", "return_items")
_KEYS = {"order_id": "ORD", "cart_id": "CART", "return_id": "RTN"}
_OF = {
    "orders": ("order_id",),
    "order_items": ("order_id",),
    "shopping_carts": ("cart_id",),
    "cart_items": ("cart_id",),
    "returns": ("return_id", "order_id"),
    "return_items": ("return_id", "order_id"),
}


def _deliver(root: Path, spec: Spec, sibling: Sibling) -> None:
    """One good row in every table of a day, or one in a dimension, and then the fault."""
    n = _NUMBERS[sibling.name]
    if sibling.table in DIMENSIONS:
        folder = sibling.folder or f"signup_date={DAY - timedelta(days=n)}"
        row = {"customer_id": f"CUST-{n}"} if sibling.table == "customers" else {"product_id": n}
        assert not (root / sibling.table / folder).exists(), f"{folder} is another's"
        write_partition(root, spec, sibling.table, folder, [row])
        change(root / sibling.table / folder, *sibling.steps)
        return
    rows = {table: [{name: f"{_KEYS[name]}-{n}" for name in names}] for table, names in _OF.items()}
    write_day(root, spec, n, **rows)
    for table, steps in {**sibling.also, sibling.table: sibling.steps}.items():
        change(root / table / ingest(n), *steps)


@pytest.mark.parametrize("kind", list(KINDS))
def test_no_row_is_lost_and_nothing_ends_in_a_trace(
    kind: str, runs: Callable[[str], Outcome]
) -> None:
    outcome = runs(kind)
    assert outcome.code == 0, outcome.text[-3000:]
    holds_up(outcome)
    assert "secret.person" not in outcome.text


@pytest.mark.parametrize(
    ("kind", "sibling"),
    [
        pytest.param(kind, sibling, id=sibling.name)
        for kind, siblings in KINDS.items()
        for sibling in siblings
    ],
)
def test_a_sibling_ends_where_it_belongs(
    kind: str, sibling: Sibling, runs: Callable[[str], Outcome]
) -> None:
    outcome = runs(kind)
    assert outcome.code == 0, outcome.text[-3000:]
    aside = _rows(outcome, sibling, "quarantine")
    accepted = _rows(outcome, sibling, "base")
    assert [row["invalid_reason"] for row in aside] == ([sibling.reason] if sibling.reason else [])
    assert len(accepted) == (0 if sibling.reason else 1)
    for row in accepted:
        assert {name: row[name] for name in sibling.values} == sibling.values
    assert not (sibling.also and any(_followers(outcome, sibling)))


def _rows(outcome: Outcome, sibling: Sibling, layer: str) -> list[dict[str, object]]:
    """The sibling's row: by its day in an event table, by its key in a dimension."""
    n = _NUMBERS[sibling.name]
    if sibling.table not in DIMENSIONS:
        mine = pl.col("ingestion_dt") == str(DAY + timedelta(days=n))
        return _of(outcome, f"{layer}/{sibling.table}", mine)
    name = f"{'dims' if layer == 'base' else layer}/{sibling.table}"
    key = "customer_id" if sibling.table == "customers" else "product_id"
    wanted = [f"CUST-{n}", str(n), str(sibling.values.get(key, ""))]
    if sibling.reason == f"ambiguous:{key}":
        return (
            _of(outcome, name, pl.col("invalid_reason") == sibling.reason)
            if layer != "base"
            else []
        )
    return _of(outcome, name, pl.col(key).cast(pl.String).is_in(wanted))


def _of(outcome: Outcome, name: str, mine: pl.Expr) -> list[dict[str, object]]:
    frame = outcome.tables.get(name)
    return [] if frame is None else frame.filter(mine).to_dicts()


def _followers(outcome: Outcome, sibling: Sibling) -> Iterable[list[dict[str, object]]]:
    """Rows of the same day in quarantine, in the tables that the sibling changed as well."""
    mine = pl.col("ingestion_dt") == str(DAY + timedelta(days=_NUMBERS[sibling.name]))
    return (_of(outcome, f"quarantine/{table}", mine) for table in sibling.also)
