"""A command that changes the lake, recorded as a run is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kedro.io.core import generate_timestamp

from medallion.hooks.current import Current
from medallion.hooks.recorder import RunRecorder
from medallion.lake.names import as_run_id
from medallion.lake.store import Lake
from medallion.runs.folder import RunFolder
from medallion.runs.lifecycle import Run, Status, told_later
from medallion.runs.sinks import AuditSink
from medallion.storage import open_storage
from medallion.storage.layout import Layout


@contextmanager
def recorded(context: Any, name: str, what: str) -> Iterator[str]:
    """Leaves an audit record of what a command does to the lake, also if it is killed.

    The caller keeps runs away meanwhile. Runs that wait for their next step end here.

    Args:
        context: The context of the command.
        name: What the id of the record begins with.
        what: What the command does, for people.

    Yields:
        The id in whose name the lake is changed.
    """
    layout = Layout.of(context.config_loader["globals"])
    run_id = as_run_id(f"{name}-{generate_timestamp()}")
    folder = RunFolder(open_storage(layout.runs), run_id)
    current = Current()
    RunRecorder(current, [AuditSink()])
    current.run = Run(folder, Lake(layout.silver), layout.processes, is_shared=False)
    for remember in current.on_context:
        remember(context)
    current.check({"pipeline_names": [what]}, context.catalog)
    folder.open({"run_id": run_id, "asked_for": what})
    for begin in current.on_begin:
        begin()
    # One that waits for its next step would go on with what it has read before.
    current.run.bury()
    status: Status = "succeeded"
    failure: BaseException | None = None
    try:
        yield run_id
    except BaseException as error:
        status = "failed" if isinstance(error, Exception) else "interrupted"
        failure = error
        raise
    finally:
        current.run.lake.recover(only=run_id)
        with told_later(run_id):
            for end in current.on_end:
                end(folder, status, failure)
            folder.end({"status": status})
        for leave in current.on_leave:
            leave()
