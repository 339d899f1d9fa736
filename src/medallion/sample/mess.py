"""Cosmetic damage as the real producer has it: padding, letter case, lost values."""

from __future__ import annotations

from dataclasses import dataclass

from medallion.sample.randomness import Dice
from medallion.sample.request import Mess

_SHARES = {"none": (0.0, 0.0), "light": (0.05, 0.02), "medium": (0.08, 0.04), "heavy": (0.15, 0.08)}
_SPIKES = {"medium": 1.5, "heavy": 2.0}


@dataclass(frozen=True)
class Damage:
    """SQL expressions that damage values.

    Attributes:
        mess: How much.
        dice: Where chance comes from.
    """

    mess: Mess
    dice: Dice

    @property
    def loses_separator(self) -> bool:
        """Whether order dates have a blank for their `T`, as upstream's heavier mess leaves."""
        return self.mess in _SPIKES

    def text(self, value: str, purpose: str, *row: str) -> str:
        """A text with blanks around it, or in another letter case, now and then."""
        share = _SHARES[self.mess][0]
        if not share:
            return value
        cased = (
            f"case when {self.dice.chance(share, f'case {purpose}', *row)} then"
            f" ([upper({value}), lower({value}), {value}])"
            f"[1 + {self.dice.below(3, f'which case {purpose}', *row)}] else {value} end"
        )
        blanks = f"repeat(' ', 1 + {self.dice.below(2, f'blanks {purpose}', *row)}::int)"
        padded = self.dice.chance(share, f"pad {purpose}", *row)
        return f"case when {padded} then {blanks} || {cased} || {blanks} else {cased} end"

    def lost(self, purpose: str, *row: str) -> str:
        """Whether a value is lost."""
        return self.dice.chance(_SHARES[self.mess][1], f"lost {purpose}", *row)

    def losing(self, value: str, purpose: str, *row: str) -> str:
        """A value that is null now and then."""
        if not _SHARES[self.mess][1]:
            return value
        return f"case when {self.lost(purpose, *row)} then null else {value} end"

    def spiked(self, value: str, month: str) -> str:
        """A count that is too large in one month of the window."""
        factor = _SPIKES.get(self.mess)
        if factor is None:
            return value
        spiked = f"cast(floor({value} * {factor}) as bigint)"
        return f"case when {month} then {spiked} else {value} end"
