"""Which files and folders are nobody's data: what writers and systems leave beside them."""

from __future__ import annotations

# What file managers leave wherever somebody has looked, in lower case.
_LITTER = frozenset(
    {
        "$recycle.bin",
        "desktop.ini",
        "ehthumbs.db",
        "icon\r",
        "lost+found",
        "system volume information",
        "thumbs.db",
    }
)


def is_hidden(name: str) -> bool:
    """Whether a file or a folder is nobody's data.

    Its name begins with `.` or `_`, or is one that systems use for files of their own.
    """
    return name.startswith((".", "_")) or name.lower() in _LITTER
