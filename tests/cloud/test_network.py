"""Publishing through a network in which something goes wrong: what is told to be so, is so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest
from google.cloud.storage import Client

from medallion.errors import StorageError
from medallion.lake.bronze_mirror import BronzeMirror
from medallion.storage.google import GoogleStorage
from medallion.storage.patience import Patience, be_patient, patience
from tests.cloud.conftest import Cloud
from tests.lake.test_working_copy import ONE, TWO, Machine, publish
from tests.standins.proxy import Accident, Request


@pytest.fixture(autouse=True)
def _quick(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    before = patience()
    be_patient(Patience(delay=0.01, cap=0.05, total=20))
    yield
    be_patient(before)
    cloud.network.forget()


@pytest.fixture(scope="module")
def client(cloud: Cloud) -> Iterator[Client]:
    with mock.patch.dict(os.environ, cloud.environment), closing(Client()) as made:
        yield made


@pytest.fixture
def writer(cloud: Cloud, client: Client, tmp_path: Path) -> Callable[[str, str], Machine]:
    """A machine that works on the lake below a prefix."""

    def new(name: str, prefix: str) -> Machine:
        return Machine(tmp_path / name, GoogleStorage(f"gs://{cloud.lake}/{prefix}", client))

    return new


Writer = Callable[[str, str], Machine]


def test_the_calls_of_a_publication_do_not_depend_on_history(cloud: Cloud, writer: Writer) -> None:
    made = [writer(f"{n}", f"calls-{n}") for n in range(2)]
    long = {table: {f"2024-{m:02d}-{d:02d}": [1] for m in (1, 2) for d in range(1, 29)}
            for table in ONE}  # fmt: skip
    counts = []
    for machine, history in zip(made, ({}, long), strict=True):
        publish(machine, "r1", {table: {**history.get(table, {}), **ONE[table]} for table in ONE})
        cloud.network.forget()
        publish(machine, "r2", {t: {**history.get(t, {}), **TWO.get(t, {})} for t in TWO})
        counts.append(len(cloud.network.requests))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(("accident", "every"), [("lost", 1), (503, 4)])
def test_whichever_call_fails_once_the_state_is_published_once(
    accident: Accident, every: int, cloud: Cloud, writer: Writer
) -> None:
    first = writer("count", f"count-{accident}")
    publish(first, "r1", ONE)
    cloud.network.forget()
    publish(first, "r2", TWO)
    calls = len(cloud.network.requests)
    for number in range(1, calls + 1, every):
        prefix = f"{accident}-{number}"
        machine = writer(prefix, prefix)
        publish(machine, "r1", ONE)
        cloud.network.forget()

        def fail(request: Request, number: int = number) -> Accident:
            return accident if request.number == number else None

        cloud.network.accident = fail
        done = publish(machine, "r2", TWO)
        cloud.network.forget()
        assert (done.run_id, done.is_new) == ("r2", True)
        assert writer(f"{prefix}-reader", prefix).reads() == TWO


def test_a_pointer_that_is_changed_too_often_is_waited_for(cloud: Cloud, writer: Writer) -> None:
    machine = writer("a", "busy")
    publish(machine, "r1", ONE)
    cloud.network.forget()
    refused: list[Request] = []

    def busy(request: Request) -> Accident:
        if request.changes and request.path.endswith("_latest.json") and len(refused) < 3:
            refused.append(request)
            return 429
        return None

    cloud.network.accident = busy
    assert publish(machine, "r2", TWO).is_new
    assert len(refused) == 3
    assert writer("b", "busy").reads() == TWO


def test_a_store_that_does_not_recover_is_told_and_nothing_is_published(
    cloud: Cloud, writer: Writer
) -> None:
    machine = writer("a", "gone")
    publish(machine, "r1", ONE)
    be_patient(Patience(delay=0.01, cap=0.05, total=0.3))
    cloud.network.accident = lambda request: 503 if ".parquet" in request.path else None
    with pytest.raises(StorageError, match="cannot be reached"):
        publish(machine, "r2", TWO)
    cloud.network.forget()
    assert writer("b", "gone").reads() == ONE


def test_a_bucket_that_is_misspelt_is_no_empty_lake(
    cloud: Cloud, client: Client, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, GoogleStorage(f"gs://{cloud.lake}-x/silver", client))
    with pytest.raises(StorageError, match=f"There is no bucket {cloud.lake}-x"):
        machine.copy.begin("r1")


def test_bronze_is_read_by_who_can_only_read_it(
    cloud: Cloud, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = cloud.environment["GOOGLE_APPLICATION_CREDENTIALS"]
    monkeypatch.setenv("MEDALLION_BRONZE_CREDENTIALS", account)
    for name in ("_MANIFEST.json", "part-0000.parquet"):
        blob = client.bucket(cloud.bronze).blob(f"bronze/orders/ingest_dt=2025-10-01/{name}")
        blob.upload_from_string(b"{}")
    cloud.network.forget()
    mirror = BronzeMirror.of(f"gs://{cloud.bronze}/bronze", tmp_path)
    mirror.look()
    (partition,) = mirror.folder.glob("*/*")
    mirror.fetch([str(partition)])
    assert (partition / "part-0000.parquet").read_bytes() == b"{}"
    assert {one.token for one in cloud.network.requests} == {"devstorage.read_only"}
    assert cloud.network.changes == []
