"""What telling of a run costs: the share of a run that is spent in its hooks and its sinks.

Run as `python benchmarks/observing.py BRONZE DATA`; `benchmarks/run.py --observability` does it
in a fresh process. Logs, audit, lineage, metrics and the console are told of events, most of
them in Kedro's hook calls; what the lake announces while a node works counts as `events`.
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
    from medallion.hooks import RunRecorder

    spent: dict[str, float] = defaultdict(float)
    began: list[float] = []

    def before(*_: Any) -> None:
        began.append(time.perf_counter())

    def after(_: Any, name: str, *__: Any) -> None:
        spent[name] += time.perf_counter() - began.pop()

    take = RunRecorder._take  # noqa: SLF001

    def timed(recorder: RunRecorder, event: Any) -> None:
        # The time of an event that a hook announces is in that of the hook already.
        if began:
            take(recorder, event)
            return
        start = time.perf_counter()
        take(recorder, event)
        spent["events"] += time.perf_counter() - start

    RunRecorder._take = timed  # type: ignore[method-assign]  # noqa: SLF001
    with KedroSession.create(PROJECT) as session:
        session._hook_manager.add_hookcall_monitoring(before, after)  # noqa: SLF001
        session.run()
    seconds = time.perf_counter() - start
    told = {"seconds": seconds, "hook_seconds": sum(spent.values()), "hooks": dict(spent)}
    print("OBSERVED", json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:3])
