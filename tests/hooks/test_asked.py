"""What a run is asked for by files and by the command line together."""

from __future__ import annotations

from typing import Any

import pytest

from medallion.errors import ConfigurationError, UsageError
from medallion.hooks.guard import _effective


class Loader(dict[str, Any]):
    """A configuration whose parameters are what a person's own file says."""

    runtime_params: dict[str, Any]

    def __init__(self, **said: Any) -> None:
        super().__init__(parameters={"run": said})


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
