"""One run at a time per lake."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from filelock import FileLock, Timeout

from medallion.errors import LockedError


class LakeLock:
    """A lock that names its holder and dies with it.

    The operating system holds it, so a killed run leaves nothing to clear.

    Args:
        root: The lake's root.
        holder: The run that wants it.
    """

    def __init__(self, root: Path, holder: str) -> None:
        self._lock = FileLock(root / "_LOCK")
        self._note = root / "_LOCK.json"
        self._holder = holder

    def acquire(self) -> None:
        """Takes the lock or says who has it.

        Raises:
            LockedError: Another run is at work on this lake.
        """
        self._note.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise LockedError(
                f"Another run is at work on {self._note.parent}: {self._who()}.",
                hint="wait for it to end, or stop it; the lock goes with its process.",
            ) from error
        facts = {"run_id": self._holder, "pid": os.getpid(), "host": socket.gethostname()}
        self._note.write_text(json.dumps(facts), encoding="utf-8")

    def release(self) -> None:
        """Gives the lock back."""
        if self._lock.is_locked:
            self._note.unlink(missing_ok=True)
            self._lock.release()

    def _who(self) -> str:
        try:
            facts = json.loads(self._note.read_text(encoding="utf-8"))
            return f"run {facts['run_id']}, process {facts['pid']} on {facts['host']}"
        except (OSError, ValueError, KeyError):
            return "a run that is just starting"


def holder(root: Path) -> str:
    """The run that is at work on a lake; empty if none is."""
    if not (root / "_LOCK").is_file():
        return ""
    lock = FileLock(root / "_LOCK")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        note = root / "_LOCK.json"
        return str(json.loads(note.read_text("utf-8"))["run_id"]) if note.is_file() else ""
    lock.release()
    return ""
