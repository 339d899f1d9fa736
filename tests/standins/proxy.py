"""A network between a client and a stand-in, which counts and can go wrong."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote, urlsplit

# What may happen to a request: its answer is lost, or it is refused with a status.
Accident = Literal["lost"] | int | None
_NAME = re.compile(rb'"name": "([^"]+)"')
_NOT_PASSED_ON = {"transfer-encoding", "connection", "keep-alive"}


@dataclass(frozen=True)
class Request:
    """A request that has come.

    Attributes:
        number: Its number, from 1 on.
        method: Its method.
        path: Its path and query, decoded; of an upload, with the object's name behind a `#`.
        token: What its credentials are good for; nothing if it has none.
    """

    number: int
    method: str
    path: str
    token: str = ""

    @property
    def changes(self) -> bool:
        """Whether it changes an object."""
        return self.method in ("POST", "PUT", "DELETE", "PATCH")


@dataclass
class Network:
    """What was sent, and what shall go wrong.

    Attributes:
        url: The address to send to.
        requests: What has come.
        bytes_read: Bytes of all answers.
        accident: Asked for each request.
    """

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    bytes_read: int = 0
    accident: Callable[[Request], Accident] = lambda _: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """Counts from nothing again, and lets nothing go wrong."""
        with self.lock:
            self.requests.clear()
            self.bytes_read = 0
            self.accident = lambda _: None

    @property
    def changes(self) -> list[Request]:
        """The requests that change objects."""
        return [one for one in self.requests if one.changes]


def _name_of(body: bytes) -> str:
    """The name of an object that is uploaded: it stands in the body, before the bytes."""
    found = _NAME.search(body[:2_000])
    return f"#{found[1].decode()}" if found else ""


@contextmanager
def network(server: str) -> Iterator[Network]:
    """A network to a server."""
    net = Network()
    host = urlsplit(server).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with net.lock:
                path = f"{unquote(self.path)}{_name_of(body)}"
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                request = Request(len(net.requests) + 1, self.command, path, token)
                net.requests.append(request)
            accident = net.accident(request)
            if isinstance(accident, int):
                self._answer(accident, {}, b"{}")
                return
            connection = http.client.HTTPConnection(host, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            connection.request(self.command, self.path, body, {**headers, "Host": host})
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if accident == "lost":
                self.close_connection = True
                self.connection.close()
                return
            with net.lock:
                net.bytes_read += len(content)
            self._answer(answer.status, dict(answer.getheaders()), content)

        def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {*_NOT_PASSED_ON, "content-length", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _pass_on  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Says nothing on the console."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is no error of ours."""

    proxy = Server(("127.0.0.1", 0), Handler)
    net.url = f"http://127.0.0.1:{proxy.server_address[1]}"
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield net
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
