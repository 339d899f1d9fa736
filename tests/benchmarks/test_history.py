"""History is measured by days of the same Bronze, beside another build if one is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

import history
from processes import Build


def test_a_history_holds_its_own_days_and_all_dimension_rows(tmp_path: Path) -> None:
    names = [
        "orders/ingest_dt=2025-10-01",
        "orders/ingest_dt=2025-10-02",
        "customers/signup_date=a",
    ]
    for name in names:
        (tmp_path / "all" / name).mkdir(parents=True)
        (tmp_path / "all" / name / "part-0000.parquet").write_text(name)
    day = date(2025, 10, 2)
    history.link_days(tmp_path / "all", tmp_path / "some", day, day)
    found = {
        str(path.parent.relative_to(tmp_path / "some")) for path in tmp_path.glob("some/*/*/*")
    }
    assert found == {names[1], names[2]}


def test_the_table_shows_every_build_beside_what_is_wanted() -> None:
    lines = history.to_markdown([_results("this build", 2.0), _results("before", 26.6)])
    assert "| CPU seconds of | this build | before | wanted |" in lines
    assert "| nothing to do, after 2,190 days | 2.0 | 26.6 | ≤ 4.0 |" in lines


def test_a_build_without_an_environment_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"python is not there: run `make setup` in"):
        Build.at("before", tmp_path)


def _results(build: str, seconds: float) -> dict[str, Any]:
    taken = {"cpu_seconds": seconds, "seconds": seconds, "rows": 1, "peak_rss_bytes": 2**30}
    return {"build": build, "works": {work.key: taken for work in history.WORKS}}
