"""The shell that a run is started from decides nothing of what dbt builds."""

from __future__ import annotations

import os

import click
import pytest

from medallion.dbt_project.environment import inherited, shielded


def dbt_variables() -> list[str]:
    """Every variable that an option of dbt is read from, under both of its names."""
    from dbt.cli.main import cli

    options = [p for c in (cli, *cli.commands.values()) for p in c.params]
    named = [option.envvar for option in options if isinstance(option, click.Option)]
    listed = {
        name for one in named if one for name in ([one] if isinstance(one, str) else list(one))
    }
    return sorted(listed | {name.replace("DBT_", "DBT_ENGINE_", 1) for name in listed})


def test_dbt_sees_none_of_its_own_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    names = dbt_variables()
    assert {"DBT_EMPTY", "DBT_TARGET", "DBT_ENGINE_SAMPLE"} <= set(names)
    for name in names:
        monkeypatch.setenv(name, "true")
    with shielded():
        assert not set(names) & set(os.environ)
    assert set(names) <= set(os.environ)


@pytest.mark.parametrize(
    "name", ["DBT_EMPTY", "dbt_target", "DUCKDB_HOME", "MOTHERDUCK_TOKEN", "DO_NOT_TRACK"]
)
def test_what_is_not_listed_is_hidden(name: str) -> None:
    assert inherited({name: "1"}) == {}


@pytest.mark.parametrize("name", ["PATH", "HOME", "LC_ALL", "MEDALLION_BRONZE_ROOT", "https_proxy"])
def test_what_is_listed_is_seen(name: str) -> None:
    assert inherited({name: "1"}) == {name: "1"}


def test_the_shell_is_as_before_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_SAMPLE", "1 day")
    before = dict(os.environ)
    with pytest.raises(KeyError), shielded():
        raise KeyError
    assert dict(os.environ) == before
