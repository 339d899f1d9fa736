"""The events of a run as they are kept: a file of JSON lines for each of its processes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from pydantic import ValidationError

from medallion.events import EVENT, Event, Progress
from medallion.lake.names import as_run_id
from medallion.storage import open_storage
from medallion.storage.layout import Layout
from medallion.storage.mirror import Mirror
from medallion.storage.process import this_process

_FOLDER = "events"


class Journal:
    """Writes the events of this process, and reads those of all.

    An event is in the file when `write` returns: what happened is known of a process that is
    killed right after it.

    Args:
        runs: The folder of all runs.
        run_id: The run.
        store: Where the folders of runs are for all machines; None if this one has them.
    """

    def __init__(self, runs: Path, run_id: str, store: str | None = None) -> None:
        self._storage = open_storage(runs)
        self._mirror = _mirror(runs / as_run_id(run_id), run_id, store) if store else None
        self._prefix = f"{as_run_id(run_id)}/{_FOLDER}/"
        # A process id comes again, and must not continue a line that a kill has cut short.
        self._key = f"{self._prefix}{this_process()}-{time.time_ns()}.jsonl"
        self._lock = Lock()

    @classmethod
    def of(cls, layout: Layout, run_id: str) -> Journal:
        """The events of a run, where things are."""
        return cls(layout.runs, run_id, layout.stores.get("runs"))

    def write(self, event: Event) -> None:
        """Adds an event; progress is not kept."""
        if isinstance(event, Progress):
            return
        with self._lock:
            self._storage.append(self._key, EVENT.dump_json(event) + b"\n")

    def read(self) -> Iterator[Event]:
        """The events of all processes; what a kill or a power cut has cut short is left out."""
        if self._mirror:
            self._mirror.pull()
        for entry in self._storage.listed(self._prefix):
            for line in self._storage.read(entry.key).data.split(b"\n"):
                event = _event(line)
                if event is not None:
                    yield event

    def share(self) -> None:
        """Lets processes on other machines read what this one has written."""
        if self._mirror:
            self._mirror.push()


def _mirror(folder: Path, run_id: str, store: str) -> Mirror:
    return Mirror(open_storage(f"{store}/{run_id}/{_FOLDER}"), folder / _FOLDER, folder)


def _event(line: bytes) -> Event | None:
    """The event of a line; None if the line is not whole."""
    try:
        return EVENT.validate_json(line)
    except ValidationError:
        return None
