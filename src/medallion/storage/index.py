"""What is remembered of many small files, so that they need not be read again.

An index counts only while it is, to the last byte, what was written of the same thing by the same
code; else it is as good as none. An entry counts while the file it was read from is the very same:
same inode, size and times. A file that has just changed may change again within the same tick of
the file system's clock, and look the same afterwards. So nothing is remembered of a file before it
has been at rest for a while.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medallion.errors import StorageError
from medallion.storage.filesystem import Storage

logger = logging.getLogger(__name__)

#: Inode, size, and times of a file, or of several in a row.
Stamp = tuple[int, ...]
# Some file systems tell time in steps of two seconds.
_AT_REST_NS = 2_000_000_000


@dataclass(frozen=True)
class Index:
    """One index.

    Attributes:
        storage: Where it is kept; without one, nothing is.
        key: What it is called there.
        about: What it is an index of, and by which code; anything else is not believed.
    """

    storage: Storage | None
    key: str
    about: Sequence[str]

    def read(self) -> Any:
        """What it says, as JSON; None if there is none to be believed."""
        if self.storage is None:
            return None
        try:
            data = self.storage.read(self.key).data
        except (OSError, StorageError):
            return None
        header, _, body = data.partition(b"\n")
        return json.loads(body) if header == self._header(body) else None

    def write(self, content: object) -> bool:
        """Replaces it; one that cannot be written is no matter, as the files are read again.

        Returns:
            Whether it was written.
        """
        if self.storage is None:
            return False
        body = json.dumps(content).encode()
        try:
            self.storage.write(self.key, self._header(body) + b"\n" + body)
        except (OSError, StorageError) as error:
            logger.debug("The index %s could not be written: %s", self.key, error)
            return False
        return True

    def _header(self, body: bytes) -> bytes:
        return json.dumps([*self.about, hashlib.sha256(body).hexdigest()]).encode()


def stamp_of(path: str) -> Stamp:
    """The stamp of a file or folder; nothing if it is not there."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - making paths of all takes as long as this
    except (OSError, ValueError):  # a manifest may name what no file can be called
        return ()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def is_at_rest(stamp: Stamp) -> bool:
    """Whether a file has not changed for so long that its next change will show."""
    return bool(stamp) and stamp[3] < time.time_ns() - _AT_REST_NS
