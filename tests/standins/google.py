"""Google Cloud on this machine: genuine clients and credentials, servers of the test's own."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import PROJECT

PYTHON = PROJECT / ".standins" / "bin" / "python"
_KEEPER = Path(__file__).with_name("keeper.py")
_SECONDS_TO_START = 120


@contextmanager
def bigquery(folder: Path, storage_url: str = "") -> Iterator[str]:
    """A BigQuery that is empty, for the time of a test.

    Args:
        folder: Where it may write.
        storage_url: The address of the storage that it loads from.

    Yields:
        Its address.
    """
    assert PYTHON.is_file(), "BigQuery's stand-in is not installed: run `make standins`"
    port = _free_port()
    command = [str(PYTHON), "-m", "tests.standins.bigquery", str(port), str(folder), storage_url]
    with _served(command, port, "/bigquery/v2/projects", folder / "bigquery.log") as url:
        yield url


@contextmanager
def storage(folder: Path) -> Iterator[str]:
    """A Google Cloud Storage without buckets, for the time of a test.

    It enforces preconditions on small uploads, and on nothing else.

    Args:
        folder: Where it may write.

    Yields:
        Its address.
    """
    binaries = sorted(PYTHON.parents[1].rglob("fake-gcs-server-linux-amd64"))
    assert binaries, "the stand-in of Google Cloud Storage is not installed: run `make standins`"
    port = _free_port()
    here = f"127.0.0.1:{port}"
    command = [str(binaries[0]), "-scheme", "http", "-backend", "memory", "-log-level", "warn"]
    command += ["-host", "127.0.0.1", "-port", str(port)]
    command += ["-external-url", f"http://{here}", "-public-host", here]
    with _served(command, port, "/storage/v1/b?project=nobody", folder / "storage.log") as url:
        yield url


@contextmanager
def _served(command: Sequence[str], port: int, path: str, log: Path) -> Iterator[str]:
    """A server of a process of its own, once it answers. It does not outlive this process.

    Yields:
        Its address.
    """
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-IS", str(_KEEPER), *command],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{url}{path}", server, log)
        yield url
    finally:
        assert server.stdin
        server.stdin.close()
        server.wait(10)


@contextmanager
def credentials(folder: Path, storage_url: str | None = None) -> Iterator[Path]:
    """A service account of nobody, and the server that gives it tokens, which say their scope.

    Args:
        folder: Where it may write.
        storage_url: The storage's address: Polars looks for it in the account.

    Yields:
        The file for `GOOGLE_APPLICATION_CREDENTIALS`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            scope = _scope_of(asked["assertion"][0])
            token = {"access_token": scope, "token_type": "Bearer", "expires_in": 3600}
            body = json.dumps(token).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing on the console."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    file = folder / "service_account.json"
    account = {
        "type": "service_account",
        "project_id": "nobody",
        "private_key_id": "1",
        "private_key": _throw_away_key(),
        "client_email": "nobody@nobody.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"http://127.0.0.1:{server.server_address[1]}/token",
    }
    if storage_url:
        account |= {"gcs_base_url": storage_url, "disable_oauth": True}
    file.write_text(json.dumps(account), encoding="utf-8")
    try:
        yield file
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def emulator(
    url: str,
    account: Path,
    bronze: str,
    lake: str,
    bigquery_url: str,
    datasets: str = "shop",
) -> dict[str, str]:
    """The variables of the environment `emulator`.

    Args:
        url: The storage's address.
        account: The file of the credentials.
        bronze: The bucket of Bronze.
        lake: The bucket of the lake.
        bigquery_url: BigQuery's address.
        datasets: What the names of its datasets begin with.
    """
    return {
        "BIGQUERY_EMULATOR_HOST": bigquery_url,
        "STORAGE_EMULATOR_HOST": url,
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "NO_GCE_CHECK": "true",
        "MEDALLION_EMULATOR_BRONZE": f"gs://{bronze}/bronze",
        "MEDALLION_EMULATOR_LAKE": f"gs://{lake}",
        "MEDALLION_EMULATOR_DATASETS": datasets,
    }


def deliver(folder: Path, bucket: Any, is_wanted: Callable[[str], bool] = lambda _: True) -> None:
    """Puts the files of a Bronze folder into a bucket of the genuine client.

    Args:
        folder: The folder.
        bucket: The bucket.
        is_wanted: Whether a file is delivered, by its path below the folder.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]

    def send(name: str) -> None:
        bucket.blob(f"bronze/{name}").upload_from_filename(str(folder / name))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, filter(is_wanted, names)))


def _scope_of(assertion: str) -> str:
    """The scopes that a signed request for a token asks for, by their last names."""
    payload = assertion.split(".")[1]
    said = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return "+".join(url.rpartition("/")[2] for url in said.get("scope", "none").split())


def _throw_away_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and server.poll() is None:
        try:
            requests.get(url, timeout=1).raise_for_status()
        except requests.RequestException:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"The stand-in at {url} did not start:\n{log.read_text()[-2000:]}")
