"""What dbt makes of Gold for both engines, once for all tests that look at it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from filelock import FileLock

from tests.conftest import PROJECT


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, Any]:
    """Gold with its tests, built on a BigQuery that is nothing but Google's analyzer."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    file = shared / "analysed_bigquery.json"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            done = subprocess.run(
                [sys.executable, "-m", "tests.dbt_project.analysed_bigquery", str(file)],
                cwd=PROJECT,
                env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return said
