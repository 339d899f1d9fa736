"""The manifest of a Bronze partition, as any writer may have written it.

Ours lists `files` with `path` and `rows`, and their sum as `total_rows`. Other writers leave the
sum out, write counts as text, and name files as they know them: by the path below the partition,
below the Bronze root or below a bucket, absolute, or as Windows does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from medallion.errors import LakeError
from medallion.lake.names import is_hidden, is_utf8, printable

Exists = Callable[[str], bool]
_WHOLE = re.compile(r"\s*(\d{1,18})(\.0*)?\s*")
_SHOWN = 60


class ManifestError(LakeError):
    """A manifest is not one; the message is a sentence without its subject."""


def read_manifest(content: bytes, folder: str, exists: Exists) -> dict[str, int]:
    """The files that a manifest lists, as paths below the partition, and the rows of each.

    Args:
        content: The manifest as it is stored.
        folder: The name of the partition's folder.
        exists: Whether the partition holds a file of that name; asked only if a listed path can
            be understood in more than one way.

    Raises:
        ManifestError: It is no manifest; the message names the field.
    """
    manifest = _parsed(content)
    files = manifest.get("files")
    if not isinstance(files, list):
        raise ManifestError(f"has no list `files`, but {_shown(files)}")
    rows: dict[str, int] = {}
    for place, entry in enumerate(files):
        name, count = _file(entry, f"files[{place}]", folder, exists)
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


def _file(entry: Any, where: str, folder: str, exists: Exists) -> tuple[str, int]:
    if not isinstance(entry, dict):
        raise ManifestError(
            f"holds in {where} no object with `path` and `rows`, but {_shown(entry)}"
        )
    path = entry.get("path")
    if not isinstance(path, str) or not path.strip():
        raise ManifestError(f"names in {where}.path no file, but {_shown(path)}")
    name = _inside(path, folder, exists)
    if not name or not is_utf8(name) or "\0" in name:
        raise ManifestError(f"names in {where}.path no file of the partition: {_shown(path)}")
    if any(is_hidden(part) for part in name.split("/")):
        raise ManifestError(
            f"lists {printable(name)}; names that begin with `.` or `_` are not data"
        )
    return name, _count(entry.get("rows"), f"{where}.rows")


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


def _inside(path: str, folder: str, exists: Exists) -> str:
    """A listed path as the path below its partition."""
    possible = list(dict.fromkeys(_readings(path.strip(), folder)))
    if len(possible) == 1:
        return possible[0]
    return next((name for name in possible if exists(name)), possible[0] if possible else "")


def _readings(path: str, folder: str) -> Iterable[str]:
    """The ways to understand a listed path, the likeliest first; none leaves the partition."""
    for written in (path, unquote(path), path.replace("\\", "/"), unquote(path).replace("\\", "/")):
        parts = [part for part in written.split("/") if part not in ("", ".")]
        below = _after(parts, {folder, unquote(folder)})
        if below and ".." not in below:
            yield "/".join(below)
        elif parts and ".." not in parts and not _is_absolute(written):
            yield "/".join(parts)
    yield re.split(r"[/\\]", path)[-1]


def _after(parts: list[str], folders: set[str]) -> list[str]:
    """What follows the last part that names the partition's folder."""
    places = [place for place, part in enumerate(parts) if part in folders]
    return parts[places[-1] + 1 :] if places else []


def _is_absolute(path: str) -> bool:
    return path.startswith("/") or bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path))


def _shown(value: Any) -> str:
    """A value of a manifest in a sentence: cut short, on one line."""
    if value is None:
        return "nothing"
    text = printable(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
