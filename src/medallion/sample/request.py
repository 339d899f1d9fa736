"""What is asked of the generator, and what it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from medallion.errors import RequestError

Mess = Literal["none", "light", "medium", "heavy"]

# Measured on the real producer's data: rows of all tables for each order.
ROWS_PER_ORDER = 47
# Shops that sell on line; the days after the last one must still be days.
_FIRST, _LAST = date(1970, 1, 1), date(2200, 12, 31)


@dataclass(frozen=True)
class SampleRequest:
    """A sample to generate.

    Attributes:
        output: A folder that does not exist yet, or is empty.
        start: First ingest day.
        days: Number of ingest days.
        orders_per_day: Orders on an average day.
        seed: Same seed, same bytes.
        mess: Cosmetic damage, as the real producer has it.
        defects: Also plant real defects, and record them in `_planted.json`.
    """

    output: Path
    start: date
    days: int
    orders_per_day: int
    seed: int
    mess: Mess = "light"
    defects: bool = False

    def __post_init__(self) -> None:
        """Refuses what cannot be generated.

        Raises:
            RequestError: A number is out of range, or the folder holds something.
        """
        if not 1 <= self.days <= 3660:  # noqa: PLR2004
            raise RequestError(f"--days {self.days}: give 1 to 3660 days.")
        if not 1 <= self.orders_per_day <= 10_000_000:  # noqa: PLR2004
            raise RequestError(f"--orders-per-day {self.orders_per_day}: give 1 to 10,000,000.")
        if not _FIRST <= self.start <= _LAST:
            raise RequestError(f"--start {self.start}: give a day from {_FIRST} to {_LAST}.")
        if self.mess not in ("none", "light", "medium", "heavy"):
            raise RequestError(f"--mess {self.mess}: give none, light, medium or heavy.")
        if self.output.exists() and (not self.output.is_dir() or any(self.output.iterdir())):
            raise RequestError(
                f"{self.output} is not empty.", hint="give a new folder, or remove this one."
            )

    @property
    def end(self) -> date:
        """The last ingest day."""
        return self.start + timedelta(days=self.days - 1)

    @property
    def orders(self) -> int:
        """Orders of all days, about."""
        return self.orders_per_day * self.days

    @property
    def customers(self) -> int:
        """Customers with a row: fewer for each order the longer the history is."""
        return max(20, round(self.orders * 2.5 / (1 + self.days / 60)))


@dataclass(frozen=True)
class SampleReport:
    """What was generated.

    Attributes:
        output: Where.
        rows: Rows by table.
        planted: Number of planted defects.
    """

    output: Path
    rows: Mapping[str, int] = field(default_factory=dict)
    planted: int = 0

    def __str__(self) -> str:
        """A summary for a person."""
        lines = [f"{name:<16}{count:>14,}" for name, count in self.rows.items()]
        lines.append(f"{'all':<16}{sum(self.rows.values()):>14,}")
        if self.planted:
            lines.append(f"{self.planted} defects planted, listed in {self.output}/_planted.json")
        return "\n".join([f"Bronze in {self.output}:", *lines])


def orders_per_day_for(rows: int, days: int) -> int:
    """Orders a day that make about so many rows of all tables together."""
    return max(1, round(rows / days / ROWS_PER_ORDER))
