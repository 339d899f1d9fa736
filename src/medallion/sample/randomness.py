"""Randomness as SQL: every value is a hash of the seed, its purpose and its row.

A row's values depend on nothing but its own number, so any day can be made alone, in any
order and by any number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from medallion.sql import literal, literals

_FINE = 1_000_000


class Dice:
    """SQL expressions of random values.

    Args:
        seed: The sample's seed.
    """

    def __init__(self, seed: int) -> None:
        self._seed = int(seed)

    def bits(self, purpose: str, *row: str) -> str:
        """64 random bits for a row, which the expressions in `row` identify."""
        return f"hash({self._seed}, '{purpose}', {', '.join(row)})"

    def below(self, n: int | str, purpose: str, *row: str) -> str:
        """A whole number from 0 to n - 1."""
        return f"cast({self.bits(purpose, *row)} % cast({n} as ubigint) as bigint)"

    def chance(self, share: float, purpose: str, *row: str) -> str:
        """True in so large a share of rows."""
        return f"({self.below(_FINE, purpose, *row)} < {round(share * _FINE)})"

    def pick(self, values: Sequence[str], purpose: str, *row: str) -> str:
        """One of some texts, all alike likely."""
        listed = literals(values)
        return f"([{listed}])[1 + {self.below(len(values), purpose, *row)}]"

    def weighted(self, weights: Mapping[str, int], purpose: str, *row: str) -> str:
        """One of some texts or numbers, by percentage."""
        drawn = self.below(sum(weights.values()), purpose, *row)
        branches, upto = [], 0
        for value, weight in weights.items():
            upto += weight
            branches.append(f"when {drawn} < {upto} then {literal(value)}")
        return f"case {' '.join(branches)} end"
