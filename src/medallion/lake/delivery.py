"""The manifest of a Bronze partition, as any writer may have written it.

Ours lists `files` with `path` and `rows`, and their sum as `total_rows`. Other writers leave the
sum out, write counts as text, and name files as they know them: by the path below the partition,
below the Bronze root or below a bucket, absolute, or as Windows does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from medallion.errors import LakeError
from medallion.lake.names import is_day, is_utf8, printable
from medallion.storage.litter import is_hidden

Exists = Callable[[str], bool]
_WHOLE = re.compile(r"\s*(\d{1,18})(\.0*)?\s*")
_SHOWN = 60


class ManifestError(LakeError):
    """A manifest is not one; the message is a sentence without its subject."""


@dataclass(frozen=True)
class _Partition:
    """The partition that a manifest lies in.

    Attributes:
        folder: The name of its folder.
        exists: Whether it holds a file of that name.
        others: The names of other tables.
    """

    folder: str
    exists: Exists
    others: Collection[str]

    def below(self, parts: list[str]) -> list[str]:
        """What follows the last part that names the partition's folder."""
        place = self._place(parts)
        return [] if place is None or self.elsewhere(parts) else parts[place + 1 :]

    def elsewhere(self, parts: list[str]) -> str:
        """The other partition, or the other table, that a path leads into; else nothing."""
        place = self._place(parts)
        if place is not None:
            table = parts[place - 1] if place else ""
            return f"{table}/{self.folder}" if table in self.others else ""
        key, _, value = self.folder.partition("=")
        for part in parts[:-1]:
            written = part.partition("=")
            if written[0] == key and written[1] and written[2] != value:
                return part
        dated = parts[-2] if len(parts) > 1 else ""
        return dated if is_day(dated) and is_day(value) and dated != value else ""

    def _place(self, parts: list[str]) -> int | None:
        names = {self.folder, unquote(self.folder)}
        return max((n for n, part in enumerate(parts[:-1]) if part in names), default=None)


def read_manifest(
    content: bytes, folder: str, exists: Exists, others: Collection[str] = ()
) -> dict[str, int]:
    """The files that a manifest lists, as paths below the partition, and the rows of each.

    Args:
        content: The manifest as it is stored.
        folder: The name of the partition's folder.
        exists: Whether the partition holds a file of that name; asked only if a listed path can
            be understood in more than one way.
        others: The names of other tables, whose files are none of this partition.

    Raises:
        ManifestError: It is no manifest; the message names the field.
    """
    manifest = _parsed(content)
    files = manifest.get("files")
    if not isinstance(files, list):
        raise ManifestError(f"has no list `files`, but {_shown(files)}")
    partition = _Partition(folder, exists, others)
    rows: dict[str, int] = {}
    for place, entry in enumerate(files):
        name, count = _file(entry, f"files[{place}]", partition)
        if _is_nobodys(name):
            continue
        if name in rows:
            raise ManifestError(f"lists {printable(name)} twice")
        rows[name] = count
    _check_total(manifest.get("total_rows"), sum(rows.values()))
    return rows


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"is not valid JSON ({_reason(error)})") from error
    if not isinstance(manifest, dict):
        raise ManifestError(f"holds no JSON object, but {_shown(manifest)}")
    return manifest


def _reason(error: Exception) -> str:
    """What is wrong with the JSON, without the bytes themselves."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}: line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not {error.encoding}"
    return (
        "it is nested too deeply" if isinstance(error, RecursionError) else "a number is too long"
    )


def _file(entry: Any, where: str, partition: _Partition) -> tuple[str, int]:
    if not isinstance(entry, dict):
        raise ManifestError(
            f"holds in {where} no object with `path` and `rows`, but {_shown(entry)}"
        )
    path = entry.get("path")
    if not isinstance(path, str) or not path.strip():
        raise ManifestError(f"names in {where}.path no file, but {_shown(path)}")
    name = _inside(path, where, partition)
    if not name or not is_utf8(name) or "\0" in name:
        raise ManifestError(f"names in {where}.path no file of the partition: {_shown(path)}")
    said = entry.get("rows")
    if not _is_nobodys(name):
        return name, _count(said, f"{where}.rows")
    # Whoever lists the whole folder lists what writers leave beside the data, too.
    if said is not None and _count(said, f"{where}.rows"):
        raise ManifestError(
            f"lists {printable(name)}; names that begin with `.` or `_` are not data"
        )
    return name, 0


def _is_nobodys(name: str) -> bool:
    return any(is_hidden(part) for part in name.split("/"))


def _count(value: Any, field: str) -> int:
    """A number of rows, written as a number or as text."""
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        whole = _WHOLE.fullmatch(str(value))
        if whole:
            return int(whole[1])
    raise ManifestError(f"has in {field} no number of rows, but {_shown(value)}")


def _check_total(total: Any, rows: int) -> None:
    if total is None:
        return
    if (said := _count(total, "total_rows")) != rows:
        raise ManifestError(f"says total_rows {said:,}; the rows of its files add up to {rows:,}")


def _inside(path: str, where: str, partition: _Partition) -> str:
    """A listed path as the path below its partition.

    Raises:
        ManifestError: It leads into another partition, whose file may have the name of one here.
    """
    written = list(_written(path.strip()))
    possible = list(dict.fromkeys(_readings(written, partition)))
    other = "" if any(map(partition.below, written)) else _other(written, partition)
    if not other and len(possible) == 1:
        return possible[0]
    found = next((name for name in possible if partition.exists(name)), "")
    if other and not found:
        raise ManifestError(
            f"names in {where}.path a file of {printable(other)}, which is another partition:"
            f" {_shown(path)}"
        )
    return found or (possible[0] if possible else "")


def _written(path: str) -> Iterable[list[str]]:
    """The parts of a path: as it is written, decoded, and as Windows writes it."""
    for written in (path, unquote(path), path.replace("\\", "/"), unquote(path).replace("\\", "/")):
        parts = [part for part in written.split("/") if part not in ("", ".")]
        if parts:
            yield ["", *parts] if _is_absolute(written) else parts


def _other(written: Iterable[list[str]], partition: _Partition) -> str:
    """The other partition that some way to read a path leads into."""
    return next((other for parts in written if (other := partition.elsewhere(parts))), "")


def _readings(written: list[list[str]], partition: _Partition) -> Iterable[str]:
    """The ways to understand a listed path, the likeliest first; none leaves the partition.

    A path that says nothing of a partition means the file of its name.
    """
    is_placed = False
    for parts in written:
        below = partition.below(parts)
        if below and ".." not in below:
            is_placed = True
            yield "/".join(below)
        elif ".." not in parts and parts[0]:
            yield "/".join(parts)
    if written and not is_placed and not _other(written, partition):
        yield written[-1][-1]


def _is_absolute(path: str) -> bool:
    return path.startswith("/") or bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path))


def _shown(value: Any) -> str:
    """A value of a manifest in a sentence: cut short, on one line."""
    if value is None:
        return "nothing"
    text = printable(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
