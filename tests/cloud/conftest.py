"""A cloud on this machine: genuine clients, a stand-in of the store, a network between them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from google.cloud.bigquery import Client
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.conftest import PROJECT
from tests.standins.google import bigquery, credentials, deliver, emulator, storage
from tests.standins.proxy import Network, network


@dataclass(frozen=True)
class Cloud:
    """Buckets and a BigQuery, and how to reach them.

    Attributes:
        network: Between the clients and the store.
        warehouse: Between the clients and BigQuery.
        environment: The variables that a run needs.
        bronze: The bucket of Bronze.
        lake: The bucket of the lake.
    """

    network: Network
    warehouse: Network
    environment: dict[str, str]
    bronze: str
    lake: str

    def deliver(self, folder: Path) -> None:
        """Puts a Bronze folder into its bucket."""
        deliver(folder, self._client().bucket(self.bronze))

    def withdraw(self, part: str) -> None:
        """Takes back what was delivered, where the name holds this part."""
        client = self._client()
        for blob in client.list_blobs(self.bronze):
            if part in blob.name:
                blob.delete()

    def objects(self) -> dict[str, int]:
        """The generation of every object of the lake, but the lease, by name."""
        found = self._client().list_blobs(self.lake, prefix="silver/")
        return {one.name: one.generation for one in found if not one.name.endswith("_LEASE.json")}

    def current(self) -> str | None:
        """The run whose state is current."""
        blob = self._client().bucket(self.lake).get_blob("silver/_latest.json")
        return str(json.loads(blob.download_as_bytes())["run_id"]) if blob else None

    def take_away(self, name: str) -> bytes:
        """Removes an object of the lake's bucket; returns what it held."""
        blob = self._client().bucket(self.lake).blob(name)
        content: bytes = blob.download_as_bytes()
        blob.delete()
        return content

    def put_back(self, name: str, content: bytes) -> None:
        """Writes an object of the lake's bucket."""
        self._client().bucket(self.lake).blob(name).upload_from_string(content)

    def kedro(self, machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command on a machine of which only this folder is kept."""
        return subprocess.run(
            self.command(*arguments),
            cwd=PROJECT,
            env=self.on(machine),
            capture_output=True,
            text=True,
            check=False,
        )

    def started(self, machine: Path, *arguments: str) -> subprocess.Popen[str]:
        """The same, while it is at work."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=PROJECT,
            env=self.on(machine),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def catalog(self, machine: Path) -> Iterator[Any]:
        """The catalog of a notebook on a machine."""
        with (
            mock.patch.dict(os.environ, self.on(machine)),
            KedroSession.create(bootstrap_project(PROJECT).project_path, env="emulator") as session,
        ):
            yield session.load_context().catalog

    def command(self, *arguments: str) -> list[str]:
        """A command in the environment of the stand-in."""
        return [sys.executable, "-m", "kedro", *arguments, "--env", "emulator"]

    def on(self, machine: Path) -> dict[str, str]:
        """The variables of a process on a machine."""
        own = {"MEDALLION_DATA_ROOT": str(machine), "COLUMNS": "200"}
        return {**os.environ, **self.environment, **own}

    def _client(self) -> Any:
        from google.cloud.storage import Client

        with mock.patch.dict(os.environ, self.environment):
            return Client()


def data_of(folder: Path) -> dict[str, str]:
    """The files of a lake's layers, as hashes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for layer in ("base", "quarantine", "dims", "keys", "enriched")
        for path in sorted((folder / layer).rglob("*.parquet"))
    }


@pytest.fixture(scope="session")
def storage_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A store for all tests: each takes buckets of its own."""
    with storage(tmp_path_factory.mktemp("storage")) as url:
        yield url


@pytest.fixture(scope="session")
def bigquery_url(tmp_path_factory: pytest.TempPathFactory, storage_url: str) -> Iterator[str]:
    """A BigQuery for all tests, which loads from the store: each takes datasets of its own."""
    with bigquery(tmp_path_factory.mktemp("bigquery"), storage_url) as url:
        yield url


@pytest.fixture(scope="module")
def cloud(
    tmp_path_factory: pytest.TempPathFactory, storage_url: str, bigquery_url: str
) -> Iterator[Cloud]:
    with (
        network(storage_url) as net,
        network(bigquery_url) as warehouse,
        credentials(tmp_path_factory.mktemp("cloud"), net.url) as account,
    ):
        own = uuid.uuid4().hex
        bronze, lake = f"raw-{own}", f"lake-{own}"
        environment = emulator(net.url, account, bronze, lake, warehouse.url, f"shop_{own}")
        made = Cloud(net, warehouse, environment, bronze, lake)
        for name in (bronze, lake):
            made._client().create_bucket(name)
        yield made


@pytest.fixture(scope="module")
def client(cloud: Cloud) -> Iterator[Client]:
    """The genuine client, as a person asks BigQuery."""
    with mock.patch.dict(os.environ, cloud.environment):
        opened = Client(project="emulator", location="US-CENTRAL1")
    with opened:
        yield opened


@pytest.fixture(scope="module")
def bronze(tmp_path_factory: pytest.TempPathFactory, spec: Spec, cloud: Cloud) -> Path:
    """Three clean days, in a folder and in the bucket."""
    root = tmp_path_factory.mktemp("delivered") / "bronze"
    request = SampleRequest(
        output=root, start=date(2025, 10, 1), days=3, orders_per_day=40, seed=3, mess="light"
    )
    generate(request, spec=spec)
    cloud.deliver(root)
    return root
