"""Every case of `shared/faults` gives the right result or a clear refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.cases import CASES, ELSEWHERE, Case
from tests.faults.harness import (
    FAULTS,
    SILVER,
    Made,
    Outcome,
    base_bronze,
    command,
    holds_up,
    make,
    run,
)


def _marked(case: Case) -> Any:
    return pytest.param(case, id=case.name, marks=[] if case.cheap else pytest.mark.faults)


@pytest.mark.parametrize("case", [_marked(case) for case in CASES])
def test_a_case_gives_the_right_result(case: Case, base: Outcome, tmp_path: Path) -> None:
    made = make(case.name, tmp_path)
    outcome = _run(case, made)
    holds_up(outcome, **dict(case.holds))
    case.check(outcome, base)


def _run(case: Case, made: Made) -> Outcome:
    pipelines = () if case.full else SILVER
    if case.own_process:
        chosen = ["--pipelines", ",".join(pipelines)] if pipelines else []
        return command(made.bronze, made.data, "run", *chosen, env=made.env)
    parameters: dict[str, Any] = dict(case.parameters)
    return run(made.bronze, made.data, *pipelines, env=made.env, **parameters)


def test_every_case_of_the_folder_has_a_test() -> None:
    base_bronze()
    there = {path.parent.name for path in FAULTS.glob("*/*.py") if "__pycache__" not in str(path)}
    assert there == {case.name for case in CASES} | set(ELSEWHERE)
