"""Reading the file of a suite: plain values by name, or what is wrong and where."""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterator
from pathlib import Path

import yaml

from medallion.spec import read_yaml, yaml_problem

# Deeper, or with more parts, is no expectation: aliases that repeat each other, or themselves.
_DEEPEST = 20
_MOST_PARTS = 100_000
_OTHER_TEXT = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


class NotReadableError(ValueError):
    """A file that cannot be read as YAML; the message says why, and not which file."""


def text_of(path: Path) -> str:
    """The text of a file.

    Raises:
        NotReadableError: It cannot be opened, or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise NotReadableError(f"cannot be read ({error.strerror or error})") from error
    for mark, name in _OTHER_TEXT:
        if content.startswith(mark):
            raise NotReadableError(f"is {name} text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise NotReadableError(f"is not UTF-8 text (line {line}); save it as UTF-8") from error


def values_of(text: str) -> object:
    """What a YAML text says: mappings by text, lists, text, numbers, booleans and null.

    Raises:
        NotReadableError: It is no YAML, or says something else.
    """
    try:
        content: object = read_yaml(text)
    except yaml.YAMLError as error:
        raise NotReadableError(yaml_problem(error)) from error
    for part, problem in enumerate(_strange(content, "", 0)):
        if problem:
            raise NotReadableError(problem)
        if part > _MOST_PARTS:
            more = f"holds more than {_MOST_PARTS:,} values; its aliases repeat others"
            raise NotReadableError(more)
    return content


def _strange(value: object, place: str, depth: int) -> Iterator[str]:
    """What is wrong with each part of a value, in order; empty for one that is plain."""
    where = f"{place}: " if place else ""
    if depth > _DEEPEST:
        yield f"{where}is nested more than {_DEEPEST} levels deep"
    elif isinstance(value, dict):
        for key, part in value.items():
            yield "" if isinstance(key, str) else f"{where}{key!r} is no name; names are text"
            yield from _strange(part, f"{place}.{key}" if place else str(key), depth + 1)
    elif isinstance(value, list):
        for number, part in enumerate(value, start=1):
            within = f"{place}, no. {number}" if place else f"no. {number}"
            yield from _strange(part, within, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{where}is {value}, which nothing is below, above or equal to; write a number"
    else:
        is_plain = value is None or isinstance(value, (str, int, float, bool))
        yield "" if is_plain else f"{where}is a {type(value).__name__}; write text or a number"
