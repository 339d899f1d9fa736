"""A run that ends at a named point: `python crash_child.py POINT COUNT BRONZE DATA [END]`."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medallion.datasets import lake_table
from medallion.lake import disk_commits, disk_history
from medallion.warehouse import duckdb as warehouse
from tests.running import Shop

# Each point is a function of the program; the process dies on its COUNT-th call.
POINTS: dict[str, tuple[Any, str, str]] = {
    "before a journal is written": (disk_commits.DiskCommits, "prepare", "before"),
    "after a journal is written": (disk_commits.DiskCommits, "prepare", "after"),
    "before a partition is swapped": (disk_commits, "replace_folder", "before"),
    "after a partition is swapped": (disk_commits, "replace_folder", "after"),
    "before a change is noted": (disk_history.DiskHistory, "note", "before"),
    "before what stood is kept": (disk_commits, "move_folder", "before"),
    "after what stood is kept": (disk_commits, "move_folder", "after"),
    "after a state is noted": (disk_history.DiskHistory, "publish", "after"),
    "before the pointer moves": (lake_table, "move_pointer", "before"),
    "before Enriched is recorded": (lake_table, "write_state", "before"),
    "before the warehouse is replaced": (warehouse.DuckDBWarehouse, "_replace", "before"),
    "before the warehouse is recorded": (warehouse.DuckDBWarehouse, "_describe_file", "before"),
}


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt() -> None:
    raise KeyboardInterrupt


def fill_the_disk() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


ENDS: dict[str, Callable[[], None]] = {
    "killed": kill,
    "interrupted": interrupt,
    "failed": fill_the_disk,
}


def armed(
    function: Callable[..., Any], count: int, when: str, die: Callable[[], None]
) -> Callable[..., Any]:
    calls = 0

    def counted(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == count and when == "before":
            die()
        result = function(*args, **kwargs)
        if calls == count:
            die()
        return result

    return counted


def main(point: str, count: str, bronze: str, data: str, end: str = "killed") -> None:
    owner, name, when = POINTS[point]
    setattr(owner, name, armed(getattr(owner, name), int(count), when, ENDS[end]))
    Shop(Path(bronze), Path(data)).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
