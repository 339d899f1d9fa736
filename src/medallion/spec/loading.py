"""Reading `spec.yml`, with errors that name the file, the key, the value and what is allowed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from medallion.errors import SpecError
from medallion.spec.models import Spec


def load_spec(path: str | Path) -> Spec:
    """Reads a spec file; the same unchanged file is parsed once per process.

    Args:
        path: The YAML file.

    Returns:
        The spec as typed models.

    Raises:
        SpecError: The file is absent, is no YAML, or says something that cannot be.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{file} cannot be read: {error.strerror}") from error
    return parse_spec(text, str(file))


def read_yaml(text: str) -> Any:
    """Reads YAML safely, by the parser written in C: ten times faster at every start.

    Raises:
        yaml.YAMLError: It is none.
    """
    return yaml.load(text, Loader=yaml.CSafeLoader)


@lru_cache(maxsize=8)
def parse_spec(text: str, origin: str = "spec.yml") -> Spec:
    """Parses the text of a spec file; `origin` is the file named in errors."""
    try:
        raw = read_yaml(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{origin} is not valid YAML: {error}") from error
    try:
        return Spec.model_validate(raw)
    except ValidationError as error:
        raise SpecError(
            f"{origin} does not describe a valid spec:",
            details=[_line(problem) for problem in error.errors()],
            hint=f"correct the keys above in {origin}.",
        ) from error


def _line(problem: Any) -> str:
    key = ".".join(str(part) for part in problem["loc"]) or "(top level)"
    message = problem["msg"].removeprefix("Value error, ")
    value = problem["input"]
    shown = f" (found: {value!r})" if isinstance(value, (str, int, float, bool)) else ""
    return f"{key}: {message}{shown}"
