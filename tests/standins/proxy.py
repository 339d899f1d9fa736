"""A network between a client and a stand-in, which counts and can go wrong."""

from __future__ import annotations

import http.client
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, Literal
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Answer:
    """An answer in the server's place, which does not hear of the request.

    Attributes:
        status: Its status.
        content: Its body.
    """

    status: int
    content: bytes = b"{}"


# What may happen to a request: its answer is lost or changed on the way, or it never arrives and
# something else answers.
Accident = Literal["lost"] | int | Answer | Callable[[bytes], bytes] | None
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
        body: Its body, if that is JSON.
    """

    number: int
    method: str
    path: str
    token: str = ""
    body: bytes = field(default=b"", repr=False)

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


class _Handler(BaseHTTPRequestHandler):
    """Passes requests on.

    Attributes:
        net: What is counted, and goes wrong.
        host: Where the server is.
    """

    protocol_version = "HTTP/1.1"
    net: ClassVar[Network]
    host: ClassVar[str]

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        accident = self.net.accident(self._noted(body))
        if isinstance(accident, int):
            accident = Answer(accident)
        if isinstance(accident, Answer):
            self._answer(accident.status, {}, accident.content)
            return
        status, headers, content = self._forward(body)
        if accident == "lost":
            self.close_connection = True
            self.connection.close()
            return
        with self.net.lock:
            self.net.bytes_read += len(content)
        self._answer(status, headers, accident(content) if callable(accident) else content)

    def _noted(self, body: bytes) -> Request:
        path = unquote(self.path) + (_name_of(body) if "/upload/" in self.path else "")
        is_json = self.headers.get_content_type() == "application/json"
        with self.net.lock:
            number = len(self.net.requests) + 1
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            request = Request(number, self.command, path, token, body if is_json else b"")
            self.net.requests.append(request)
        return request

    def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
        connection.request(self.command, self.path, body, {**headers, "Host": self.host})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.getheaders()), content

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error of ours."""


@contextmanager
def network(server: str) -> Iterator[Network]:
    """A network to a server."""
    net = Network()
    handler = type("Handler", (_Handler,), {"net": net, "host": urlsplit(server).netloc})
    proxy = _Server(("127.0.0.1", 0), handler)
    net.url = f"http://127.0.0.1:{proxy.server_address[1]}"
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield net
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
