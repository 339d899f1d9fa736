"""A changed formula makes the days of its table again; a changed comment does not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

from medallion.lake.inventory import LakeInventory, write_state
from medallion.lake.sealing import seal
from medallion.lake.store import Lake
from medallion.planning import incremental
from medallion.planning.code import CODE, Recoded, code_of, recoded
from medallion.planning.incremental import EnrichedPlan, EnrichedRequest, plan_enriched
from medallion.planning.plan import RunPlan
from medallion.planning.showing import show_plan
from medallion.spec import Spec
from medallion.transforms import TRANSFORMS

DAYS = (date(2025, 10, 1), date(2025, 10, 2))
FORMULA = '''"""What it is."""
from medallion.transforms._common import twice


def margin(orders):
    """What it does."""
    # why
    return twice(orders) - 1.50
'''
HELPER = "from . import _deeper\n\n\ndef twice(value):\n    return _deeper.TWO * value\n"


def code(folder: Path, **sources: str) -> str:
    """The fingerprint of `margin`, whose modules are those given and else the ones above."""
    code_of.cache_clear()
    folder.mkdir(exist_ok=True)
    modules = {"margin": FORMULA, "_common": HELPER, "_deeper": "TWO = 2\n", "_other": "A = 1\n"}
    for name, source in {**modules, **sources}.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return code_of("margin", folder)


@pytest.mark.parametrize(
    "sources",
    [
        {"margin": FORMULA.replace("# why", "# because")},
        {"margin": FORMULA.replace("What it does.", "Something else.")},
        {"margin": FORMULA.replace("What it is.", "It.").replace("1.50", "1.5")},
        {
            "margin": FORMULA.replace(
                "twice(orders) - 1.50", "(\n        twice(orders) - 1.50\n    )"
            )
        },
        {"_common": f'"""Now with a docstring."""\n{HELPER}'},
        {"_other": "A = 2\n"},
    ],
)
def test_what_changes_no_result_changes_no_fingerprint(
    tmp_path: Path, sources: dict[str, str]
) -> None:
    assert code(tmp_path, **sources) == code(tmp_path)


@pytest.mark.parametrize(
    "sources",
    [
        {"margin": FORMULA.replace("1.50", "1.51")},
        {"margin": FORMULA.replace("1.50", "None")},
        {"margin": FORMULA.replace("- 1.50", "+ 1.50")},
        {"margin": FORMULA.replace("twice(orders)", "twice(orders, orders)")},
        {"margin": FORMULA.replace("orders", "returns")},
        {"_common": HELPER.replace("* value", "* value * value")},
        {"_deeper": "TWO = 2.0\n"},
        {"_deeper": "TWO = True\n"},
    ],
)
def test_what_may_change_a_result_changes_the_fingerprint(
    tmp_path: Path, sources: dict[str, str]
) -> None:
    assert code(tmp_path, **sources) != code(tmp_path)


@pytest.mark.parametrize(
    "written",
    [
        "import medallion.transforms._common",
        "import medallion.transforms._common as c",
        "from medallion.transforms import _common",
        "from medallion.transforms._common import twice",
        "from . import _common",
        "from ._common import twice",
        "def f():\n    from medallion.transforms import _common",
    ],
)
def test_a_module_is_imported_however_it_is_written(tmp_path: Path, written: str) -> None:
    before = code(tmp_path, margin=written)
    assert code(tmp_path, margin=written, _common="X = 1") != before


def test_every_transform_has_a_fingerprint_of_its_own() -> None:
    codes = {code_of(name) for name in TRANSFORMS}
    assert len(codes) == len(TRANSFORMS)
    assert code_of("no_such_transform") not in codes


class TestPlan:
    """Two days that an earlier run has made."""

    @pytest.fixture
    def lake(self, tmp_path: Path, spec: Spec) -> LakeInventory:
        lake = LakeInventory(Lake(tmp_path), spec)
        for table in spec.events:
            for day in DAYS:
                _seal(lake, f"base/{table}", day)
        for name, planned in _plan(lake).transforms.items():
            for day in planned.days:
                _seal(lake, f"enriched/{name}", day)
            write_state(lake.lake, name, planned.made_from)
        return lake

    def test_nothing_is_due_by_the_same_code(self, lake: LakeInventory) -> None:
        assert _due(lake) == {}
        assert recoded(lake.spec, lake) == ()

    def test_other_code_makes_all_its_days_and_those_that_read_them(
        self, lake: LakeInventory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _change(monkeypatch, "attributed_purchases")
        assert _due(lake) == {"attributed_purchases": 2, "daily_business_metrics": 2}
        assert recoded(lake.spec, lake) == (Recoded("attributed_purchases", 2, "code changed"),)

    def test_the_code_of_a_day_is_among_what_it_was_made_from(
        self, lake: LakeInventory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _change(monkeypatch, "shipping_economics")
        planned = _plan(lake).transforms["shipping_economics"]
        day = str(DAYS[0])
        assert planned.made_from[day][CODE] == planned.origins[day][CODE].fingerprint == "changed"

    def test_a_lake_from_before_is_made_once_more_and_says_so(self, lake: LakeInventory) -> None:
        for name in lake.spec.transforms:
            state = lake.enriched_state(name)
            old = {d: {k: v for k, v in f.items() if k != CODE} for d, f in state.items()}
            write_state(lake.lake, name, old)
        found = recoded(lake.spec, lake)
        assert {one.name: one.days for one in found} == _due(lake)
        assert {one.reason for one in found} == {"made before code was recorded"}
        for name, planned in _plan(lake).transforms.items():
            write_state(lake.lake, name, planned.made_from)
        assert (_due(lake), recoded(lake.spec, lake)) == ({}, ())

    def test_the_plan_shows_it_even_if_bronze_has_nothing_new(self) -> None:
        changed = (Recoded("sales_velocity", 1_234, "code changed"),)
        plan = RunPlan("pending", None, DAYS[1], DAYS[1], (), (), (), "last", changed)
        console = Console(record=True, width=100)
        show_plan(plan, console)
        shown = console.export_text()
        assert "enriched.sales_velocity" in shown
        assert "1,234 days" in shown
        assert "code changed" in shown
        assert plan.summary()["recoded"] == [
            {"table": "enriched.sales_velocity", "days": 1234, "reason": "code changed"}
        ]


def _seal(lake: LakeInventory, table: str, day: date) -> None:
    folder = lake.lake.root / table / f"ingestion_dt={day}"
    folder.mkdir(parents=True, exist_ok=True)
    seal(folder, table, {}, {})


def _plan(lake: LakeInventory) -> EnrichedPlan:
    return plan_enriched(EnrichedRequest((), DAYS[1], DAYS[1], "last"), lake.spec, lake, {}, {})


def _due(lake: LakeInventory) -> dict[str, int]:
    made = _plan(lake).transforms.items()
    return {name: len(planned.days) for name, planned in made if planned.days}


def _change(monkeypatch: pytest.MonkeyPatch, transform: str) -> None:
    def changed(name: str) -> str:
        return "changed" if name == transform else code_of(name)

    monkeypatch.setattr(incremental, "code_of", changed)
    monkeypatch.setattr("medallion.planning.code.code_of", changed)
