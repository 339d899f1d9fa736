"""The project as a program of its own (`python -m medallion`), called from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from medallion.spec import Spec
from tests.running import two_light_days

_SILENCERS = ("KEDRO_DISABLE_TELEMETRY", "DO_NOT_TRACK", "KEDRO_LOGGING_CONFIG")


def test_a_run_from_an_empty_folder_is_silent_to_the_world_and_plain_to_people(
    spec: Spec, tmp_path: Path
) -> None:
    bronze = two_light_days(tmp_path / "bronze", spec)
    here = tmp_path / "here"
    here.mkdir()
    inherited = {name: value for name, value in os.environ.items() if name not in _SILENCERS}
    roots = {"MEDALLION_BRONZE_ROOT": str(bronze), "MEDALLION_DATA_ROOT": str(tmp_path / "data")}
    ran = subprocess.run(
        [sys.executable, "-m", "medallion", "--pipelines", "bronze"],
        cwd=here,
        env=inherited | roots,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    told = " ".join((ran.stdout + ran.stderr).split())
    assert "usage data" not in told
    assert "Loading data from" not in told
    assert list(here.iterdir()) == []
