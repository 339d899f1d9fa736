"""The code of the transforms, as far as their results depend on it.

A fingerprint is that of the parsed source: comments, docstrings and layout do not count, and
neither do modules that a transform does not import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import fingerprint
from medallion.spec import Spec

# The name of a transform's code among what a day was made from.
CODE = "code"
_PACKAGE = "medallion.transforms"
_FOLDER = Path(__file__).parents[1] / "transforms"


@dataclass(frozen=True)
class Recoded:
    """An enriched table with days that other code has made.

    Attributes:
        name: The transform.
        days: How many of its days are made again.
        reason: Why.
    """

    name: str
    days: int
    reason: str

    def __str__(self) -> str:
        """One line: where, then what."""
        days = "1 day is" if self.days == 1 else f"{self.days:,} days are"
        return f"enriched.{self.name}: {days} made again: {self.reason}"


@cache
def code_of(transform: str, folder: Path = _FOLDER) -> str:
    """A fingerprint of the module of a transform and of those that it imports.

    It is read once in a process, like the code itself.

    Args:
        transform: The name of the transform, which is that of its module.
        folder: Where the modules are.
    """
    modules: dict[str, object] = {}
    waiting = [transform]
    while waiting:
        name = waiting.pop()
        path = folder / f"{name}.py"
        if name not in modules and path.is_file():
            tree = ast.parse(path.read_bytes())
            modules[name] = _form(tree)
            waiting.extend(_imported(tree))
    return fingerprint(sorted(modules.items()))


def recoded(spec: Spec, lake: LakeInventory) -> tuple[Recoded, ...]:
    """The enriched tables whose days the next run makes again because of their code."""
    return tuple(_recoded(spec, lake))


def _recoded(spec: Spec, lake: LakeInventory) -> Iterator[Recoded]:
    base = [str(day) for day in lake.base_days()]
    for name, transform in spec.transforms.items():
        days = _made_again(name, lake, [] if transform.kind == "snapshot" else base)
        before = [made_from.get(CODE) for made_from in days]
        if unknown := before.count(None):
            yield Recoded(name, unknown, "made before code was recorded")
        if changed := sum(code not in (None, code_of(name)) for code in before):
            yield Recoded(name, changed, "code changed")


def _made_again(name: str, lake: LakeInventory, base: list[str]) -> Iterable[dict[str, str]]:
    """What the days of a table were made from that a run looks at: with rows, or among events."""
    made = set(lake.lake.partitions(f"enriched/{name}"))
    return [
        made_from
        for day, made_from in lake.enriched_state(name).items()
        if day in made or (base and base[0] <= day <= base[-1])
    ]


def _imported(tree: ast.Module) -> Iterator[str]:
    """The modules beside a module that it imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_beside(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = f"{_PACKAGE}.{node.module or ''}".rstrip(".") if node.level else node.module
            yield _beside(package or "")
            yield from (_beside(f"{package}.{alias.name}") for alias in node.names)


def _beside(module: str) -> str:
    """The file of a module of the transforms, without its ending; nothing for any other."""
    return module.removeprefix(f"{_PACKAGE}.") if module.startswith(f"{_PACKAGE}.") else ""


def _form(value: object) -> object:
    """A parsed source without what changes no result, the same on every version of Python.

    Newer versions know fields that older ones do not; they are empty in code for all of them.
    """
    if isinstance(value, ast.AST):
        fields = [(name, _form(held)) for name, held in ast.iter_fields(value)]
        return [type(value).__name__, *(field for field in fields if field[1] not in (None, []))]
    if isinstance(value, list):
        return [_form(held) for held in value if not _is_text_alone(held)]
    return None if value is None else repr(value)


def _is_text_alone(node: object) -> bool:
    """Whether a statement is a docstring, or text that nothing is done with."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
