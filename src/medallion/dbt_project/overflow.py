"""Sums of marts that do not fit their column: which, and in which rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence

import duckdb

from medallion.dbt_project.declared import Mart
from medallion.errors import DbtError
from medallion.lake.names import printable

_SHOWN = 3
# What a column of a type holds is smaller than this.
_LIMITS = {"decimal(18,2)": 10**16, "bigint": 2**63}
# The same types with room for every sum.
_WIDER = (
    (re.compile(r"decimal\(18,\s*2\)", re.IGNORECASE), "decimal(38, 2)"),
    (re.compile(r"\bbigint\b", re.IGNORECASE), "hugeint"),
)
_HINT = (
    "have the rows behind them corrected and delivered again, or lower cleaning.max_money and "
    "cleaning.max_quantity in spec.yml, so that such rows are put into quarantine."
)

Ask = Callable[[str], Sequence[Sequence[object]]]


def overflow_error(
    marts: Iterable[tuple[Mart, str]], ask: Ask, hidden: Collection[str]
) -> DbtError | None:
    """Names the sums that do not fit, and the rows of the marts that they stand in.

    The marts are computed once more, in types with more room; only a failure makes it worth it.

    Args:
        marts: The models that failed, and what dbt has made of each.
        ask: Asks the database in which they failed.
        hidden: Columns with personal data, whose values are not told.

    Returns:
        The error to raise; None if something else is the cause.
    """
    details = [line for mart, sql in marts for line in _unfitting(mart, sql, ask, hidden)]
    if not details:
        return None
    return DbtError("Sums of marts do not fit their columns:", details=details, hint=_HINT)


def _unfitting(mart: Mart, sql: str, ask: Ask, hidden: Collection[str]) -> Iterable[str]:
    wide = sql
    for narrow, wider in _WIDER:
        wide = narrow.sub(wider, wide)
    keys = [name for name in mart.grain if name not in hidden]
    for column, kind in mart.columns.items():
        limit = _LIMITS.get(kind.lower().replace(" ", ""))
        if limit is None:
            continue
        order = ", ".join([f"abs({column}) desc", *keys])
        shown = ", ".join([*keys, column])
        try:
            rows = ask(
                f"select {shown} from ({wide}) where abs({column}) >= {limit}"
                f" order by {order} limit {_SHOWN}"
            )
        except duckdb.Error:
            # Not even that can be computed, so it is something else that is wrong with it.
            return
        for *values, amount in rows:
            where = ", ".join(f"{k} {printable(str(v))}" for k, v in zip(keys, values, strict=True))
            told = "a value" if column in hidden else f"{amount:,}"
            yield f"gold.{mart.name}.{column} ({kind}): {where or 'all rows'}: {told}"
