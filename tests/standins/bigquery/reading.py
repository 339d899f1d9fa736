"""What a statement reads: through views, with the filter that a table may require."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlglot
from local_bigquery.catalog import metadata, names, tables
from local_bigquery.engine import database
from local_bigquery.errors import BigQueryError
from local_bigquery.models import Table
from local_bigquery.sql.dialect import BigQueryDialect
from local_bigquery.sql.rules import tables as rules
from sqlglot import exp

from tests.standins.bigquery import places
from tests.standins.bigquery.databases import Name
from tests.standins.bigquery.mending import Function, instead_of
from tests.standins.bigquery.partitions import expire

# In SQL no name of a table has one: `t@-3600` and `t$20251015` are of the interface.
rules.DECORATOR = re.compile(r"(.+)[@$](-?\w+)$")
_COMPARISONS = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Between, exp.In, exp.Is)
# A query that has one of these is computed before an outer filter is.
_CLOSED = ("limit", "offset", "qualify")
_VIEWS_IN_VIEWS = 16


@dataclass
class Read:
    """The tables that a statement reads.

    Attributes:
        tree: The statement, with its views written out.
        tables: Each mention of a table, and its name.
        variables: The names of a script's variables, which are constants to a filter.
    """

    tree: exp.Expression
    tables: list[tuple[exp.Table, Name]] = field(default_factory=list)
    variables: frozenset[str] = frozenset()

    @property
    def bytes(self) -> int:
        """An upper bound: all columns of all partitions."""
        return sum(map(_size, self.names))

    @property
    def accuracy(self) -> str:
        """How well the bytes are known before the query runs."""
        clustered = (_stored(name).clustering for name in self.names)
        return "UPPER_BOUND" if any(clustered) else "PRECISE"

    @property
    def names(self) -> set[Name]:
        """The names, each once."""
        return {name for _, name in self.tables}

    def check(self) -> None:
        """Refuses a table without the filter that it requires.

        Raises:
            BigQueryError: There is one.
        """
        for table, name in self.tables:
            column = _required(name)
            if column and not self._is_filtered(table, column):
                raise BigQueryError(
                    "invalidQuery",
                    f"Cannot query over table '{'.'.join(name)}' without a filter over column(s) "
                    f"'{column}' that can be used for partition elimination",
                )

    def _is_filtered(self, source: exp.Expression, column: str) -> bool:
        """Whether the query that has a source, or one around it, is filtered by a column."""
        query = source.find_ancestor(exp.Select, exp.Update, exp.Delete, exp.Merge)
        if query is None:
            return False
        alias = source.alias_or_name
        if any(self._prunes(one, alias, column) for one in _conditions(query, source)):
            return True
        uses = self._uses(query) if isinstance(query, exp.Select) and _gives(query, column) else []
        return bool(uses) and all(self._is_filtered(one, column) for one in uses)

    def _uses(self, query: exp.Select) -> list[exp.Expression]:
        """Where a query is the source of others."""
        around = query.find_ancestor(exp.Subquery, exp.CTE, exp.Select)
        if isinstance(around, exp.CTE):
            return [one for one in self.tree.find_all(exp.Table) if _is_use(one, around)]
        return [around] if isinstance(around, exp.Subquery) else []

    def _prunes(self, condition: exp.Expression, alias: str, column: str) -> bool:
        """Whether a condition excludes partitions."""
        if isinstance(condition, exp.Paren | exp.Not):
            return self._prunes(condition.this, alias, column)
        if isinstance(condition, exp.And | exp.Or):
            sides = (condition.this, condition.expression)
            found = [self._prunes(one, alias, column) for one in sides]
            return any(found) if isinstance(condition, exp.And) else all(found)
        if not isinstance(condition, _COMPARISONS) or condition.find(exp.Select):
            return False
        columns = [one for one in condition.find_all(exp.Column) if not self._is_constant(one)]
        return bool(columns) and all(_is_bare(one, alias, column) for one in columns)

    def _is_constant(self, column: exp.Column) -> bool:
        return not column.table and column.name.casefold() in self.variables


def of(tree: exp.Expression, context: Any) -> Read:
    """What a statement reads; a view reads nothing before it is asked."""
    if isinstance(tree, exp.Create) and tree.args.get("kind") == "VIEW":
        return Read(tree)
    read = Read(tree.copy(), variables=frozenset(context.variables))
    target = names.target(read.tree)
    reads_target = isinstance(tree, exp.Update | exp.Delete | exp.Merge)
    for table, name in _named(read.tree, context):
        if table is not target or reads_target:
            read.tables += _through_views(table, name, context)
    return read


def _named(tree: exp.Expression, context: Any) -> Iterator[tuple[exp.Table, Name]]:
    ctes = {one.alias_or_name.casefold() for one in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        name = rules.resolve(table, context, ctes)
        if name and database.objects(*name):
            yield table, name


def _through_views(
    table: exp.Table, name: Name, context: Any, depth: int = 0
) -> Iterator[tuple[exp.Table, Name]]:
    """The tables that a name stands for; a view's query is written in its place."""
    view = _stored(name).view
    if view is None or depth > _VIEWS_IN_VIEWS:
        yield table, name
        return
    query = sqlglot.parse_one(view.query, dialect=BigQueryDialect)
    alias = exp.TableAlias(this=exp.to_identifier(table.alias_or_name))
    table.replace(exp.Subquery(this=query, alias=alias))
    for inner, its_name in _named(query, context):
        yield from _through_views(inner, its_name, context, depth + 1)


def _conditions(query: exp.Expression, source: exp.Expression) -> Iterator[exp.Expression]:
    """The conditions of which each must hold for a row of a source to be read."""
    where = query.args.get("where")
    if where:
        yield where.this
    for join in query.args.get("joins") or []:
        is_optional = join.side == "LEFT" and join.this is source
        if join.args.get("on") and (is_optional or not join.side):
            yield join.args["on"]
    if isinstance(query, exp.Merge):
        yield query.args["on"]
        for when in query.args["whens"].expressions:
            if when.args.get("condition") and when.args.get("source"):
                yield when.args["condition"]


def _gives(query: exp.Select, column: str) -> bool:
    """Whether a query hands a column on by its name, and a filter over it goes inside."""
    if any(query.args.get(one) for one in _CLOSED):
        return False
    given = query.find(exp.Star) or column.casefold() in (
        one.alias_or_name.casefold() for one in query.expressions
    )
    group = query.args.get("group")
    keys = group.expressions if group else []
    return bool(given) and (
        not group or any(one.name.casefold() == column.casefold() for one in keys)
    )


def _is_use(table: exp.Table, cte: exp.CTE) -> bool:
    return not table.db and table.name.casefold() == cte.alias_or_name.casefold()


def _is_bare(node: exp.Column, alias: str, column: str) -> bool:
    """Whether a column stands alone, or as the day of a moment."""
    is_it = node.name.casefold() == column.casefold()
    is_here = node.table.casefold() in ("", alias.casefold())
    around = node.parent
    is_day = isinstance(around, exp.Cast) and around.to.is_type("date")
    is_alone = isinstance(around, (*_COMPARISONS, exp.Date, exp.TsOrDsToDate))
    return is_it and is_here and (is_alone or is_day)


def _stored(name: Name) -> Table:
    return metadata.load(Table, *name) or Table()


def _required(name: Name) -> str | None:
    """The column that a query of a table must filter by, if it must."""
    stored = _stored(name)
    timing = stored.timePartitioning
    required = stored.requirePartitionFilter or (timing and timing.requirePartitionFilter)
    return ((timing and timing.field) or tables.INGESTION_TIME) if required else None


def _size(name: Name) -> int:
    [(rows,)] = database.fetch(f"select count(*) from {tables.name(*name)}")
    return tables.logical_bytes(rows, len(tables.columns(*name)))


@instead_of(rules, "_check")
def check(_: Function, tree: exp.Expression, table: exp.Table, is_target: bool) -> None:
    """Whether a table is there that a statement names."""
    name = (table.catalog, table.db, table.name)
    names.dataset(name[1], ".".join(name[1:]))
    made = isinstance(tree, exp.Create) or tree.args.get("exists")
    if is_target and (made or tree.args.get("kind") not in (None, "TABLE", "VIEW")):
        return
    expire(name)
    if not database.objects(*name) or tables.expired(_stored(name)):
        raise rules._not_found(*name)
    places.check(*name[:2])
