"""Reading `spec.yml`, with errors that name the file, the key, the value and what is allowed."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from medallion.errors import SpecError
from medallion.spec.models import Spec

# Levels of YAML that anybody writes are fewer than ten.
_DEEPEST = 200
_MANY_BRACKETS = 1000


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


class _Loader(yaml.CSafeLoader):
    """The parser written in C (ten times faster), without YAML's two traps.

    A repeated key is an error: YAML would keep the last value and drop the others. And only
    what looks like a number, a boolean or null to everybody is one: `on`, `NO`, `12:30`,
    `00501` and dates stay the text that was written, as in YAML 1.2.
    """

    yaml_implicit_resolvers = {}  # noqa: RUF012 - as PyYAML declares it

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping, whose keys differ."""
        lines: dict[Any, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if isinstance(key, Hashable) and key in lines:
                raise yaml.constructor.ConstructorError(
                    None, None, _repeated(key, lines[key], line), key_node.start_mark
                )
            if isinstance(key, Hashable):
                lines[key] = line
        return super().construct_mapping(node, deep=deep)


def _repeated(key: object, first: int, second: int) -> str:
    """What is wrong with a repeated key, on one line."""
    place = f"in lines {first} and {second}" if first != second else f"twice in line {first}"
    return f"the key '{key}' stands {place}; only the last would count: join them, or remove one"


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?",
        "-+0123456789.",
    ),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def read_yaml(text: str) -> Any:
    """Reads YAML safely and without surprises; see `_Loader`.

    Raises:
        yaml.YAMLError: It is none, repeats a key, is nested beyond reason, or has a tag that
            does not fit its value.
    """
    if _may_nest_deeply(text):
        _refuse_deep(text)
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    # What PyYAML lets out where a tag does not fit, as in `!!int five` or `!!map [1]`.
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise yaml.YAMLError("a tag such as !!int stands before a value of another kind") from error


def _may_nest_deeply(text: str) -> bool:
    """Whether a text could be nested deeply, by a look that is cheap."""
    brackets = text.count("[") + text.count("{")
    longest = max(
        (len(line) - len(line.lstrip()) + line.count("- ") + line.count("? "))
        for line in [*text.splitlines(), ""]
    )
    return brackets > _MANY_BRACKETS or longest > _DEEPEST


def _refuse_deep(text: str) -> None:
    """Stops before the parser in C does: it recurses, and would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"it is nested more than {_DEEPEST} levels deep")


def yaml_problem(error: yaml.YAMLError) -> str:
    """What is wrong with a YAML text, in a line."""
    problem = getattr(error, "problem", None)
    mark = getattr(error, "problem_mark", None)
    if problem and "stands" in problem:
        return str(problem)
    if "anchor" in str(getattr(error, "context", "")):
        problem = "an anchor, `&name`, stands twice"
    where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"it is not valid YAML ({problem or ' '.join(str(error).split())}{where})"


@lru_cache(maxsize=8)
def parse_spec(text: str, origin: str = "spec.yml") -> Spec:
    """Parses the text of a spec file; `origin` is the file named in errors."""
    try:
        raw = read_yaml(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{origin}: {yaml_problem(error)}.", hint=f"correct {origin}.") from error
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
