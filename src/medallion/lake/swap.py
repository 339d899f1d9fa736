"""Putting one folder in the place of another so that no reader ever sees neither."""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_RENAME_SWAP = 2  # macOS: sys/stdio.h


def replace_folder(new: Path, live: Path) -> None:
    """Puts `new` in the place of `live`; the old content is afterwards at `new`, if any.

    Both must be on one file system. Linux and macOS exchange the two names in one step;
    elsewhere there is an instant without `live`, which the journal of a commit covers.
    """
    live.parent.mkdir(parents=True, exist_ok=True)
    if not live.exists():
        new.rename(live)
    elif not _exchange(new, live):
        aside = new.with_name(new.name + ".old")
        live.rename(aside)
        new.rename(live)
        aside.rename(new)


def _exchange(one: Path, other: Path) -> bool:
    call = _exchange_call()
    return call is not None and call(os.fsencode(one), os.fsencode(other))


@cache
def _exchange_call():  # type: ignore[no-untyped-def]  # noqa: ANN202
    """The platform's exchange of two names, or None where there is none."""
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        return lambda a, b: library.renameat2(_AT_FDCWD, a, _AT_FDCWD, b, _RENAME_EXCHANGE) == 0
    if sys.platform == "darwin" and hasattr(library, "renamex_np"):
        return lambda a, b: library.renamex_np(a, b, _RENAME_SWAP) == 0
    return None
