"""A day of Enriched is recorded as made by the code that makes it."""

from __future__ import annotations

from datetime import date

import pytest

from medallion.errors import StepError
from medallion.lake.inventory import LakeInventory
from medallion.lake.store import Lake
from medallion.pipelines.enriched.nodes import run_transform
from medallion.planning.code import CODE
from medallion.planning.incremental import EnrichedPlan, PlannedTransform
from medallion.planning.request import RunRequest
from medallion.spec import Spec

DAY = date(2025, 10, 1)


def test_code_that_changed_after_its_days_were_planned_does_not_make_them(
    spec: Spec, tmp_path: object
) -> None:
    made_from = {str(DAY): {CODE: "the code of the process that has planned"}}
    planned = PlannedTransform("sales_velocity", (DAY,), made_from, {}, {}, {}, {"short_days": 7})
    plan = EnrichedPlan(DAY, DAY, {"sales_velocity": planned}, {})
    lake = LakeInventory(Lake(str(tmp_path)), spec)
    with pytest.raises(StepError, match=r"enriched\.sales_velocity has changed") as refused:
        run_transform("sales_velocity", RunRequest(run_id="r"), plan, spec, lake)
    assert "--nodes enriched.plan --params run_id=r" in refused.value.hint
