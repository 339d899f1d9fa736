"""What dbt has parsed in one place serves another, and is never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion.dbt_project import running

PARTIAL = "partial_parse.msgpack"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The target folder of a dbt project where nothing was parsed yet."""
    monkeypatch.setattr(running, "DBT", tmp_path / "dbt")
    return tmp_path / "dbt" / "target"


def parsed(target: Path, content: str) -> str:
    """What dbt finds when it begins to parse; it leaves a content behind."""
    with running._remembered_by_the_checkout(target):
        found = (target / PARTIAL).read_text() if (target / PARTIAL).exists() else ""
        target.mkdir(parents=True, exist_ok=True)
        (target / PARTIAL).write_text(content)
    return found


@pytest.mark.usefixtures("checkout")
def test_a_new_place_begins_with_what_another_has_parsed(tmp_path: Path) -> None:
    assert parsed(tmp_path / "one", "all models") == ""
    assert parsed(tmp_path / "two", "all models") == "all models"


@pytest.mark.usefixtures("checkout")
def test_a_place_goes_on_with_its_own(tmp_path: Path) -> None:
    parsed(tmp_path / "one", "first")
    parsed(tmp_path / "two", "second")
    assert parsed(tmp_path / "one", "first") == "first"


def test_an_installed_package_is_not_written_to(
    tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "IS_CHECKOUT", False)
    parsed(tmp_path / "one", "all models")
    assert not checkout.exists()


def test_a_checkout_that_cannot_be_written_stops_no_run(tmp_path: Path, checkout: Path) -> None:
    checkout.parent.mkdir()
    checkout.write_text("a file in the folder's place")
    assert parsed(tmp_path / "one", "all models") == ""
    assert checkout.read_text() == "a file in the folder's place"
