"""Putting one folder in the place of another so that no reader ever sees neither."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from functools import cache
from pathlib import Path

from medallion.errors import LakeError

# Beside a partition, for as long as its content is on its way between two file systems.
_COMING, _GOING = "_coming.", "_going."
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # linux/fs.h
_RENAME_SWAP = 2  # macOS: sys/stdio.h


def replace_folder(new: Path, live: Path) -> None:
    """Puts the content of `new` in the place of `live`.

    Linux and macOS exchange the two names in one step; elsewhere there is an instant without
    `live`, which the journal of a commit covers. If `live` is on another file system, the
    content is first copied to its side.

    Raises:
        LakeError: A folder above `live` is no folder, such as a link to a disk that is gone.
    """
    try:
        live.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise LakeError(
            f"{live.parent} cannot be written: a folder of that path is no folder, or a link to "
            "a place that is not there.",
            hint="mount the disk it is on, or put the link right.",
        ) from error
    try:
        _replace(new, live)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _replace(_copied_beside(new, live), live)


def remove_folder(live: Path, aside: Path) -> None:
    """Takes a folder away in one step; its content is afterwards at `aside`, or gone."""
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        live.rename(aside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        live.rename(live.with_name(f"{_GOING}{live.name}"))


def move_folder(source: Path, target: Path) -> None:
    """Moves a folder to another place, whatever is there; the content is always at one of them.

    On one file system that is a renaming.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    discard_folder(target)
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copied_beside(source, target).rename(target)
        discard_folder(source)


def discard_folder(folder: Path) -> None:
    """Removes a folder; it is there whole or not at all."""
    clear_beside(folder)
    if folder.exists():
        folder.rename(folder.with_name(f"{_GOING}{folder.name}"))
        clear_beside(folder)


def former_contents(new: Path, live: Path) -> list[Path]:
    """Where the former content of `live` may be, since `replace_folder` was called or cut short."""
    places = (new, live.with_name(f"{_COMING}{live.name}"))
    return [found for place in places for found in (place, _old(place))]


def clear_beside(live: Path) -> None:
    """Removes what a replacement or a removal has left beside a folder."""
    for prefix in (_COMING, _GOING):
        left = live.with_name(f"{prefix}{live.name}")
        if left.is_symlink():
            left.unlink()
        elif left.exists():
            shutil.rmtree(left)


def _copied_beside(new: Path, live: Path) -> Path:
    clear_beside(live)
    copy = live.with_name(f"{_COMING}{live.name}")
    shutil.copytree(new, copy)
    return copy


def _replace(new: Path, live: Path) -> None:
    if not live.exists():
        new.rename(live)
    elif not _exchange(new, live):
        aside = _old(new)
        live.rename(aside)
        new.rename(live)
        aside.rename(new)


def _old(new: Path) -> Path:
    return new.with_name(new.name + ".old")


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
