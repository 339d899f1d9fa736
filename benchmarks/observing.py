"""What telling of a run costs: the share of a run that is spent in its hooks.

Run as `python benchmarks/observing.py BRONZE DATA`; `benchmarks/run.py --observability` does it
in a fresh process. Logs, audit, lineage, metrics and the reporter all hang on hooks, so their
time is that of Kedro's hook calls, with what they import on the way.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]


def main(bronze: str, data: str) -> None:
    """Runs the pipeline and prints the seconds of each hook as JSON."""
    os.environ |= {"MEDALLION_BRONZE_ROOT": bronze, "MEDALLION_DATA_ROOT": data}
    start = time.perf_counter()
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(PROJECT)
    spent: dict[str, float] = defaultdict(float)
    began: list[float] = []

    def before(*_: Any) -> None:
        began.append(time.perf_counter())

    def after(_: Any, name: str, *__: Any) -> None:
        spent[name] += time.perf_counter() - began.pop()

    with KedroSession.create(PROJECT) as session:
        session._hook_manager.add_hookcall_monitoring(before, after)  # noqa: SLF001
        session.run()
    seconds = time.perf_counter() - start
    told = {"seconds": seconds, "hook_seconds": sum(spent.values()), "hooks": dict(spent)}
    print("OBSERVED", json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:3])
