"""What must be right of Google Cloud before a run can publish, looked at one by one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from medallion.errors import MedallionError
from medallion.storage.document import open_storage
from medallion.storage.google import BRONZE_CREDENTIALS, default_client, reading_client
from medallion.storage.layout import is_in_store
from medallion.storage.probing import expect_preconditions

if TYPE_CHECKING:
    from google.cloud.storage import Bucket, Client

Verdict = Literal["ok", "warning", "failed", "unknown"]
# What a run does in the lake's bucket; replacing an object needs the right to delete it.
_WRITING = (
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)
_READING = ("storage.objects.get", "storage.objects.list")
_MANY_SECONDS = 60
_ADC = "GOOGLE_APPLICATION_CREDENTIALS"
# Seconds: to connect, and to wait for an answer.
_PATIENCE = (10, 60)
_FREE_BYTES = 5 * 2**30


@dataclass(frozen=True)
class Diagnosis:
    """What one look has found.

    Attributes:
        about: What was looked at.
        verdict: How it is.
        found: What was found.
        remedy: What to do, if it is not as it should be.
    """

    about: str
    verdict: Verdict
    found: str
    remedy: str = ""


@dataclass(frozen=True)
class Doctor:
    """Looks at what an environment needs; changes nothing but objects of its own, which go again.

    Attributes:
        bronze: Where Bronze is.
        lake: Where the lake is.
        cache: The folder of the cache.
        location: Where the buckets should be, such as `europe-west1`.
    """

    bronze: str
    lake: str
    cache: Path
    location: str

    def diagnoses(self) -> Iterator[Diagnosis]:
        """What was found, in the order in which it matters."""
        lake, found = _client_of("lake", default_client)
        yield found
        if lake is None:
            return
        if is_in_store(self.bronze):
            bronze, found = _client_of("Bronze", reading_client)
            yield found
            if bronze:
                yield from self._bucket(bronze, "Bronze", self.bronze, _READING)
        yield from self._bucket(lake, "lake", self.lake, _WRITING)
        yield _told("preconditions", "kept", lambda: expect_preconditions(open_storage(self.lake)))
        yield self._clock(lake)
        yield self._disk()

    def _bucket(
        self, client: Client, about: str, url: str, rights: Iterable[str]
    ) -> Iterator[Diagnosis]:
        name = _bucket_of(url)
        try:
            bucket = client.get_bucket(name, timeout=_PATIENCE)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was found
            yield Diagnosis(
                f"{about} bucket",
                "failed",
                f"{name} cannot be seen ({type(error).__name__})",
                "look at its name in the environment's variables, and whether the credentials"
                " may see it (roles/storage.bucketViewer).",
            )
            return
        yield Diagnosis(f"{about} bucket", "ok", name)
        yield _rights(bucket, about, tuple(rights))
        yield self._place(bucket, about)
        if about == "lake":
            yield _retention(bucket)
            yield _soft_delete(bucket)
            yield _versions(bucket)

    def _place(self, bucket: Bucket, about: str) -> Diagnosis:
        where = str(bucket.location or "unknown")
        if where.lower() == self.location.lower():
            return Diagnosis(f"{about} location", "ok", where)
        if about != "lake":
            return Diagnosis(
                f"{about} location",
                "warning",
                f"{where}, not {self.location}",
                "reading it costs what traffic between regions costs.",
            )
        return Diagnosis(
            f"{about} location",
            "failed",
            f"{where}, not {self.location}",
            "BigQuery loads only from buckets of its own location: set the location variable to"
            f" {where}, or use a bucket in {self.location}.",
        )

    def _clock(self, client: Client) -> Diagnosis:
        answer = client._http.get(f"{client._connection.API_BASE_URL}/", timeout=10)  # noqa: SLF001
        told = answer.headers.get("Date")
        if not told:
            return Diagnosis("clock", "unknown", "the store does not tell the time")
        off = abs((datetime.now(UTC) - parsedate_to_datetime(told)).total_seconds())
        if off <= _MANY_SECONDS:
            return Diagnosis("clock", "ok", f"{off:.0f} s off the store's")
        return Diagnosis(
            "clock",
            "failed",
            f"{off:,.0f} s off the store's",
            "set it by NTP: leases and tokens count by it.",
        )

    def _disk(self) -> Diagnosis:
        folder = next(one for one in (self.cache, *self.cache.parents) if one.exists())
        free = shutil.disk_usage(folder).free
        said = f"{free / 2**30:,.1f} GiB free for {self.cache}"
        if free >= _FREE_BYTES:
            return Diagnosis("disk", "ok", said)
        return Diagnosis(
            "disk", "warning", said, "point MEDALLION_CACHE_ROOT at a larger disk, or clear it."
        )


def _client_of(about: str, make: Callable[[], Client]) -> tuple[Client | None, Diagnosis]:
    """A client, and whose credentials it has."""
    name = f"{about} credentials"
    try:
        made = make()
    except MedallionError as error:
        return None, Diagnosis(name, "failed", error.message, error.hint)
    return made, Diagnosis(name, "ok", _described(about, made))


def _described(about: str, client: Client) -> str:
    """Whose credentials a client has, where they come from, and whether they can only read."""
    from google.auth.credentials import AnonymousCredentials, Scoped

    held = client._credentials  # noqa: SLF001 - the client does not give them away otherwise
    if isinstance(held, AnonymousCredentials):
        return "none: a stand-in of Google's servers asks for no credentials"
    kind = type(held).__module__
    if about == "Bronze" and os.environ.get(BRONZE_CREDENTIALS):
        source = f"named by {BRONZE_CREDENTIALS}"
    elif "compute_engine" in kind:
        source = "given by this machine"
    elif os.environ.get(_ADC):
        source = f"named by {_ADC}"
    else:
        source = "of the login with gcloud"
    who = getattr(held, "service_account_email", None) or f"a person ({kind})"
    reads = ", for reading only" if about == "Bronze" and isinstance(held, Scoped) else ""
    return f"{who}, {source}, project {client.project or 'not named'}{reads}"


def _rights(bucket: Bucket, about: str, rights: tuple[str, ...]) -> Diagnosis:
    try:
        held = bucket.test_iam_permissions(list(rights), timeout=_PATIENCE)
    except Exception as error:  # noqa: BLE001 - stand-ins do not know the call
        return Diagnosis(f"{about} rights", "unknown", f"not told ({type(error).__name__})")
    if lacking := sorted({*rights} - {*held}):
        return Diagnosis(
            f"{about} rights",
            "failed",
            f"{', '.join(lacking)} not granted",
            "grant roles/storage.objectUser on the lake's bucket (replacing the pointer needs the"
            " right to delete), roles/storage.objectViewer on Bronze's.",
        )
    return Diagnosis(f"{about} rights", "ok", ", ".join(rights))


def _retention(bucket: Bucket) -> Diagnosis:
    period, is_held = bucket.retention_period, bucket.default_event_based_hold
    if not period and not is_held:
        return Diagnosis("lake retention", "ok", "no rule keeps objects")
    return Diagnosis(
        "lake retention",
        "failed",
        "a default hold" if is_held else f"objects are kept for {period:,} s",
        "take the rule off the lake's bucket, or use another bucket: pointer and lease are"
        " replaced, and `kedro lake gc` deletes.",
    )


def _soft_delete(bucket: Bucket) -> Diagnosis:
    seconds = _kept_seconds(bucket)
    if seconds is None:
        return Diagnosis(
            "lake soft delete",
            "unknown",
            "the bucket does not say for how long it keeps what was deleted",
            "Google's default is 7 days, in which it is paid for; 0 saves that.",
        )
    if not seconds:
        return Diagnosis("lake soft delete", "ok", "off: what is deleted is free at once")
    return Diagnosis(
        "lake soft delete",
        "warning",
        f"what is deleted is kept and paid for, for {_days(seconds)}",
        "states can be gone back to without it: set it to 0 to save the bytes.",
    )


def _versions(bucket: Bucket) -> Diagnosis:
    if not bucket.versioning_enabled:
        return Diagnosis("lake versions", "ok", "old versions are not kept")
    return Diagnosis(
        "lake versions",
        "warning",
        "old versions of objects are kept and paid for, without end",
        "states can be gone back to without it: turn Object Versioning off, or add a lifecycle"
        " rule that deletes noncurrent versions.",
    )


def _kept_seconds(bucket: Bucket) -> int | None:
    """How long a bucket keeps what was deleted; None if it does not say so."""
    seconds = bucket.soft_delete_policy.retention_duration_seconds
    return None if seconds is None else int(seconds)


def _days(seconds: int) -> str:
    days = seconds / 86_400
    return f"{days:g} {'day' if days == 1 else 'days'}"


def when_freed(lake: str, today: date) -> str:
    """Until when what is deleted from a lake's bucket today is paid for, for people."""
    try:
        bucket = default_client().get_bucket(_bucket_of(lake), timeout=_PATIENCE)
    except Exception as error:  # noqa: BLE001 - it was deleted, whatever can be said of it
        return (
            "The bucket may keep what was deleted for some days, in which it is paid for: that"
            f" cannot be looked up ({type(error).__name__})."
        )
    if bucket.versioning_enabled:
        return (
            "The bucket keeps old versions of objects: what was deleted is paid for until a"
            " lifecycle rule of the bucket deletes it."
        )
    seconds = _kept_seconds(bucket)
    if seconds is None:
        return (
            "The bucket does not say for how long it keeps what was deleted (soft delete);"
            " Google's default is 7 days, in which it is paid for."
        )
    if not seconds:
        return "The bucket has no soft delete: the space is free now."
    until = today + timedelta(seconds=seconds)
    return (
        f"The bucket keeps what was deleted for {_days(seconds)} (soft delete): it is paid for"
        f" until {until}."
    )


def _bucket_of(url: str) -> str:
    return url.removeprefix("gs://").partition("/")[0]


def _told(about: str, good: str, look: Callable[[], None]) -> Diagnosis:
    try:
        look()
    except MedallionError as error:
        return Diagnosis(about, "failed", error.message, error.hint)
    return Diagnosis(about, "ok", good)
