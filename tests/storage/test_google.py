"""What the genuine client of Google Cloud Storage does when the network or a name is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core.exceptions import Forbidden, PreconditionFailed, ServiceUnavailable
from google.cloud.storage import Blob

from medallion.errors import AbsentError, ChangedError, ExistsError, StorageError
from medallion.storage.google import GoogleStorage


@pytest.fixture
def lake(bucket: str) -> GoogleStorage:
    return GoogleStorage(f"gs://{bucket}/lake")


def lose_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has written; the client repeats the call and is refused by its own object."""
    send = Blob.upload_from_string

    def sent_twice(blob: Blob, *data: Any, **options: Any) -> None:
        send(blob, *data, **options)
        send(blob, *data, **options)

    monkeypatch.setattr(Blob, "upload_from_string", sent_twice)


def test_a_swap_whose_answer_was_lost_is_won(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = lake.create("pointer", b"1")
    lose_the_answer(monkeypatch)
    new = lake.swap("pointer", b"2", old)
    assert lake.read("pointer").data == b"2"
    assert lake.read("pointer").version == new


def test_a_creation_whose_answer_was_lost_is_won(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_the_answer(monkeypatch)
    assert lake.create("lease", b"mine") == lake.read("lease").version


def test_a_swap_that_another_writer_has_won_is_lost_whatever_it_wrote(
    lake: GoogleStorage,
) -> None:
    old = lake.create("pointer", b"1")
    lake.swap("pointer", b"same", old)
    with pytest.raises(ChangedError):
        lake.swap("pointer", b"same", old)
    with pytest.raises(ExistsError):
        lake.create("pointer", b"same")


@pytest.mark.parametrize("verb", ["read", "listed", "folders", "delete", "create"])
def test_a_bucket_that_is_not_there_is_no_absent_object(bucket: str, verb: str) -> None:
    lake = GoogleStorage(f"gs://{bucket}-misspelt/lake")
    calls = {
        "read": lambda: lake.read("pointer"),
        "listed": lambda: list(lake.listed()),
        "folders": lake.folders,
        "delete": lambda: lake.delete("pointer"),
        "create": lambda: lake.create("pointer", b""),
    }
    with pytest.raises(StorageError, match=f"There is no bucket {bucket}-misspelt") as refused:
        calls[verb]()
    assert not isinstance(refused.value, AbsentError)


def test_bytes_that_change_on_the_way_up_are_no_object(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = Blob.upload_from_string

    def bent(blob: Blob, data: bytes, **options: Any) -> None:
        send(blob, data[1:], **options)

    monkeypatch.setattr(Blob, "upload_from_string", bent)
    with pytest.raises(StorageError, match="did not arrive as it was sent"):
        lake.create("rows", b"rows")
    assert list(lake.listed()) == []


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Forbidden("caller has no access"), "is refused to these credentials"),
        (ServiceUnavailable("try later"), "cannot be reached"),
    ],
)
def test_what_the_service_refuses_is_said_with_what_to_do(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        raise error

    monkeypatch.setattr(Blob, "download_as_bytes", refuse)
    with pytest.raises(StorageError, match=told) as refused:
        lake.read("pointer")
    assert refused.value.hint


def test_a_refusal_that_is_not_ours_is_believed(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PreconditionFailed("conditionNotMet")

    monkeypatch.setattr(Blob, "upload_from_string", refuse)
    with pytest.raises(ChangedError):
        lake.swap("pointer", b"2", "1")
