"""Which code and which configuration a run was made with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medallion.lake.manifest import fingerprint

_PROJECT = Path(__file__).resolve().parents[3]


def git_sha(project: Path = _PROJECT) -> str | None:
    """The commit that is checked out, read without running git; None outside a repository.

    `GIT_SHA` or `GITHUB_SHA` say it where there is no repository, as in an image.
    """
    named = os.environ.get("GIT_SHA") or os.environ.get("GITHUB_SHA")
    return named or _head(project / ".git")


def code_version() -> str:
    """The version of the package."""
    return version("medallion")


def config_hash(parameters: Mapping[str, Any], files: list[Path]) -> str:
    """A fingerprint of the parameters of a run and of the configuration files it reads."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(files)}
    return fingerprint([parameters, sorted(texts.items())])


def _head(git: Path) -> str | None:
    if git.is_file():  # a worktree names its folder
        git = (git.parent / git.read_text(encoding="utf-8").partition(":")[2].strip()).resolve()
    head = _text(git / "HEAD")
    if head is None or not head.startswith("ref: "):
        return head
    reference = head.removeprefix("ref: ")
    common = _text(git / "commondir")
    root = (git / common).resolve() if common else git
    return _text(root / reference) or _packed(root, reference)


def _packed(root: Path, reference: str) -> str | None:
    for line in (_text(root / "packed-refs") or "").splitlines():
        sha, _, name = line.partition(" ")
        if name == reference:
            return sha
    return None


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None
