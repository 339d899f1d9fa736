"""Damage of what runs have left for people is told, and what was tidied up is forgotten."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medallion.runs.audit.trail import AuditTrail
from medallion.runs.folder import RunFolder
from medallion.runs.kept import changed_reports, changed_trail, keep_reports
from medallion.storage import LocalStorage
from medallion.storage.layout import Layout
from tests.audit.recorded import RECORD


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Two runs that have ended, and one at work."""
    layout = Layout.below(tmp_path)
    trail = AuditTrail(layout.audit)
    for name in ("r1", "r2"):
        facts = {"run_id": name, "started_at": name, "status": "succeeded", "seconds": 1.5}
        trail.end(facts, [RECORD])
        RunFolder(LocalStorage(layout.run_documents), name).end({"status": "succeeded"})
        page = layout.run_page(name)
        page.parent.mkdir(parents=True)
        for path in (layout.run_report, layout.run_summary, page):
            path.write_text(f"told by {name}", encoding="utf-8")
        keep_reports(layout, name, has_summary=True)
    trail.begin({"run_id": "r3", "started_at": "r3"})
    (layout.audit / "runs/r1 (1).json").write_bytes(b"a copy of somebody's")
    (layout.audit / "._r1.json").write_bytes(b"\0")
    (layout.audit / "runs/desktop.ini").write_bytes(b"\0")
    return layout


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def swap(path: Path) -> None:
    shutil.copyfile(path.with_name("r2.json"), path)


def edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1.5", b"9.5").replace(b"orders", b"orderz"))


def test_what_nobody_has_touched_is_what_was_written(layout: Layout) -> None:
    assert changed_trail(layout, thorough=True) == []
    assert changed_reports(layout) == []


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("r1.json", Path.unlink, "r1.json is not there"),
        ("r1.json", cut, "r1.json has "),
        ("runs/r1.json", Path.unlink, "runs/r1.json is not there"),
        ("runs/r1.json", cut, "runs/r1.json does not tell of its run any more"),
        ("runs/r1.json", swap, "runs/r1.json does not tell of its run any more"),
        ("runs/r1.json", edit, "runs/r1.json was changed"),
    ],
)
def test_damage_of_the_trail_is_told_by_every_look(
    layout: Layout, file: str, damage: Callable[[Path], None], said: str
) -> None:
    damage(layout.audit / file)
    for thorough in (False, True):
        (told,) = changed_trail(layout, thorough=thorough)
        assert told.startswith(f"metrics/audit/{said}")


def test_a_change_that_keeps_the_size_is_told_by_who_reads_everything(layout: Layout) -> None:
    edit(layout.audit / "r1.json")
    assert changed_trail(layout) == []
    assert changed_trail(layout, thorough=True) == ["metrics/audit/r1.json has another checksum"]


def test_a_run_that_the_trail_has_lost_whole_is_known_by_its_documents(layout: Layout) -> None:
    shutil.rmtree(layout.audit)
    assert changed_trail(layout) == [
        f"metrics/audit/runs/{name}.json is not there" for name in ("r1", "r2")
    ]


def test_what_the_trail_keeps_for_itself_is_no_part_of_a_run(layout: Layout) -> None:
    told = {"run_id": "r1", "started_at": "r1", "status": "succeeded", "seconds": 1.5}
    assert AuditTrail(layout.audit).run("r1") == told


def test_reports_that_were_cut_or_exchanged_are_told(layout: Layout) -> None:
    cut(layout.run_report)
    layout.run_page("r1").write_text("told by r2", encoding="utf-8")
    layout.run_summary.unlink()
    assert sorted(changed_reports(layout)) == [
        "reports/RUN.md is not there",
        "reports/r1/index.html has another checksum",
        "reports/run.json has 5 bytes, not 10",
    ]


def test_a_page_that_somebody_has_removed_is_told_until_a_run_ends(layout: Layout) -> None:
    layout.run_page("r1").unlink()
    assert changed_reports(layout) == ["reports/r1/index.html is not there"]
    keep_reports(layout, "r2", has_summary=False)
    assert changed_reports(layout) == []


def test_a_run_that_writes_no_report_for_people_vouches_for_none(layout: Layout) -> None:
    cut(layout.run_summary)
    keep_reports(layout, "r2", has_summary=False)
    assert changed_reports(layout) == ["reports/RUN.md has 5 bytes, not 10"]


def test_a_lake_of_an_earlier_version_has_lost_nothing(layout: Layout) -> None:
    layout.kept_reports("run").unlink()
    path = layout.audit / "runs/r1.json"
    path.write_text('{"run_id": "r1", "started_at": "r1", "status": "succeeded"}', encoding="utf-8")
    (layout.audit / "r1.json").unlink()
    assert changed_trail(layout) == []
    assert changed_reports(layout) == []
