"""Running one transform on rows written out in a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from medallion.spec import Spec
from tests.transforms.tables import transform

Run = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run(spec: Spec) -> Run:
    """Runs a transform by name on `days` and tables of rows, and returns its rows."""

    def _run(
        name: str, days: list[Any], options: dict[str, Any] | None = None, **tables: Any
    ) -> Any:
        result = transform(spec, name, days, tables, **(options or {})).collect()
        assert isinstance(result, pl.DataFrame)
        return result.to_dicts()

    return _run
