"""Small objects that the project keeps for itself: JSON of a known shape, and texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from medallion.errors import AbsentError, DocumentError
from medallion.storage.filesystem import LocalStorage, Storage
from medallion.storage.layout import is_in_store

_T = TypeVar("_T")


def open_storage(root: str | Path, *, read_only: bool = False) -> Storage:
    """The storage that a root names; the one place that chooses its implementation.

    Args:
        root: A folder, or a URL such as `gs://bucket/lake`.
        read_only: Whether nothing is to be written: an object store is asked for no right to it.
    """
    if is_in_store(root):
        from medallion.storage.google import GoogleStorage, reading_client

        return GoogleStorage(str(root), reading_client() if read_only else None)
    return LocalStorage(root)


@dataclass(frozen=True)
class Document:
    """A small object, read and replaced whole.

    Attributes:
        storage: Where it is kept.
        key: What it is called there.
    """

    storage: Storage
    key: str

    @classmethod
    def at(cls, path: str | Path) -> Document:
        """The document that a whole path names."""
        folder, _, name = str(path).rpartition("/")
        return cls(open_storage(folder or "."), name)

    def __str__(self) -> str:
        """Where it is, for people."""
        return f"{self.storage.root}/{self.key}"

    def exists(self) -> bool:
        """Whether it is there."""
        return self.content() is not None

    def content(self) -> bytes | None:
        """Its bytes; None if it is not there."""
        try:
            return self.storage.read(self.key).data
        except AbsentError:
            return None

    def read(self, shape: type[_T], default: _T) -> _T:
        """What it says, or the default where it is not there.

        Args:
            shape: The type of what it says.
            default: What counts as long as nobody has written it.

        Raises:
            DocumentError: It is no JSON, or JSON of another shape.
        """
        content = self.content()
        if content is None:
            return default
        try:
            return cast("_T", _adapter(cast("Any", shape)).validate_json(content))
        except ValidationError as error:
            raise DocumentError(
                f"{self} cannot be read: {problem_of(error)}.",
                hint="put it back from a copy, or remove it and run again.",
            ) from error

    def read_or(self, shape: type[_T], default: _T) -> _T:
        """What it says, or the default if that cannot be read either: its work is done again."""
        try:
            return self.read(shape, default)
        except DocumentError:
            return default

    def write(self, content: object, *, sort_keys: bool = True) -> None:
        """Replaces it by JSON, unless it says the same already."""
        self.write_text(json.dumps(content, indent=2, sort_keys=sort_keys) + "\n")

    def write_text(self, text: str) -> None:
        """Replaces it by a text, unless it says the same already."""
        if self.content() != text.encode():
            self.storage.write(self.key, text.encode())


@lru_cache(maxsize=64)
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def problem_of(error: ValidationError) -> str:
    """What is wrong, and where; without the value, which may be anybody's data."""
    first: Any = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "json_invalid":
        return "it is no JSON"
    where = ".".join(map(str, first["loc"]))
    return f"it does not say what it should ({where + ': ' if where else ''}{first['msg']})"
