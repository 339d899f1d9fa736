"""The clean base, run once per process, and folders of a case's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.harness import Outcome, base_bronze, run


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The run on the clean base, with which every other run is compared."""
    outcome = run(base_bronze(), tmp_path_factory.mktemp("base") / "data")
    assert outcome.code == 0, outcome.text
    return outcome


@pytest.fixture
def bronze(tmp_path: Path) -> Path:
    """A copy of the clean Bronze, for a test to damage."""
    root = tmp_path / "bronze"
    shutil.copytree(base_bronze(), root)
    return root
