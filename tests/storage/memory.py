"""A store in memory: quick, with a clock of the test's own, and the laws of every store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import RLock

from medallion.errors import AbsentError, ChangedError, ExistsError
from medallion.storage import Entry, Stored
from medallion.storage.filesystem import check_key


class Memory:
    """Objects by key, each with the number of the write that made it, and its time.

    Args:
        objects: What is in it.
        count: How many writes there were.
        now: The clock, in nanoseconds since 1970.
    """

    root = "memory"

    def __init__(
        self,
        objects: Mapping[str, tuple[bytes, int, int]] | None = None,
        count: int = 0,
        now: Callable[[], int] = lambda: 0,
    ) -> None:
        self.objects, self.count = dict(objects or {}), count
        self._now = now
        self._lock = RLock()

    def read(self, key: str) -> Stored:
        with self._lock:
            if key not in self.objects:
                raise AbsentError(f"{key} is not there.")
            data, version, _ = self.objects[key]
            return Stored(data, str(version))

    def create(self, key: str, data: bytes) -> str:
        with self._lock:
            if key in self.objects:
                raise ExistsError(f"{key} is there already.")
            return self.write(key, data)

    def swap(self, key: str, data: bytes, version: str) -> str:
        with self._lock:
            self._expect(key, version)
            return self.write(key, data)

    def write(self, key: str, data: bytes) -> str:
        check_key(key)
        with self._lock:
            self.count += 1
            self.objects[key] = (data, self.count, self._now())
            return str(self.count)

    def append(self, key: str, data: bytes) -> None:
        with self._lock:
            self.write(key, self.objects.get(key, (b"", 0, 0))[0] + data)

    def upload(self, source: Path, key: str) -> str:
        return self.create(key, source.read_bytes())

    def download(self, key: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self.read(key).data)

    def listed(self, prefix: str = "") -> Iterator[Entry]:
        with self._lock:
            found = sorted((key, *held) for key, held in self.objects.items())
        for key, data, version, changed in found:
            if key.startswith(prefix):
                yield Entry(key, len(data), str(version), changed)

    def folders(self, within: str = "") -> list[str]:
        below = (entry.key.removeprefix(within) for entry in self.listed(within))
        return sorted({key.partition("/")[0] for key in below if "/" in key})

    def delete(self, key: str, version: str | None = None) -> None:
        with self._lock:
            if key in self.objects and version is not None:
                self._expect(key, version)
            self.objects.pop(key, None)

    def _expect(self, key: str, version: str) -> None:
        if key not in self.objects or str(self.objects[key][1]) != version:
            raise ChangedError(f"{key} was changed meanwhile.")
