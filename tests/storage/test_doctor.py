"""What the doctor says of what a stand-in cannot show: rights, rules and places of buckets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import Forbidden, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Bucket, Client

from medallion.errors import StorageError
from medallion.storage import doctor
from medallion.storage.doctor import Diagnosis, Doctor, when_freed
from tests.storage.memory import Memory

Look = Callable[[str], Diagnosis]


class Google:
    """Buckets as Google's API describes them, and who may do what in them."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Any]] = {
            "raw": {"location": "EUROPE-WEST1"},
            "lake": {"location": "EUROPE-WEST1", "softDeletePolicy": _kept("0")},
        }
        self.refused: dict[str, Exception] = {}
        self.lacking: set[str] = set()
        self.clock = datetime.now(UTC)
        self.store: Any = Memory()

    def client(self) -> Client:
        made = Client(project="shop", credentials=AnonymousCredentials())
        made.get_bucket = lambda name, **_: self.bucket(made, name)
        made._http_internal = SimpleNamespace(get=lambda *_, **__: self.answer())
        return made

    def bucket(self, client: Client, name: str) -> Bucket:
        if name in self.refused:
            raise self.refused[name]
        bucket = client.bucket(name)
        bucket._properties.update(self.buckets[name])
        bucket.test_iam_permissions = lambda asked, **_: [a for a in asked if a not in self.lacking]
        return bucket

    def answer(self) -> Any:
        return SimpleNamespace(headers={"Date": format_datetime(self.clock, usegmt=True)})


def _kept(seconds: str) -> dict[str, str]:
    return {"retentionDurationSeconds": seconds}


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Google:
    made = Google()
    monkeypatch.setattr(doctor, "default_client", made.client)
    monkeypatch.setattr(doctor, "reading_client", made.client)
    monkeypatch.setattr(doctor, "open_storage", lambda _: made.store)
    return made


@pytest.fixture
def look(google: Google, tmp_path: Path) -> Look:
    assert google.buckets

    def at(about: str) -> Diagnosis:
        patient = Doctor("gs://raw/bronze", "gs://lake/silver", tmp_path / "cache", "europe-west1")
        (found,) = [one for one in patient.diagnoses() if one.about == about]
        assert found.remedy or found.verdict in ("ok", "unknown")
        return found

    return at


def test_what_is_as_it_should_be_is_ok(google: Google, tmp_path: Path) -> None:
    patient = Doctor("gs://raw/bronze", "gs://lake/silver", tmp_path, "europe-west1")
    found = {one.about: one.verdict for one in patient.diagnoses()}
    assert {*found.values()} == {"ok"}
    assert [*found] == [
        *("lake credentials", "Bronze credentials"),
        *("Bronze bucket", "Bronze rights", "Bronze location"),
        *("lake bucket", "lake rights", "lake location", "lake retention", "lake soft delete"),
        *("lake versions", "preconditions", "clock", "disk"),
    ]
    assert google.store.objects == {}


@pytest.mark.parametrize("where", ["EU", "EUROPE-WEST2", "US"])
def test_a_lake_elsewhere_than_configured_stops_and_one_bronze_warns(
    google: Google, look: Look, where: str
) -> None:
    google.buckets["lake"]["location"] = google.buckets["raw"]["location"] = where
    assert look("lake location").verdict == "failed"
    assert look("lake location").found == f"{where}, not europe-west1"
    assert where in look("lake location").remedy
    assert look("Bronze location").verdict == "warning"


def test_rights_that_are_not_granted_are_named(google: Google, look: Look) -> None:
    google.lacking = {"storage.objects.delete", "storage.objects.create"}
    found = look("lake rights")
    assert found.verdict == "failed"
    assert found.found == "storage.objects.create, storage.objects.delete not granted"
    assert "roles/storage.objectUser" in found.remedy
    assert look("Bronze rights").verdict == "ok"


@pytest.mark.parametrize("error", [NotFound("no such bucket"), Forbidden("no access")])
def test_a_bucket_that_cannot_be_seen_is_named(
    google: Google, look: Look, error: Exception
) -> None:
    google.refused["raw"] = error
    found = look("Bronze bucket")
    assert (found.verdict, found.found) == (
        "failed",
        f"raw cannot be seen ({type(error).__name__})",
    )
    assert look("lake bucket").verdict == "ok"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"retentionPolicy": {"retentionPeriod": "3600"}}, "objects are kept for 3,600 s"),
        ({"defaultEventBasedHold": True}, "a default hold"),
    ],
)
def test_a_rule_that_keeps_objects_stops_a_run(
    google: Google, look: Look, rule: dict[str, Any], said: str
) -> None:
    google.buckets["lake"] |= rule
    assert (look("lake retention").verdict, look("lake retention").found) == ("failed", said)


def test_what_is_paid_for_after_it_was_deleted_is_said(google: Google, look: Look) -> None:
    google.buckets["lake"] |= {"softDeletePolicy": _kept("604800"), "versioning": {"enabled": True}}
    assert look("lake soft delete").verdict == look("lake versions").verdict == "warning"
    assert look("lake soft delete").found.endswith("for 7 days")
    del google.buckets["lake"]["softDeletePolicy"]
    assert look("lake soft delete").verdict == "unknown"


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (
            {"softDeletePolicy": _kept("604800")},
            "for 7 days (soft delete): it is paid for until 2026-12-07.",
        ),
        (
            {"softDeletePolicy": _kept("86400")},
            "for 1 day (soft delete): it is paid for until 2026-12-01.",
        ),
        ({"softDeletePolicy": _kept("0")}, "the space is free now."),
        ({"softDeletePolicy": None}, "does not say for how long"),
        ({"versioning": {"enabled": True}}, "until a lifecycle rule of the bucket deletes it."),
    ],
)
def test_it_is_said_until_when_deleted_bytes_are_paid_for(
    google: Google, says: dict[str, Any], expected: str
) -> None:
    google.buckets["lake"] |= says
    google.buckets["lake"] = {k: v for k, v in google.buckets["lake"].items() if v is not None}
    assert expected in when_freed("gs://lake/silver", date(2026, 11, 30))


def test_what_cannot_be_looked_up_is_no_error_after_it_was_deleted(google: Google) -> None:
    google.refused["lake"] = Forbidden("no access")
    assert "cannot be looked up (Forbidden)" in when_freed("gs://lake/silver", date(2026, 11, 30))


@pytest.mark.parametrize(("off", "verdict"), [(20, "ok"), (-7_200, "failed"), (7_200, "failed")])
def test_a_clock_that_is_wrong_is_said(google: Google, look: Look, off: int, verdict: str) -> None:
    google.clock += timedelta(seconds=off)
    assert look("clock").verdict == verdict


def test_a_small_disk_warns(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    assert look("disk").verdict == "warning"


def test_a_store_that_ignores_preconditions_stops_a_run(google: Google, look: Look) -> None:
    google.store.swap = lambda key, data, _: google.store.write(key, data)
    assert look("preconditions").verdict == "failed"
    assert google.store.objects == {}


def test_without_credentials_it_is_said_what_to_do(
    google: Google, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> Client:
        raise StorageError("There are no credentials.", hint="log in.")

    patient = Doctor("gs://raw/bronze", "gs://lake/silver", tmp_path, "europe-west1")
    monkeypatch.setattr(doctor, "reading_client", none)
    found = {one.about: one for one in patient.diagnoses()}
    assert found["Bronze credentials"].remedy == "log in."
    assert "Bronze bucket" not in found
    assert found["lake bucket"].verdict == "ok"
    monkeypatch.setattr(doctor, "default_client", none)
    assert [one.verdict for one in patient.diagnoses()] == ["failed"]
    assert google.store.objects == {}
