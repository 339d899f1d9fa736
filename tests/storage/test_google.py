"""What the genuine client of Google Cloud Storage does when the network or a name is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import (
    Forbidden,
    PreconditionFailed,
    ServiceUnavailable,
    from_http_response,
)
from google.cloud.storage import Blob
from google.cloud.storage.blob import _raise_from_invalid_response
from google.cloud.storage.exceptions import InvalidResponse
from requests import Request, Response

from medallion.errors import AbsentError, ChangedError, ExistsError, StorageError
from medallion.lake.bronze import _filesystem
from medallion.storage import open_storage
from medallion.storage.google import (
    BRONZE_CREDENTIALS,
    GoogleStorage,
    default_client,
    reading_client,
)

READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only"


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


def _refusal(reason: str, message: str) -> Any:
    """The service's answer, as the documentation of its JSON API has it."""
    answer = Response()
    answer.status_code = 403
    answer.request = Request("POST", "https://storage.googleapis.com/upload").prepare()
    errors = [{"domain": "global", "reason": reason, "message": message}]
    answer._content = json.dumps(
        {"error": {"code": 403, "message": message, "errors": errors}}
    ).encode()
    return answer


KEPT = (
    "Object 'shop/lake/pointer' is subject to bucket's retention policy or object retention and"
    " cannot be deleted or overwritten until 2026-12-24T01:02:03.45-08:00"
)


@pytest.mark.parametrize(
    ("reason", "message", "told", "advice"),
    [
        (
            "retentionPolicyNotMet",
            KEPT,
            "a retention rule of the bucket or of the object keeps it until"
            " 2026-12-24T01:02:03.45-08:00.",
            "needs a bucket without retention",
        ),
        (
            "objectUnderActiveHold",
            "Object is under active Temporary hold and cannot be deleted or overwritten.",
            "a hold is on the object.",
            "needs a bucket without retention and holds",
        ),
        ("rateLimitExceeded", "Slow down.", "is reached (rateLimitExceeded).", "wait"),
        ("forbidden", "No access.", "is refused to these credentials (forbidden).", "a role"),
    ],
)
@pytest.mark.parametrize("is_upload", [True, False])
def test_a_refusal_is_told_by_the_reason_that_the_service_gives(
    lake: GoogleStorage,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
    message: str,
    told: str,
    advice: str,
    *,
    is_upload: bool,
) -> None:
    version = lake.create("pointer", b"1")
    answer = _refusal(reason, message)

    def refuse(*_: Any, **__: Any) -> None:
        if is_upload:
            _raise_from_invalid_response(InvalidResponse(answer, "Request failed", 403))
        raise from_http_response(answer)

    monkeypatch.setattr(Blob, "upload_from_string", refuse)
    with pytest.raises(StorageError, match=re.escape(told)) as refused:
        lake.swap("pointer", b"2", version)
    assert refused.value.message.startswith(f"{lake.root}/pointer ")
    assert advice in refused.value.hint
    assert ("kedro lake doctor --env" in refused.value.hint) == (advice != "wait")


def test_a_refusal_without_a_reason_is_one_of_rights(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = _refusal("", "")
    answer._content = b"<html>refused by a proxy</html>"

    def refuse(*_: Any, **__: Any) -> None:
        _raise_from_invalid_response(InvalidResponse(answer, "Request failed", 403))

    monkeypatch.setattr(Blob, "upload_from_string", refuse)
    with pytest.raises(StorageError, match=r"is refused to these credentials\."):
        lake.create("pointer", b"1")


def test_a_refusal_that_is_not_ours_is_believed(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PreconditionFailed("conditionNotMet")

    monkeypatch.setattr(Blob, "upload_from_string", refuse)
    with pytest.raises(ChangedError):
        lake.swap("pointer", b"2", "1")


def test_a_delete_is_of_the_generation_that_was_named(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = lake.create("rows", b"1")
    asked: list[Any] = []
    delete = Blob.delete

    def watched(blob: Blob, **options: Any) -> None:
        asked.append(options["if_generation_match"])
        delete(blob, **options)

    monkeypatch.setattr(Blob, "delete", watched)
    lake.delete("rows", version)
    assert asked == [int(version)]
    assert list(lake.listed()) == []


def test_a_delete_whose_answer_was_lost_is_done(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has deleted; the client repeats the call, and there is nothing any more."""
    version = lake.create("rows", b"1")
    delete = Blob.delete

    def deleted_twice(blob: Blob, **options: Any) -> None:
        delete(blob, **options)
        delete(blob, **options)

    monkeypatch.setattr(Blob, "delete", deleted_twice)
    lake.delete("rows", version)
    assert list(lake.listed()) == []


def test_a_delete_that_meets_a_newer_object_leaves_it(
    lake: GoogleStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = lake.create("rows", b"1")

    def refuse(*_: Any, **__: Any) -> None:
        raise PreconditionFailed("conditionNotMet")

    monkeypatch.setattr(Blob, "delete", refuse)
    with pytest.raises(ChangedError, match="was changed meanwhile"):
        lake.delete("rows", version)


class TestCredentials:
    """Who reads Bronze can do nothing else, whoever it is."""

    @pytest.fixture(autouse=True)
    def _real(self, google_storage: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        monkeypatch.delenv(BRONZE_CREDENTIALS, raising=False)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(google_storage[1]))
        monkeypatch.setenv("NO_GCE_CHECK", "true")

    def account(self, folder: Path, google_storage: tuple[str, Path], **other: str) -> Path:
        said = json.loads(google_storage[1].read_text())
        path = folder / "account.json"
        path.write_text(json.dumps({**said, **other}))
        return path

    def test_the_account_of_the_run_reads_bronze_with_a_scope_for_reading_alone(self) -> None:
        assert reading_client()._credentials.scopes == [READ_ONLY]
        assert READ_ONLY not in (default_client()._credentials.scopes or [])[:1]
        assert reading_client().project == "nobody"
        bronze = open_storage("gs://shop-raw/bronze", read_only=True)
        assert isinstance(bronze, GoogleStorage)
        assert bronze._client._credentials.scopes == [READ_ONLY]

    def test_another_account_can_be_named_for_bronze(
        self, google_storage: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reader = self.account(
            tmp_path, google_storage, client_email="reader@shop", project_id="raw"
        )
        monkeypatch.setenv(BRONZE_CREDENTIALS, str(reader))
        found = reading_client()
        assert (found._credentials.service_account_email, found.project) == ("reader@shop", "raw")
        assert found._credentials.scopes == [READ_ONLY]
        assert default_client()._credentials.service_account_email != "reader@shop"

    def test_what_a_person_has_logged_in_with_stays_as_it_is(
        self, google_storage: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_a_login = {"type": "authorized_user", "refresh_token": "r", "client_secret": "s"}
        login = self.account(tmp_path, google_storage, **of_a_login)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(login))
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "shop")
        asked = [one()._credentials.scopes for one in (reading_client, default_client)]
        assert asked[0] == asked[1] != [READ_ONLY]

    @pytest.mark.parametrize("content", [None, "{", '{"type": "authorized_user"}'])
    def test_a_file_that_is_no_account_is_named_with_what_to_do(
        self, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "account.json"
        if content:
            path.write_text(content)
        monkeypatch.setenv(BRONZE_CREDENTIALS, str(path))
        with pytest.raises(StorageError, match=f"{BRONZE_CREDENTIALS} names .*no file") as refused:
            reading_client()
        assert "leave the variable out" in refused.value.hint

    def test_dbt_alone_asks_for_no_more(self) -> None:
        filesystem, _ = _filesystem("gs://shop-raw/bronze")
        assert filesystem.storage_options["access"] == "read_only"
