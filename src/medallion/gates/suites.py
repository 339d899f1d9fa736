"""Suites: what must hold of the tables of a layer, written down as files.

`conf/base/expectations/<layer>/<table>.yml` holds what a person has to say about a table; the
module of its layer adds what follows from the spec. Both are Great Expectations' own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar, get_args

from medallion.errors import SuiteError, shown
from medallion.gates.declared import Declared, GoldModel, Types, load_gold_models
from medallion.gates.expectation import Arguments, Expectation, Severity
from medallion.gates.gx import vocabulary
from medallion.gates.gx.applicability import unusable
from medallion.gates.gx.binding import Relations
from medallion.gates.layers import LAYERS
from medallion.gates.suite import Suite
from medallion.gates.suite_file import NotReadableError, text_of, values_of
from medallion.spec import Spec
from medallion.storage.litter import is_hidden

_SEVERITIES: tuple[str, ...] = get_args(Severity)
_SAID_OF_ALL = {"severity", "note"}
_T = TypeVar("_T")
# Stands for an expectation that cannot be read.
_NOTHING = Expectation("", {}, "critical", "", "")


@dataclass(frozen=True)
class Suites:
    """The suites of all layers.

    Attributes:
        suites: By layer and table.
        declared: What the tables should be.
    """

    suites: Mapping[str, Mapping[str, Suite]] = field(repr=False)
    declared: Declared

    def of(self, layer: str) -> Mapping[str, Suite]:
        """The suites of a layer, by table."""
        return self.suites[layer]

    def find(self, name: str) -> list[Suite]:
        """The suites of a table, named as `orders` or as `base_silver.orders`.

        Raises:
            SuiteError: There is no such table.
        """
        every = [suite for tables in self.suites.values() for suite in tables.values()]
        found = [suite for suite in every if name in (suite.name, suite.table)]
        if not found:
            raise SuiteError(
                f"There is no table {shown(name)}.",
                hint=f"known are {', '.join(sorted({suite.table for suite in every}))}.",
            )
        return found


def load_suites(folder: str | Path, spec: Spec, models_folder: str | Path) -> Suites:
    """Reads and checks the suites of all layers; unchanged files are checked once per process.

    Args:
        folder: The folder with one sub-folder per layer.
        spec: The tables.
        models_folder: Where dbt describes the marts.

    Raises:
        SuiteError: A suite is absent, belongs to no table, or says something that cannot be.
    """
    root = Path(folder)
    declared = _declared(_Same(spec), _Same(load_gold_models(str(models_folder))))
    texts: dict[tuple[str, str], str] = {}
    wrong: list[str] = []
    for layer, module in LAYERS.items():
        expected = set(module.tables(declared))
        found = sorted((root / layer).glob("*.yml"))
        there = {path.stem for path in found if not is_hidden(path.name)}
        wrong += [f"{layer}/{name}.yml is absent" for name in sorted(expected - there)]
        wrong += [
            f"{layer}/{name}.yml: there is no such table" for name in sorted(there - expected)
        ]
        for name in sorted(expected & there):
            try:
                texts[layer, name] = text_of(root / layer / f"{name}.yml")
            except NotReadableError as error:
                wrong.append(f"{layer}/{name}.yml: {error}")
    _refuse(root, wrong)
    return _parsed(str(root), tuple(sorted(texts.items())), _Same(declared))


class _Same(Generic[_T]):
    """An argument of a cached function that is equal to itself alone, and cheap to compare."""

    def __init__(self, value: _T) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


@lru_cache(maxsize=2)
def _declared(spec: _Same[Spec], models: _Same[dict[str, GoldModel]]) -> Declared:
    return Declared(spec.value, models.value)


@lru_cache(maxsize=4)
def _parsed(
    root: str, texts: tuple[tuple[tuple[str, str], str], ...], declared: _Same[Declared]
) -> Suites:
    suites: dict[str, dict[str, Suite]] = {layer: {} for layer in LAYERS}
    relations = {
        name: Relations(module.other_tables(declared.value)) for name, module in LAYERS.items()
    }
    wrong: list[str] = []
    for (layer, table), text in texts:
        module = LAYERS[layer]
        subjects = module.subjects(declared.value, table)
        file = f"{root}/{layer}/{table}.yml"
        written, problems = read_suite(text, file, subjects, relations[layer])
        wrong += [f"{layer}/{table}.yml: {problem}" for problem in problems]
        merged = _merged(module.expectations(declared.value, table), written)
        suites[layer][table] = Suite(layer, table, merged)
    _refuse(Path(root), wrong)
    return Suites(suites, declared.value)


def _refuse(root: Path, wrong: list[str]) -> None:
    if wrong:
        raise SuiteError(
            f"The suites in {root} cannot be used:",
            details=wrong,
            hint="correct the files above; README, `Your own expectations`, shows one.",
        )


def _merged(
    *parts: Mapping[str, Iterable[Expectation]],
) -> dict[str, tuple[Expectation, ...]]:
    merged: dict[str, tuple[Expectation, ...]] = {}
    for part in parts:
        for subject, expectations in part.items():
            merged[subject] = (*merged.get(subject, ()), *expectations)
    return merged


def read_suite(
    text: str, file: str, columns: Mapping[str, Types], relations: Relations
) -> tuple[dict[str, list[Expectation]], list[str]]:
    """The expectations of a file by subject, and what is wrong with it, with the place.

    Args:
        text: What the file says.
        file: Its name, as the origin of the expectations.
        columns: What a suite of the table can look at, and the columns of each.
        relations: The other tables that its queries can name.
    """
    try:
        content = values_of(text)
    except NotReadableError as error:
        return {}, [str(error)]
    if not isinstance(content, dict) or not content:
        return {}, ["holds no expectations"]
    found: dict[str, list[Expectation]] = {}
    wrong: list[str] = []
    for subject, entries in content.items():
        if subject not in columns:
            wrong.append(f"'{subject}' is unknown; allowed are {', '.join(columns)}")
        elif not isinstance(entries, list) or not entries:
            wrong.append(f"{subject}: holds no expectations")
        else:
            for number, entry in enumerate(entries, start=1):
                expectation, problems = _expectation(entry, file, columns[subject], relations)
                wrong += [f"{subject}, no. {number}: {problem}" for problem in problems]
                found.setdefault(subject, []).append(expectation)
    return found, wrong


def _expectation(
    entry: object, file: str, columns: Types, relations: Relations
) -> tuple[Expectation, list[str]]:
    said = entry if isinstance(entry, dict) else {}
    kinds = sorted(key for key in said if key not in _SAID_OF_ALL)
    if len(kinds) != 1:
        names = f" (found: {', '.join(kinds)})" if kinds else ""
        return _NOTHING, [f"give one expectation, its severity and a note{names}"]
    kind = kinds[0]
    arguments = {} if said[kind] is None else said[kind]
    if not isinstance(arguments, dict):
        return _NOTHING, [f"{kind}: give its arguments by name"]
    wrong = list(vocabulary.problems(kind, arguments))
    wrong += _unknown_columns(arguments, columns)
    if not wrong:
        wrong += unusable(kind, arguments, columns, relations)
    severity, note = said.get("severity"), said.get("note")
    if severity not in _SEVERITIES:
        wrong.append(f"{kind}: severity is one of {', '.join(_SEVERITIES)}")
    if not isinstance(note, str) or not note.strip():
        wrong.append(f"{kind}: a note says why it exists")
    known: Severity = severity if severity in _SEVERITIES else "critical"
    return Expectation(kind, arguments, known, str(note).strip(), file), wrong


def _unknown_columns(arguments: Arguments, columns: Iterable[str]) -> list[str]:
    return [
        f"there is no column '{name}'; known are {', '.join(sorted(columns))}"
        for name in vocabulary.columns_named(arguments)
        if name not in columns
    ]
