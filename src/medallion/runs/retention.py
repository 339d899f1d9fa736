"""Keeping the newest files of a folder that every run adds to."""

from __future__ import annotations

from pathlib import Path


def keep_newest(folder: Path, pattern: str, keep: int) -> None:
    """Removes all but the newest files that match; a file that is gone already is no matter."""
    found = [(path.stat().st_mtime_ns, path) for path in folder.glob(pattern)]
    for _, path in sorted(found, reverse=True)[keep:]:
        path.unlink(missing_ok=True)
