"""Keeping a cache of large files within its bounds: what was used longest ago goes first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def evict(folders: Iterable[Path], most_bytes: int, *, empty: bool = False) -> int:
    """Takes files out of folders until all of them together are small enough.

    Args:
        folders: Folders whose files can be brought again.
        most_bytes: What may stay.
        empty: Leave an empty file, where a name says that there is something to bring.

    Returns:
        How many bytes were freed.
    """
    found: list[tuple[float, int, Path]] = []
    for folder in folders:
        for path in folder.rglob("*.parquet"):
            stat = path.stat()
            if stat.st_size and path.is_file():
                found.append((max(stat.st_atime, stat.st_mtime), stat.st_size, path))
    held, freed = sum(size for _, size, _ in found), 0
    for _, size, path in sorted(found):
        if held - freed <= most_bytes:
            break
        if empty:
            os.truncate(path, 0)
        else:
            path.unlink()
        freed += size
    return freed
