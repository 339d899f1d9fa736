"""A small HTTP server on this machine that notes what it is sent, and answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Listener:
    """What the server was sent.

    Attributes:
        status: What it answers; a list is answered one by one, the last for ever.
        hangs: Whether it answers at all before it is closed.
    """

    status: list[int] = field(default_factory=lambda: [200])
    hangs: bool = False
    port: int = 0
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def listening(*status: int, hangs: bool = False) -> Iterator[Listener]:
    """A server for the time of a test."""
    listener = Listener(list(status) or [200], hangs)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.bodies.append(json.loads(body))
            listener.headers.append(dict(self.headers))
            listener.paths.append(self.path)
            if listener.hangs:
                listener.closed.wait(30)
                return
            answers = listener.status
            self.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing on the console."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield listener
    finally:
        listener.closed.set()
        server.shutdown()
        thread.join()
        server.server_close()


def refusing_url() -> str:
    """An address at which nobody listens."""
    with listening() as listener:
        return listener.url
