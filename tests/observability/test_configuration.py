"""`observability.yml` is read into types, and what it cannot mean is told."""

from __future__ import annotations

import pytest
import yaml

from medallion.errors import ConfigurationError
from medallion.runs.settings import parse_observability
from tests.conftest import PROJECT


def test_the_base_configuration_names_every_key_and_sends_nothing_anywhere() -> None:
    raw = yaml.safe_load((PROJECT / "conf/base/observability.yml").read_text(encoding="utf-8"))
    settings = parse_observability(raw)
    named = {(part, key) for part, keys in raw.items() for key in keys}
    known = {(part, key) for part, keys in settings.model_dump().items() for key in keys}
    assert named == known
    assert settings.lineage.transport == "file"
    assert not settings.alerts.on_failure
    assert not settings.alerts.on_warning


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"alert": {}}, "alert"),
        ({"logs": {"levels": {"root": "LOUD"}}}, "logs.levels.root"),
        ({"lineage": {"transport": "http"}}, "give url"),
        ({"lineage": {"url": "ftp://x"}}, "lineage.url"),
        ({"metrics": {"target_seconds": 0}}, "metrics.target_seconds"),
        ({"alerts": {"url_variable": "https://hooks.example/secret"}}, "alerts.url_variable"),
    ],
)
def test_what_cannot_be_is_told_by_key(raw: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        parse_observability(raw)


def test_an_address_written_where_a_variable_belongs_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_observability({"alerts": {"url_variable": "https://hooks.example/secret"}})
    assert "hooks.example" not in str(caught.value)


def test_a_key_left_out_means_what_the_base_configuration_says() -> None:
    raw = yaml.safe_load((PROJECT / "conf/base/observability.yml").read_text(encoding="utf-8"))
    assert parse_observability({}) == parse_observability(raw)
