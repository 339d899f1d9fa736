"""The verbs by which bytes are kept, and their implementation on a disk.

The laws hold for every implementation, and `tests/storage/test_laws.py` asks them of each:

- A reader finds an object whole, as it was before a write or after it.
- `create` succeeds for exactly one of several writers of the same key.
- `swap` succeeds only if the object is still the version that the writer has read.
- `upload` never replaces an object: files of data are immutable.
- An object has a new version after every write, and `listed` gives the version `read` gives.
- What was appended is at the end, in the order it was given, as long as one writer appends.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from medallion.errors import AbsentError, ChangedError, ExistsError, StorageError
from medallion.storage.process import is_gone, numbering

_LOCK = ".lock"
_DRAFT = ".draft"
# A key is a relative path; what could leave the root, or hide in it, is refused.
_PART = re.compile(r"[^/\x00]{1,200}")


@dataclass(frozen=True)
class Stored:
    """An object that was read.

    Attributes:
        data: Its bytes.
        version: Changes with every write; given back to `swap` and `delete`.
    """

    data: bytes
    version: str


@dataclass(frozen=True)
class Entry:
    """An object that was listed.

    Attributes:
        key: Its key.
        size: Its bytes.
        version: As `read` gives it.
        changed_ns: When it was written, in nanoseconds since 1970, UTC.
    """

    key: str
    size: int
    version: str
    changed_ns: int


class Storage(Protocol):
    """Objects by key, such as `_runs/2026-11-29T20.17/plan.json`, below one root."""

    root: str

    def read(self, key: str) -> Stored:
        """The object.

        Raises:
            AbsentError: There is none.
        """

    def create(self, key: str, data: bytes) -> str:
        """Writes an object that is not there yet.

        Returns:
            Its version.

        Raises:
            ExistsError: It is there; nothing was changed.
        """

    def swap(self, key: str, data: bytes, version: str) -> str:
        """Replaces an object that nobody has changed meanwhile.

        Returns:
            Its new version.

        Raises:
            ChangedError: It is another version now, or gone; nothing was changed.
        """

    def write(self, key: str, data: bytes) -> str:
        """Writes an object whatever was there: for keys that have one writer at a time."""

    def append(self, key: str, data: bytes) -> None:
        """Adds bytes to the end of an object, or makes it: for keys that have one writer."""

    def upload(self, source: Path, key: str) -> str:
        """Copies a file to an object that is not there yet.

        Raises:
            ExistsError: It is there; nothing was changed.
        """

    def download(self, key: str, target: Path) -> None:
        """Copies an object to a file, which appears whole.

        Raises:
            AbsentError: There is no such object.
        """

    def listed(self, prefix: str = "") -> Iterator[Entry]:
        """The objects whose keys begin with `prefix`, in the order of their keys."""

    def folders(self, within: str = "") -> list[str]:
        """What the keys below a folder begin with, up to their next `/`; each once, in order.

        Args:
            within: The folder, such as `_staging/`; by default the root.
        """

    def delete(self, key: str, version: str | None = None) -> None:
        """Removes an object; one that is gone already is no matter.

        Raises:
            ChangedError: It is not the version that was given.
        """


def is_key(key: str) -> bool:
    """Whether an object can have this key: it cannot leave the root, nor hide in it."""
    return all(_PART.fullmatch(part) and part not in (".", "..") for part in key.split("/"))


def check_key(key: str) -> list[str]:
    """The parts of a key.

    Raises:
        StorageError: It could leave the root, or hide in it.
    """
    if not is_key(key):
        raise StorageError(f"{key!r} cannot be the key of an object.")
    return key.split("/")


class LocalStorage:
    """Objects as files below a folder.

    Args:
        root: The folder; it is made with the first object.
    """

    def __init__(self, root: str | Path) -> None:
        self._folder = Path(root)
        self.root = str(root)

    def read(self, key: str) -> Stored:
        """See `Storage.read`."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                return Stored(file.read(), _version(os.fstat(file.fileno())))
        except FileNotFoundError as error:
            raise AbsentError(f"{path} is not there.") from error
        except IsADirectoryError as error:
            raise StorageError(
                f"{path} is a folder, and a file is expected there.", hint="move it away."
            ) from error

    def create(self, key: str, data: bytes) -> str:
        """See `Storage.create`."""
        with self._draft(key) as draft:
            draft.write_bytes(data)
            return self._put_new(draft, key)

    def swap(self, key: str, data: bytes, version: str) -> str:
        """See `Storage.swap`."""
        with self._alone(), self._draft(key) as draft:
            self._expect(key, version)
            draft.write_bytes(data)
            return self._put(draft, key)

    def write(self, key: str, data: bytes) -> str:
        """See `Storage.write`."""
        with self._draft(key) as draft:
            draft.write_bytes(data)
            return self._put(draft, key)

    def append(self, key: str, data: bytes) -> None:
        """See `Storage.append`."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(data)

    def upload(self, source: Path, key: str) -> str:
        """See `Storage.upload`."""
        with self._draft(key) as draft:
            shutil.copyfile(source, draft)
            return self._put_new(draft, key)

    def download(self, key: str, target: Path) -> None:
        """See `Storage.download`."""
        with drafted(target) as draft:
            try:
                shutil.copyfile(self._path(key), draft)
            except FileNotFoundError as error:
                raise AbsentError(f"{self._path(key)} is not there.") from error
            draft.replace(target)

    def listed(self, prefix: str = "") -> Iterator[Entry]:
        """See `Storage.listed`."""
        # What lies beside the folder of the prefix need not be looked at: a lake is large.
        above = prefix.rpartition("/")[0]
        found = (
            path.relative_to(self._folder).as_posix()
            for path in (self._path(above) if above else self._folder).rglob("*")
            if path.is_file() and not path.name.startswith(_LOCK[0])
        )
        for key in sorted(key for key in found if key.startswith(prefix)):
            with suppress(FileNotFoundError):  # Somebody has deleted it meanwhile.
                stat = self._path(key).stat()
                yield Entry(key, stat.st_size, _version(stat), stat.st_mtime_ns)

    def folders(self, within: str = "") -> list[str]:
        """See `Storage.folders`."""
        folder = self._path(within.rstrip("/")) if within else self._folder
        if not folder.is_dir():
            return []
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())

    def delete(self, key: str, version: str | None = None) -> None:
        """See `Storage.delete`."""
        if version is None:
            self._path(key).unlink(missing_ok=True)
            return
        with self._alone():
            if self._path(key).exists():
                self._expect(key, version)
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder.joinpath(*check_key(key))

    def _expect(self, key: str, version: str) -> None:
        path = self._path(key)
        found = _version(path.stat()) if path.exists() else None
        if found != version:
            raise ChangedError(f"{path} was changed meanwhile.")

    @contextmanager
    def _draft(self, key: str) -> Iterator[Path]:
        with drafted(self._path(key)) as draft:
            yield draft

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Comparing and replacing are two steps on a disk, so writers take turns."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / _LOCK):
            yield

    def _put(self, draft: Path, key: str) -> str:
        version = _version(draft.stat())
        draft.replace(self._path(key))
        return version

    def _put_new(self, draft: Path, key: str) -> str:
        """A link to the draft appears whole, and only where no file is yet."""
        path = self._path(key)
        try:
            path.hardlink_to(draft)
        except FileExistsError as error:
            raise ExistsError(f"{path} is there already.") from error
        return _version(path.stat())


def clear_drafts(folder: Path) -> None:
    """Removes what processes of this machine have left in a folder that died while they wrote."""
    own = f".{socket.gethostname()}~{numbering()}~"
    for draft in folder.glob(f"{own}*{_DRAFT}"):
        pid = draft.name.removeprefix(own).partition("~")[0]
        if pid.isdecimal() and is_gone(int(pid)):
            draft.unlink(missing_ok=True)


def _draft_prefix() -> str:
    return f".{socket.gethostname()}~{numbering()}~{os.getpid()}~"


@contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """A file beside the one that is written, which is gone afterwards.

    Args:
        path: The file that the draft is to become; its folder is made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_draft_prefix(), suffix=_DRAFT, dir=path.parent)
    os.close(handle)
    draft = Path(name)
    draft.chmod(0o644)
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _version(stat: os.stat_result) -> str:
    return f"{stat.st_ino}-{stat.st_mtime_ns}-{stat.st_size}"
