"""What is taken back when a step of a run is done again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.framework.project import pipelines

from medallion.hooks.guard import _to_withdraw
from tests.running import Shop


@pytest.fixture
def withdrawn(tmp_path: Path) -> Callable[[str], set[str]]:
    """The documents that go when a step begins again, by the step."""
    (tmp_path / "bronze").mkdir()

    def of(step: str) -> set[str]:
        with Shop(tmp_path / "bronze", tmp_path / "data").session(run_id="again-1") as session:
            catalog = session.load_context().catalog
            (node,) = (one for one in pipelines["__default__"].nodes if one.name == step)
            return {document.place[-1] for document in _to_withdraw(node, catalog)}

    return of


def test_nothing_that_stands_behind_a_gate_outlives_it(
    withdrawn: Callable[[str], set[str]],
) -> None:
    taken_back = withdrawn("base_silver.validate")
    assert {"base_silver.passed", "enriched.plan", "enriched.passed", "gold.passed"} <= taken_back
    assert not {"run_plan", "dims.passed", "base_silver.receipt"} & taken_back


@pytest.mark.parametrize("step", ["bronze.plan_run", "bronze.gate"])
def test_a_run_keeps_its_plan_and_what_has_been_made_by_it(
    step: str, withdrawn: Callable[[str], set[str]]
) -> None:
    taken_back = withdrawn(step)
    assert not {"run_plan", "dims.receipt", "enriched.plan"} & taken_back
