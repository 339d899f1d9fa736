"""Buckets on this machine, for the genuine client."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.google import credentials, storage


@pytest.fixture(scope="package")
def google_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The stand-in's address, and the credentials that it takes."""
    folder = tmp_path_factory.mktemp("google")
    with storage(folder) as url, credentials(folder) as account:
        yield url, account


@pytest.fixture
def bucket(google_storage: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty bucket, which Application Default Credentials may use."""
    url, account = google_storage
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(account))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    from google.cloud.storage import Client

    name = f"lake-{uuid.uuid4().hex}"
    Client().create_bucket(name)
    return name
