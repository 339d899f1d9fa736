"""Numbers: whole quotients of sums, and decimals of large floats."""

from __future__ import annotations

from typing import Any

from local_bigquery.sql import rules
from local_bigquery.sql.rules.typing import DECIMALS, FLOATS, Type, kind
from sqlglot import exp


def operands(node: exp.Expression, _: Any) -> exp.Expression:
    """`div(a + b, c * d)` becomes an operator of DuckDB, which binds more tightly."""
    if isinstance(node, exp.IntDiv):
        for side in ("this", "expression"):
            if isinstance(node.args[side], exp.Binary):
                node.set(side, exp.paren(node.args[side], copy=False))
    return node


def digits(node: exp.Expression, _: Any) -> exp.Expression:
    """A BIGNUMERIC has the digits of the float it is made of; DuckDB would shift the float."""
    if not isinstance(node, exp.Cast):
        return node
    # Of a column that comes through `select *` the type is not known here.
    if kind(node.this) not in FLOATS and not isinstance(node.this, exp.Round):
        return node
    if node.to.sql("duckdb") != DECIMALS[Type.BIGDECIMAL]:
        return node
    whole = exp.func("trunc", node.this.copy())
    rest = exp.Sub(this=exp.paren(node.this.copy()), expression=whole.copy())
    parts = (exp.cast(whole, "HUGEINT", dialect="duckdb"), rest)
    made = [exp.cast(part, node.to.copy()) for part in parts]
    return exp.cast(exp.paren(exp.Add(this=made[0], expression=made[1])), node.to.copy())


rules.NODE_RULES[:0] = [operands]
rules.NODE_RULES.append(digits)
