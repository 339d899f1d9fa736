"""Where events go: to a file at once, and to a backend that nobody waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Lock, Thread
from typing import TYPE_CHECKING

from medallion.runs.lineage.client import Serde, base

if TYPE_CHECKING:
    from io import TextIOWrapper

Post = Callable[[base.RunEvent], object]
# A backend that failed so often in a row is left alone for the rest of the run.
_FAILURES = 3
_END = None


class EventFile:
    """A file of events, one a line; each is on disk when `write` returns.

    Args:
        path: The file; it appears with the first event.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._file: TextIOWrapper | None = None

    def write(self, event: base.RunEvent) -> None:
        """Appends an event."""
        line = Serde.to_json(event) + "\n"
        with self._lock:
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("a", encoding="utf-8")
            self._file.write(line)
            self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None


class Sender:
    """Sends events from a thread of its own, in order.

    A process that ends does not wait for it, and neither does a run: `send` never blocks,
    and `close` waits as long as it is told.

    Args:
        connect: Makes what sends one event, or raises; called in the thread, because the
            transport's imports are dear.
        limit: How many events may wait.
    """

    def __init__(self, connect: Callable[[], Post], limit: int) -> None:
        self._connect = connect
        self._queue: Queue[base.RunEvent | None] = Queue(limit)
        self._lock = Lock()
        self._undelivered: dict[int, base.RunEvent] = {}
        self._thread = Thread(target=self._work, name="lineage", daemon=True)
        self._failures = 0
        self._closed = False
        self.problem = ""
        self._thread.start()

    def send(self, event: base.RunEvent) -> None:
        """Lets an event wait to be sent; if too many wait, it counts as undelivered."""
        with self._lock:
            self._undelivered[id(event)] = event
        try:
            self._queue.put_nowait(event)
        except Full:
            self.problem = self.problem or "too many events waited"

    def close(self, wait: float) -> list[base.RunEvent]:
        """Waits a while for what is still to be sent.

        Args:
            wait: At most so many seconds.

        Returns:
            The events of which it is not known that they arrived, in order.
        """
        deadline = time.monotonic() + wait
        if self._thread.is_alive():
            self._end(wait)
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self._closed = True
        if self._thread.is_alive():
            self.problem = self.problem or "it is slow"
        with self._lock:
            return list(self._undelivered.values())

    def _end(self, wait: float) -> None:
        try:
            self._queue.put(_END, timeout=wait)
        except Full:
            self.problem = self.problem or "too many events waited"

    def _work(self) -> None:
        try:
            post = self._connect()
        except Exception as error:  # noqa: BLE001 - the client raises what its libraries do
            self.problem = type(error).__name__
            self._failures = _FAILURES
            return
        while not self._closed and self._failures < _FAILURES:
            event = self._queue.get()
            if event is _END:
                return
            self._post(post, event)
        self._drop_waiting()

    def _post(self, post: Post, event: base.RunEvent) -> None:
        try:
            post(event)
        except Exception as error:  # noqa: BLE001 - as above; told at the end of the run
            # Its text may quote the address.
            self.problem = type(error).__name__
            self._failures += 1
            return
        self._failures = 0
        with self._lock:
            self._undelivered.pop(id(event), None)

    def _drop_waiting(self) -> None:
        try:
            while self._queue.get_nowait() is not _END:
                pass
        except Empty:
            return


def http_post(url: str, endpoint: str, timeout: float, api_key: str | None) -> Post:
    """What sends an event with the official client's HTTP transport, trying once."""
    from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport

    config = HttpConfig(url, endpoint, timeout, retry={"total": 0})
    if api_key:
        config.auth = ApiKeyTokenProvider({"api_key": api_key})
    return HttpTransport(config).emit
