"""A lake of a test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion.lake.inventory import LakeInventory
from medallion.lake.store import Lake
from medallion.spec import Spec


@pytest.fixture
def lake(tmp_path: Path, spec: Spec) -> LakeInventory:
    return LakeInventory(Lake(tmp_path / "silver"), spec)
