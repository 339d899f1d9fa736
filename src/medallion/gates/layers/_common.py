"""What the gates of several layers expect in the same words."""

from __future__ import annotations

from collections.abc import Iterable

from medallion.gates.expectation import Expectation, Severity

#: Expectations by what they look at.
Expectations = dict[str, list[Expectation]]

#: How the schema of the stored files differs from the declared one, by name; null if not at all.
SCHEMA = {"schema_differences": "varchar"}


def schema_is_declared(origin: str) -> Expectation:
    """That the stored schema is the one that `origin` declares."""
    note = "The schema is the declared one."
    return is_null("schema_differences", "critical", note, f"{origin}.columns")


def grain_is_there(columns: Iterable[str], origin: str) -> Iterable[Expectation]:
    """That every column of a grain is there in every row."""
    return (is_there(name, "It is part of the grain.", origin) for name in columns)


def grain_is_unique(grain: tuple[str, ...], origin: str) -> Expectation:
    """That no two rows are the same by their grain."""
    return is_zero("repeated_grains", f"One row per {' + '.join(grain)}.", origin)


def is_there(column: str, note: str, origin: str) -> Expectation:
    """That a column is never null."""
    kind = "expect_column_values_to_not_be_null"
    return Expectation(kind, {"column": column}, "critical", note, origin)


def is_null(
    column: str, severity: Severity, note: str, origin: str, *, always_stops: bool = False
) -> Expectation:
    """That a column which says what is wrong says nothing."""
    kind = "expect_column_values_to_be_null"
    return Expectation(kind, {"column": column}, severity, note, origin, always_stops)


def is_true(column: str, severity: Severity, note: str, origin: str) -> Expectation:
    """That a column is true."""
    arguments = {"column": column, "value_set": [True]}
    return Expectation("expect_column_values_to_be_in_set", arguments, severity, note, origin)


def is_zero(column: str, note: str, origin: str) -> Expectation:
    """That a count is 0."""
    return is_between(column, "critical", note, origin, min_value=0, max_value=0)


def is_between(
    column: str, severity: Severity, note: str, origin: str, **bounds: float | None
) -> Expectation:
    """That a column lies within bounds, as Great Expectations names them; None is no bound."""
    given = {name: value for name, value in bounds.items() if value is not None}
    return Expectation(
        "expect_column_values_to_be_between", {"column": column, **given}, severity, note, origin
    )
