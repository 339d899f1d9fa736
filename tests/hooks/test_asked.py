"""What a run is asked for by files and by the command line together."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from medallion.configuring import ProjectConfigLoader
from medallion.errors import ConfigurationError, UsageError
from medallion.hooks.guard import _effective
from medallion.project import CONF
from medallion.settings import CONFIG_LOADER_ARGS


class Loader(dict[str, Any]):
    """A configuration whose parameters are what a person's own file says."""

    def __init__(self, **said: Any) -> None:
        super().__init__(parameters={"run": said})

    def ask(self, given: Mapping[str, Any]) -> None:
        """Whatever is given, the file says the same."""


@pytest.mark.parametrize("name", ["run_id", "as_of"])
def test_what_names_a_run_is_taken_from_no_file(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"sets run.{name}") as refused:
        _effective(Loader(**{"run_id": "r", name: "nightly"}), {"run_id": "r"})
    assert f"--params {name}=" in refused.value.hint


def test_a_misspelt_name_in_a_file_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError) as refused:
        _effective(Loader(run_id="r", quality={"mod": "strict"}), {"run_id": "r"})
    assert "quality.mod: there is no such parameter; did you mean mode?" in str(refused.value)


def test_what_a_file_says_is_what_the_run_is_asked_for() -> None:
    asked = _effective(Loader(run_id="r", quality={"mode": "strict"}), {"run_id": "r"})
    assert asked.quality.mode == "strict"


def loader_of(conf: Path, **said: Any) -> ProjectConfigLoader:
    """The project's own configuration, and what a person's file of parameters says."""
    shutil.copytree(CONF, conf)
    (conf / "local").mkdir(exist_ok=True)
    (conf / "local" / "parameters.yml").write_text(yaml.safe_dump({"run": said}))
    return ProjectConfigLoader(str(conf), "local", **CONFIG_LOADER_ARGS)


def test_what_is_asked_next_is_not_what_was_asked_first(tmp_path: Path) -> None:
    loader = loader_of(tmp_path / "conf")
    assert _effective(loader, {"run_id": "r"}).quality.mode == "warn"
    strict = _effective(loader, {"run_id": "r", "quality": {"mode": "strict"}})
    assert strict.quality.mode == "strict"
    assert _effective(loader, {"run_id": "r", "ingest_dt": "2025-10-02"}) != strict


def test_a_file_of_one_parameter_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    loader = loader_of(tmp_path / "conf", engine={"threads": 1})
    asked = _effective(loader, {"run_id": "r", "quality": {"mode": "strict"}})
    assert (asked.run_id, asked.engine.threads, asked.quality.mode) == ("r", 1, "strict")
    assert asked.engine.memory_limit == "4GB"
