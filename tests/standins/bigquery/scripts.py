"""Scripts: variables that are set from one row."""

from __future__ import annotations

import sqlglot
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.script import Interpreter, Statement
from sqlglot import exp

from tests.standins.bigquery.mending import Function, instead_of


@instead_of(Interpreter, "set")
def assign(original: Function, interpreter: Interpreter, statement: Statement) -> None:
    """`set (a, b) = (select as struct x, y from t)`, which dbt writes."""
    tree = sqlglot.parse_one(statement.text, dialect=BigQueryDialect)
    for item in tree.expressions:
        target, value = item.this.this, item.this.expression
        row = value.find(exp.Select) if isinstance(value, exp.Subquery) else None
        if row is None or row.args.get("kind") != "STRUCT":
            original(interpreter, statement)
            return
        names = target.expressions if isinstance(target, exp.Tuple) else [target.unnest()]
        for name, column in zip(names, list(row.expressions), strict=True):
            one = row.copy()
            one.set("kind", None)
            one.set("expressions", [column.copy()])
            interpreter.assign(interpreter.variable(name.name), exp.Subquery(this=one))
