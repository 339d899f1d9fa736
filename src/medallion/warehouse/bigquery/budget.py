"""What building marts would read, as BigQuery says beforehand; over the budget nothing is built.

On clustered tables BigQuery tells an upper bound. Where it cannot know, it says 0, with or without
the word UNKNOWN; so 0 of tables that hold rows is taken for unknown.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from medallion.errors import WarehouseError
from medallion.storage.parallel import in_parallel
from medallion.warehouse.bigquery.calls import BigQuery

logger = logging.getLogger(__name__)

_UNIT = 1024


@dataclass(frozen=True)
class Estimate:
    """What marts would read.

    Attributes:
        bytes: By mart; None where nobody can know.
    """

    bytes: Mapping[str, int | None]

    @property
    def total(self) -> int:
        """What is known of it."""
        return sum(count or 0 for count in self.bytes.values())

    @property
    def unknown(self) -> list[str]:
        """The marts of which it is not known."""
        return sorted(name for name, count in self.bytes.items() if count is None)

    def __str__(self) -> str:
        """What is read, in a few words."""
        if not self.unknown:
            return f"to scan: {shown_bytes(self.total)}"
        return (
            f"to scan: {shown_bytes(self.total)}, and unknown for {', '.join(self.unknown)}"
            if self.total
            else "to scan: unknown"
        )


def estimate(calls: BigQuery, queries: Mapping[str, str], *, holds_rows: bool) -> Estimate:
    """Asks BigQuery what the queries of marts would read.

    Args:
        calls: How BigQuery is reached.
        queries: What dbt has made of the marts, by name.
        holds_rows: Whether the tables that they read hold any.

    Raises:
        CallError: BigQuery refuses a query.
    """
    found = in_parallel(calls.scanned, queries.values())
    known = [None if count == 0 and holds_rows else count for count in found]
    return Estimate(dict(zip(queries, known, strict=True)))


def expect_affordable(estimated: Estimate, most: int) -> None:
    """Makes sure that marts may be built.

    Args:
        estimated: What they would read.
        most: What they may.

    Raises:
        WarehouseError: It is more.
    """
    if estimated.total <= most:
        return
    largest = sorted(estimated.bytes.items(), key=lambda one: (-(one[1] or 0), one[0]))
    raise WarehouseError(
        f"Building Gold would scan {shown_bytes(estimated.total)} in BigQuery, and the environment"
        f" allows {shown_bytes(most)}; nothing was built.",
        details=[f"{name}: {shown_bytes(count)}" for name, count in largest if count],
        hint="if it is worth its price, raise warehouse.gold_bytes in the environment's globals.yml"
        " and run again.",
    )


def shown_bytes(count: int) -> str:
    """A number of bytes for people.

    >>> shown_bytes(0), shown_bytes(1536), shown_bytes(5 * 2**30)
    ('0 B', '1.5 KiB', '5.0 GiB')
    """
    if count < _UNIT:
        return f"{count} B"
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < _UNIT:
            break
        size, unit = size / _UNIT, larger
    return f"{size:,.1f} {unit}"
