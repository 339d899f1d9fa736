"""A suite: all that is expected of one table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from medallion.gates.expectation import Expectation

_QUERY = "unexpected_rows_query"


@dataclass(frozen=True)
class Suite:
    """All that is expected of one table of a layer.

    Attributes:
        layer: The layer.
        table: The table.
        subjects: Expectations by what they look at: the `rows`, or what is measured of them.
    """

    layer: str
    table: str
    subjects: Mapping[str, tuple[Expectation, ...]]

    @property
    def name(self) -> str:
        """Layer and table, as the catalog names the table."""
        return f"{self.layer}.{self.table}"

    @property
    def queries(self) -> list[str]:
        """The SQL of those expectations that are queries."""
        return [
            str(expectation.arguments[_QUERY])
            for expectations in self.subjects.values()
            for expectation in expectations
            if _QUERY in expectation.arguments
        ]

    @property
    def identity(self) -> object:
        """Everything that can change a verdict, as plain JSON."""
        return {
            subject: [expectation.identity for expectation in expectations]
            for subject, expectations in self.subjects.items()
        }
