"""What is looked at, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from medallion.gates.expectation import Expectation

#: A row or a value, by name, as DuckDB gives it.
Row = Mapping[str, object]


@dataclass(frozen=True)
class Batch:
    """A relation, and what is expected of it.

    Attributes:
        table: The table it belongs to.
        subject: What of the table it shows: `rows`, `measures`, ...
        relation: The view or table of the connection.
        expectations: What must hold.
        expected_rows: Rows it must have.
        key: The columns by which a person finds a row.
        hidden: Columns with personal data; their values are not repeated.
        evidence: Queries that find rows behind a measure that fails, by the measure's column.
    """

    table: str
    subject: str
    relation: str
    expectations: tuple[Expectation, ...] = field(repr=False)
    expected_rows: int
    key: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    evidence: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Outcome:
    """What came of one expectation.

    Attributes:
        batch: Of what.
        expectation: Which.
        success: Whether it holds.
        observed: What was found, in words.
        examples: A few of the rows or values that break it, by name.
        raw: The result in Great Expectations' own format.
    """

    batch: Batch
    expectation: Expectation
    success: bool
    observed: str
    examples: tuple[Row, ...]
    raw: Mapping[str, JsonValue] = field(repr=False)


@dataclass(frozen=True)
class Validated:
    """A batch that was looked at.

    Attributes:
        batch: The batch.
        outcomes: One per expectation, and one for its completeness.
        seconds: How long it took.
    """

    batch: Batch
    outcomes: Sequence[Outcome]
    seconds: float = 0.0
