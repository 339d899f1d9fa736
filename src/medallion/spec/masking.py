"""Personal values as they may be shown: only whether they are there, and about how long."""

from __future__ import annotations

from collections.abc import Sequence

from medallion.spec.models import Column, Spec
from medallion.sql import literals

_BLANKS = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13)"
# Upper ends of the length classes: wide enough that a length tells no value from another.
_CLASSES = (8, 24, 64)


def is_masked(spec: Spec, table: str, column: str) -> bool:
    """Whether a column of the quarantine is shown as a mask.

    A column that the contract does not know is: nobody has said yet that it is not personal.
    """
    known = _known(spec, table, column)
    return known is None or known.personal


def shown_column(spec: Spec, table: str, column: str, sql: str) -> str:
    """The SQL that shows a text column of the quarantine: as it came, or masked.

    Args:
        spec: Which columns are personal.
        table: The table.
        column: The column's name.
        sql: The expression that reads it.
    """
    if not is_masked(spec, table, column):
        return sql
    known = _known(spec, table, column)
    return masked(sql, () if known and known.is_name else spec.cleaning.null_words)


def masked(sql: str, null_words: Sequence[str] = ()) -> str:
    """The SQL of a mask: null stays null; else blank, a null word, or a class of length.

    It keeps why a personal value is `missing`: because it is null, blank, or a word for null.
    """
    words = literals(word for word in null_words if word)
    trimmed = f"trim({sql}, {_BLANKS})"
    classes = " ".join(
        f"when length({sql}) <= {last} then '<masked: {first} to {last} characters>'"
        for first, last in zip((1, *(n + 1 for n in _CLASSES)), _CLASSES, strict=False)
    )
    null_word = f"when lower({trimmed}) in ({words}) then '<masked: a null word>' " if words else ""
    return (
        f"case when {sql} is null then null when {trimmed} = '' then '<masked: blank>' "
        f"{null_word}{classes} else '<masked: over {_CLASSES[-1]} characters>' end"
    )


def _known(spec: Spec, table: str, column: str) -> Column | None:
    return spec.contract(table).get(column)
