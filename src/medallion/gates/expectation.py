"""One expectation: Great Expectations' type and arguments, and what the project says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
#: The arguments of an expectation by name, as a suite's file gives them.
Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Expectation:
    """Something that must hold.

    Attributes:
        kind: The type, such as `expect_column_values_to_not_be_null`.
        arguments: Its arguments.
        severity: `critical` stops a strict run, `warning` is reported, `info` is recorded.
        note: Why it exists.
        origin: The file that says so.
        always_stops: Without it nothing can be processed, so it stops a run in every mode.
    """

    kind: str
    arguments: Arguments = field(hash=False)
    severity: Severity
    note: str
    origin: str
    always_stops: bool = False

    @property
    def identity(self) -> object:
        """What can change its verdict, as plain JSON."""
        return [self.kind, dict(self.arguments), self.severity, self.always_stops]

    @property
    def says(self) -> str:
        """The expectation in words, such as `1 <= quantity` or `status is one of a, b`."""
        said = _SAID.get(self.kind)
        named = said.format_map(_Words(self.arguments)) if said else self._spelled_out()
        mostly = self.arguments.get("mostly")
        return f"{named} in {mostly:.0%} of the rows" if mostly else named

    def _spelled_out(self) -> str:
        hidden = ("column", "column_A", "column_B", "unexpected_rows_query", "mostly")
        columns = [str(self.arguments[name]) for name in hidden[:3] if name in self.arguments]
        words = self.kind.removeprefix("expect_").removeprefix("column_").replace("_", " ")
        rest = [f"{n}: {_shown(v)}" for n, v in self.arguments.items() if n not in hidden]
        where = f"{' and '.join(columns)}: " if columns else ""
        detail = f" ({', '.join(rest)})" if rest else ""
        return f"{where}{words}{detail}"


_SAID = {
    "expect_column_values_to_not_be_null": "{column} is there",
    "expect_column_values_to_be_null": "no {column}",
    "expect_column_values_to_be_unique": "{column} is unique",
    "expect_column_values_to_be_between": "{range}",
    "expect_column_values_to_be_in_set": "{column} is {set}",
    "expect_column_values_to_not_be_in_set": "{column} is not {set}",
    "expect_column_values_to_match_regex": "{column} matches {regex}",
    "expect_column_pair_values_to_be_equal": "{column_A} = {column_B}",
    "expect_column_pair_values_a_to_be_greater_than_b": "{column_A} {greater} {column_B}",
    "expect_table_row_count_to_equal": "{value} rows",
    "unexpected_rows_expectation": "the query finds no rows",
}


class _Words(dict[str, Any]):
    """The arguments of an expectation, and the phrases made of several of them."""

    def __missing__(self, name: str) -> str:
        if name == "range":
            return self._range()
        if name == "set":
            values = self["value_set"]
            return f"one of {_shown(values)}" if len(values) > 1 else _shown(values)
        return ">=" if self.get("or_equal") else ">"

    def _range(self) -> str:
        low, high = self.get("min_value"), self.get("max_value")
        if low is not None and low == high:
            return f"{self['column']} = {_shown(low)}"
        below = "" if high is None else f" {'<' if self.get('strict_max') else '<='} {_shown(high)}"
        if low is None:
            return f"{self['column']}{below}"
        if high is None:
            return f"{self['column']} {'>' if self.get('strict_min') else '>='} {_shown(low)}"
        return f"{_shown(low)} {'<' if self.get('strict_min') else '<='} {self['column']}{below}"


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(part) for part in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
