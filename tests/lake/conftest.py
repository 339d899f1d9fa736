"""What the tests of the lake share."""

from __future__ import annotations

import pytest

from medallion.storage import index


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day has passed since the files were written."""
    monkeypatch.setattr(index, "_AT_REST_NS", -86_400_000_000_000)
