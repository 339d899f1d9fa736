"""Where a stand-in of Google Cloud is meant, no call goes to Google, and the other way round."""

from __future__ import annotations

import pytest

from medallion.errors import ConfigurationError
from medallion.hooks.guard import _check_stand_ins

BOTH = ("STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST")


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Both stand-ins."""
    for name in BOTH:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    return monkeypatch


@pytest.mark.usefixtures("named")
def test_both_are_enough_where_stand_ins_are_meant() -> None:
    _check_stand_ins("expected")
    _check_stand_ins("allowed")


@pytest.mark.parametrize("absent", BOTH)
def test_where_stand_ins_are_meant_one_alone_is_not_enough(
    named: pytest.MonkeyPatch, absent: str
) -> None:
    named.delenv(absent)
    with pytest.raises(ConfigurationError, match=f"{absent} would be Google's: not set"):
        _check_stand_ins("expected")


@pytest.mark.usefixtures("named")
def test_where_none_is_meant_each_is_refused_by_its_name() -> None:
    with pytest.raises(ConfigurationError, match=" and ".join(BOTH)):
        _check_stand_ins("refused")
