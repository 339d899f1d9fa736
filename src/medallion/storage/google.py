"""Objects in a bucket of Google Cloud Storage, kept by the genuine client.

What was seen with google-cloud-storage 3.1.1, and what is done about it:

- The client repeats an upload whose answer was lost and is then told 412, as if another writer
  had been faster. Every object names its writer, so a refusal is checked before it is believed.
- An object in a bucket that does not exist looks like an absent object. The bucket is asked for
  when something is absent, until it was seen once.
- Nothing has a timeout of its own for the whole of a call, so every call is given one.
- The checksum that the server has computed is compared with ours, for what goes up and down.
"""

from __future__ import annotations

import base64
import os
import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import AbsentError, ChangedError, ExistsError, StorageError, shown
from medallion.storage.filesystem import Entry, Stored, check_key, drafted
from medallion.storage.patience import patience, tell

if TYPE_CHECKING:
    from google.api_core.exceptions import Forbidden
    from google.cloud.storage import Blob, Client

# Seconds: to connect, and to wait for an answer.
_CONNECT, _ANSWER = 10.0, 60.0
_CHUNK = 1 << 20
_WRITER = "medallion-writer"
#: Names the file of a service account that reads Bronze, if that is not the run's own.
BRONZE_CREDENTIALS = "MEDALLION_BRONZE_CREDENTIALS"
_READ_ONLY = "https://www.googleapis.com/auth/devstorage.read_only"
# What the service refuses for other reasons than a missing right, by the reason that it gives.
_RULES = {
    "retentionPolicyNotMet": "a retention rule of the bucket or of the object keeps it",
    "objectUnderActiveHold": "a hold is on the object",
}
_LIMITS = {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"}
_UNTIL = re.compile(r"until (\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)")
_LISTED = "items(name,size,generation,updated),prefixes,nextPageToken"


class GoogleStorage:
    """Objects below a prefix of a bucket.

    Args:
        root: Where, such as `gs://bucket/lake`.
        client: The client; by default one with Application Default Credentials.
    """

    def __init__(self, root: str, client: Client | None = None) -> None:
        bucket, _, prefix = root.removeprefix("gs://").partition("/")
        self.root = root.rstrip("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = client or default_client()
        self._bucket = self._client.bucket(bucket)
        self._is_known = False

    def read(self, key: str) -> Stored:
        """See `Storage.read`."""
        blob = self._blob(key)
        with self._explained(key):
            data = blob.download_as_bytes(checksum="crc32c", **_patience())
        return Stored(data, str(blob.generation))

    def create(self, key: str, data: bytes) -> str:
        """See `Storage.create`."""
        return self._put(key, data, 0, self._exists_already(key))

    def swap(self, key: str, data: bytes, version: str) -> str:
        """See `Storage.swap`."""
        return self._put(key, data, int(version), self._was_changed(key))

    def write(self, key: str, data: bytes) -> str:
        """See `Storage.write`."""
        return self._put(key, data, None, StorageError(f"{self._url(key)} cannot be written."))

    def append(self, key: str, data: bytes) -> None:
        """See `Storage.append`; objects cannot grow, so the whole is written again."""
        try:
            before = self.read(key)
        except AbsentError:
            self.create(key, data)
        else:
            self.swap(key, before.data + data, before.version)

    def upload(self, source: Path, key: str) -> str:
        """See `Storage.upload`."""
        # The upload of a large file is refused at its end only, after all bytes were sent.
        if self._generation(key) is not None:
            raise self._exists_already(key)

        def send(blob: Blob, **conditions: Any) -> None:
            blob.upload_from_filename(str(source), checksum="crc32c", **conditions)

        with source.open("rb") as file:
            chunks = iter(partial(file.read, _CHUNK), b"")
            return self._send(key, send, _crc32c(chunks), 0, self._exists_already(key))

    def download(self, key: str, target: Path) -> None:
        """See `Storage.download`."""
        with drafted(target) as draft:
            with self._explained(key):
                self._blob(key).download_to_filename(str(draft), checksum="crc32c", **_patience())
            draft.replace(target)

    def listed(self, prefix: str = "") -> Iterator[Entry]:
        """See `Storage.listed`."""
        with self._explained(prefix):
            for blob in self._client.list_blobs(
                self._bucket, prefix=f"{self._prefix}{prefix}", fields=_LISTED, **_patience()
            ):
                yield Entry(
                    key=blob.name.removeprefix(self._prefix),
                    size=int(blob.size),
                    version=str(blob.generation),
                    changed_ns=int(blob.updated.timestamp() * 1_000_000) * 1_000,
                )

    def folders(self, within: str = "") -> list[str]:
        """See `Storage.folders`."""
        prefix = f"{self._prefix}{within}"
        with self._explained(within):
            found = self._client.list_blobs(
                self._bucket, prefix=prefix, delimiter="/", fields=_LISTED, **_patience()
            )
            for _ in found:
                """The folders are known when the last page was read."""
            return sorted(folder.removeprefix(prefix).rstrip("/") for folder in found.prefixes)

    def delete(self, key: str, version: str | None = None) -> None:
        """See `Storage.delete`."""
        from google.api_core.exceptions import NotFound, PreconditionFailed

        stands = self._generation(key)
        if stands is None:
            return
        if version is not None and stands != int(version):
            raise self._was_changed(key)
        with self._explained(key):
            try:
                self._blob(key).delete(if_generation_match=stands, **_patience())
            except NotFound:
                # Somebody else, or the first try of this call, has removed it.
                return
            except PreconditionFailed as error:
                raise self._was_changed(key) from error

    def _put(self, key: str, data: bytes, expected: int | None, refused: StorageError) -> str:
        def send(blob: Blob, **conditions: Any) -> None:
            blob.upload_from_string(data, checksum="crc32c", **conditions)

        return self._send(key, send, _crc32c([data]), expected, refused)

    def _send(
        self,
        key: str,
        send: Callable[..., None],
        checksum: str,
        expected: int | None,
        refused: StorageError,
    ) -> str:
        """Writes an object if that which stands is as expected.

        Args:
            key: Its key.
            send: Sends the bytes.
            checksum: The CRC32C of the bytes, which the server's must equal.
            expected: The generation that must stand, 0 for none, None for any.
            refused: What is raised if it is another one.
        """
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(key)
        blob.metadata = {_WRITER: uuid.uuid4().hex}
        conditions = {} if expected is None else {"if_generation_match": expected}
        with self._explained(key):
            try:
                send(blob, **conditions, **_patience())
            except PreconditionFailed as error:
                stands = self._bucket.get_blob(blob.name, **_patience())
                if stands is None or stands.metadata != blob.metadata:
                    raise refused from error
                return str(stands.generation)
            if blob.crc32c != checksum:
                blob.delete(if_generation_match=blob.generation, **_patience())
                raise self._was_bent(key)
        return str(blob.generation)

    def _generation(self, key: str) -> int | None:
        with self._explained(key):
            found = self._bucket.get_blob(self._blob(key).name, **_patience())
            if found is None:
                self._expect_bucket()
            return None if found is None else int(found.generation)

    def _blob(self, key: str) -> Blob:
        check_key(key)
        return self._bucket.blob(f"{self._prefix}{key}")

    def _url(self, key: str) -> str:
        return f"{self.root}/{key}"

    def _exists_already(self, key: str) -> ExistsError:
        return ExistsError(f"{self._url(key)} is there already.")

    def _was_changed(self, key: str) -> ChangedError:
        return ChangedError(f"{self._url(key)} was changed meanwhile.")

    def _was_bent(self, key: str) -> StorageError:
        return StorageError(
            f"{self._url(key)} did not arrive as it was sent: its checksum is another one.",
            hint="run again; if it stays so, something on the way changes data.",
        )

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        """The client's errors, for people."""
        from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage.exceptions import DataCorruption
        from requests import RequestException

        url = self._url(key)
        try:
            yield
        except NotFound as error:
            self._expect_bucket()
            raise AbsentError(f"{url} is not there.") from error
        except Forbidden as error:
            raise _refused(url, error) from error
        except DataCorruption as error:
            raise self._was_bent(key) from error
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            raise StorageError(
                f"{url} cannot be reached ({type(error).__name__}).",
                hint="look at the network, the credentials and the name, and run again.",
            ) from error

    def _expect_bucket(self) -> None:
        from google.api_core.exceptions import Forbidden, NotFound

        if self._is_known:
            return
        try:
            self._client.get_bucket(self._bucket.name, **_patience())
        except NotFound as error:
            raise StorageError(
                f"There is no bucket {self._bucket.name}.",
                hint="look at the names of the buckets in the environment's variables.",
            ) from error
        except Forbidden:
            # Who may not see the bucket may still use its objects.
            return
        self._is_known = True


def _refused(url: str, error: Forbidden) -> StorageError:
    """What is said of a refusal: a rule, a limit, or a right that is missing."""
    reasons = _reasons(error)
    if rule := next((_RULES[one] for one in reasons if one in _RULES), ""):
        until = _UNTIL.search(str(error))
        return StorageError(
            f"{url} cannot be replaced or deleted: {rule}{f' until {until[1]}' if until else ''}.",
            hint="pointer (_latest.json), lease and index are replaced all the time: the lake needs"
            " a bucket without retention and holds. `kedro lake doctor --env ENV` says which rule"
            " the bucket has.",
        )
    if limit := next((one for one in reasons if one in _LIMITS), ""):
        return StorageError(
            f"{url} is refused: a limit of the project or of the bucket is reached ({limit}).",
            hint="wait and run again; if it stays so, look at the project's quotas.",
        )
    other = f" ({', '.join(reasons)})" if reasons else ""
    return StorageError(
        f"{url} is refused to these credentials{other}.",
        hint="give them a role on the bucket; who may not list is refused what is absent."
        " `kedro lake doctor --env ENV` says which right is missing.",
    )


def _reasons(error: Forbidden) -> list[str]:
    """The reasons that the service gives.

    Of uploads and downloads the client keeps the service's answer, but does not read it.
    """
    details: Any = error.errors
    if not details and error.response is not None:
        try:
            details = error.response.json()["error"]["errors"]
        except (ValueError, LookupError, TypeError):
            return []
    return [str(one["reason"]) for one in details if isinstance(one, dict) and "reason" in one]


def _crc32c(chunks: Iterable[bytes]) -> str:
    """The checksum of some bytes, as the server writes it."""
    from google_crc32c import Checksum

    checksum = Checksum()
    for chunk in chunks:
        checksum.update(chunk)
    return base64.b64encode(checksum.digest()).decode()


def default_client() -> Client:
    """The client of Application Default Credentials.

    Raises:
        StorageError: Google's clients are not installed, or there are no credentials.
    """
    with _with_credentials():
        from google.cloud.storage import Client

        return Client()


def reading_client() -> Client:
    """A client that can do nothing but read, whatever its account is allowed to.

    The account is that of the file which MEDALLION_BRONZE_CREDENTIALS names, or that of Application
    Default Credentials. What a person has logged in with keeps the scopes of the login.

    Raises:
        StorageError: Google's clients are not installed, or there are no such credentials.
    """
    with _with_credentials():
        from google.auth.credentials import Scoped
        from google.cloud.storage import Client
        from google.oauth2.service_account import Credentials

        if named := os.environ.get(BRONZE_CREDENTIALS):
            try:
                account = Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
                    named, scopes=[_READ_ONLY]
                )
            except (OSError, ValueError) as error:
                raise StorageError(
                    f"{BRONZE_CREDENTIALS} names {shown(named)}, which is no file of a service"
                    f" account that can be read ({type(error).__name__}).",
                    hint="name the JSON file of a service account that may read Bronze, or leave"
                    " the variable out: the run's own credentials read Bronze then.",
                ) from error
            return Client(project=account.project_id, credentials=account)
        own = Client()
        held = own._credentials  # noqa: SLF001 - the client does not give them away otherwise
        if not isinstance(held, Scoped):
            return own
        narrow = held.with_scopes([_READ_ONLY])  # type: ignore[no-untyped-call]
        return Client(project=own.project, credentials=narrow)


@contextmanager
def _with_credentials() -> Iterator[None]:
    """Says what is missing where a client cannot be made."""
    try:
        from google.auth.exceptions import GoogleAuthError

        yield
    except ImportError as error:
        raise StorageError(
            "Google's clients are not installed.",
            hint="install the extra gcp: `uv sync --extra gcp`, or `pip install '.[gcp]'` in the"
            " project's folder.",
        ) from error
    except (GoogleAuthError, OSError) as error:
        raise StorageError(
            f"There are no credentials for Google Cloud ({type(error).__name__}).",
            hint="run `gcloud auth application-default login`, or let"
            " GOOGLE_APPLICATION_CREDENTIALS name a service account's file.",
        ) from error


def _patience() -> dict[str, Any]:
    """Timeouts and repetitions of one call, in seconds."""
    from google.api_core.retry import Retry
    from google.cloud.storage.retry import DEFAULT_RETRY

    asked = patience()
    retry = Retry(
        predicate=DEFAULT_RETRY._predicate,  # noqa: SLF001 - what Google's client takes to pass
        initial=asked.delay,
        maximum=asked.cap,
        multiplier=asked.factor,
        timeout=asked.total,
        on_error=tell,
    )
    return {"timeout": (_CONNECT, _ANSWER), "retry": retry}
