"""One run at a time per lake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medallion.errors import LockedError
from medallion.lake.lock import LakeLock

HOLD = """
import sys, time
from pathlib import Path
from medallion.lake.lock import LakeLock
lock = LakeLock(Path(sys.argv[1]), "first-run")
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_run_is_told_who_holds_the_lake_and_a_killed_run_holds_nothing(
    tmp_path: Path,
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match=f"run first-run, process {holder.pid}"):
            LakeLock(tmp_path, "second-run").acquire()
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    again = LakeLock(tmp_path, "third-run")
    again.acquire()
    again.release()
