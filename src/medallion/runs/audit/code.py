"""Which code and which configuration a run was made with."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from medallion.lake.manifest import fingerprint
from medallion.project import DBT, HOME, PACKAGE


def git_sha(project: Path = HOME) -> str | None:
    """The commit that is checked out, read without running git; None outside a repository.

    `GIT_SHA` or `GITHUB_SHA` say it where there is no repository, as in an image.
    """
    named = os.environ.get("GIT_SHA") or os.environ.get("GITHUB_SHA")
    return named or _head(project / ".git")


def code_version(package: Path = PACKAGE) -> str:
    """The version of the package and a fingerprint of its sources, committed or not."""
    roots = [(package, "**/*.py"), (DBT, "models/**/*.*"), (DBT, "macros/**/*.sql")]
    sources = [
        (path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        for root, pattern in roots
        for path in sorted(root.glob(pattern))
    ]
    return f"{version('medallion')}+{fingerprint(sources)[:8]}"


def config_hash(parameters: Mapping[str, Any], folders: Iterable[Path], spec: Path) -> str:
    """A fingerprint of what a run is configured with: parameters, spec, suites and catalog.

    Args:
        parameters: The parameters of the run.
        folders: The folders of configuration, the base first.
        spec: The spec.
    """
    files = [
        (path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8"))
        for folder in folders
        for kind in ("expectations", "catalog")
        for path in sorted(folder.glob(f"{kind}/**/*.yml"))
    ]
    return fingerprint([parameters, spec.read_text(encoding="utf-8"), files])


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
