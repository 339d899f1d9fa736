"""What the shell has set does not change the data; two threads of dbt do not meet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.faults.cases import same
from tests.faults.harness import FAULTS, Outcome, base_bronze, command, holds_up

pytestmark = pytest.mark.faults

# The first line alone would leave tables empty or partly built.
_VARIABLES = {
    "EMPTY": "true", "SAMPLE": "1 day", "FAIL_FAST": "true", "DEFER": "true",
    "CACHE_SELECTED_ONLY": "true", "DEBUG": "true", "EVENT_TIME_START": "2025-10-03",
    "EVENT_TIME_END": "2025-10-03", "INTROSPECT": "false", "INVOCATION_ENV": "prod",
    "LOG_FORMAT": "json", "LOG_LEVEL": "debug", "LOG_PATH": "/nowhere/logs",
    "MACRO_DEBUGGING": "write", "PARTIAL_PARSE": "false", "POPULATE_CACHE": "false",
    "PRINTER_WIDTH": "20", "PROFILE": "other", "PROFILES_DIR": "/nowhere", "QUIET": "true",
    "PROJECT_DIR": "/nowhere", "STATE": "/nowhere", "STATIC_PARSER": "false",
    "STORE_FAILURES": "true", "TARGET": "prod", "TARGET_PATH": "/nowhere/target",
    "THREADS": "1", "USE_COLORS": "true", "VERSION_CHECK": "false", "WARN_ERROR": "true",
    "WARN_ERROR_OPTIONS": '{"include": "all"}', "WRITE_JSON": "false",
}  # fmt: skip


def test_the_variables_of_dbt_change_nothing(base: Outcome, tmp_path: Path) -> None:
    env = {
        f"{prefix}{name}": text
        for name, text in _VARIABLES.items()
        for prefix in ("DBT_", "DBT_ENGINE_")
    }
    # Which models are built is chosen by two more; both at once would hide the others.
    env |= {"DBT_EXCLUDE_RESOURCE_TYPES": "model", "DBT_ENGINE_RESOURCE_TYPES": "seed"}
    outcome = command(base_bronze(), tmp_path / "data", "run", env=env)
    holds_up(outcome)
    same(outcome, base)


def test_two_threads_of_dbt_never_meet() -> None:
    if not (FAULTS / "44-schema-race").is_dir():
        pytest.skip(f"the bad inputs are not at {FAULTS}")
    ended = subprocess.run(
        [sys.executable, str(FAULTS / "44-schema-race" / "run.py")],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.startswith("0 of 200 rounds failed"), ended.stdout + ended.stderr
