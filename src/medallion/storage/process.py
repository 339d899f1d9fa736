"""What a process is called where others read of it, and whether it is known to be dead."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from functools import cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_PARTS = 2


def this_process() -> str:
    """Host, process id, and what tells the process from all others that have both.

    Containers may share the name of their host, and in each of them the first process is 1.
    """
    pid = os.getpid()
    return f"{socket.gethostname()}-{pid}-{numbering()}{_token(pid)}"


def is_dead(process: str) -> bool:
    """Whether a process that is called so is gone; of another machine's nobody can say.

    Args:
        process: What `this_process` said there.
    """
    parts = process.rsplit("-", _PARTS)
    if len(parts) <= _PARTS or not parts[2].startswith(numbering()):
        return False
    return parts[0] == socket.gethostname() and parts[1].isdecimal() and is_gone(int(parts[1]))


def is_gone(pid: int) -> bool:
    """Whether there is no process of this id, where this process sees ids."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@cache
def numbering() -> str:
    """Where process ids mean the same as here: a machine since it was started, or a container."""
    try:
        known = f"{_BOOT.read_text(encoding='ascii')}{_NAMESPACE.readlink()}"
    # Other systems than Linux have no containers that number processes anew.
    except OSError:
        known = ""
    return hashlib.sha256(known.encode()).hexdigest()[:4]


@cache
def _token(pid: int) -> str:  # noqa: ARG001 - a process that was forked off has one of its own
    return secrets.token_hex(2)
