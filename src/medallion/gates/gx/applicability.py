"""What of Great Expectations can work here, by the types of the columns; known before any run.

Great Expectations asks DuckDB, and the types of all columns are declared. So what needs another
engine, compares a date with a number or looks for a pattern in an amount is refused when the
suite is read, with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from math import isclose

from medallion.gates.declared import Types
from medallion.gates.expectation import Arguments
from medallion.gates.gx.binding import Relations
from medallion.gates.queries import asking_database, on_batch
from medallion.spec.types import SILVER

_QUERY = "write an unexpected_rows_expectation, whose query finds the rows that should not be"
_TYPES = "the gate compares all types with the declared ones (schema_differences), so leave it out"
_INSTEAD = {
    "expect_query_results_to_match_comparison": f"it needs a data source of its own; {_QUERY}",
    "expect_table_row_count_to_equal_other_table": f"it sees the table of the suite only; {_QUERY}",
    "expect_column_type_to_be": f"it does not know DuckDB's types; {_TYPES}",
    "expect_column_values_to_be_of_type": f"it does not know DuckDB's types; {_TYPES}",
    "expect_column_values_to_be_in_type_list": f"it does not know DuckDB's types; {_TYPES}",
}
_NUMBERS_ONLY = ("_mean_", "_median_", "_stdev_", "_sum_", "_z_scores_", "_outliers", "_quantile_")
_TEXT_ONLY = ("_regex", "_like_pattern", "_value_lengths_")
_OF_THE_VALUES = (
    "expect_column_values_to_be_between", "expect_column_max_to_be_between",
    "expect_column_min_to_be_between",
)  # fmt: skip
_PAIRS = ("pair_values_to_be_equal", "_a_to_be_greater_than_b", "multicolumn_values_to_be_equal",
          "unique_within_record")  # fmt: skip
_NEEDED = {
    "expect_column_kl_divergence_to_be_less_than": ("partition_object", "threshold"),
    "expect_column_values_to_match_regex": ("regex",),
    "expect_column_values_to_not_match_regex": ("regex",),
    "expect_table_columns_to_match_ordered_list": ("column_list",),
    "expect_table_columns_to_match_set": ("column_set",),
}
_MAPPINGS = ("quantile_ranges", "partition_object", "row_condition")
_COLUMN = re.compile(r"""col\(\s*["'](.*?)["']\s*\)""")
# All that Great Expectations reads of a condition: one comparison. What follows it is ignored.
_WORD = "[ -!#-&(-~\\t\\xc0-\\xd6\\xd8-\\xf6\\xf8-\\xff]+"
_QUOTED = f"(?:\"{_WORD}\"|'{_WORD}')"
_CONDITION = re.compile(
    r'\s*col\("[^"]+"\)\s*(?:\.(?i:notnull)\(\)|(?:>=|<=|==|!=|>|<)\s*'
    rf"(?:[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|{_QUOTED}|date\(\s*{_QUOTED}\s*\)))\s*"
)
# What SQLAlchemy takes for a parameter of a query.
_PARAMETER = re.compile(r"(?<![:\w\\]):\w+(?!:)")
_SEVERAL = ("compound_columns", "unique_within_record", "multicolumn")
_BOUNDS = ("min_value", "max_value")
_PAIR = 2
_TOO_LARGE = 10**38
_SAYS = {
    "number": "a number", "text": "text, in quotes", "bool": "true or false",
    "date": "a date such as 2025-10-31", "timestamp": "a time such as 2025-10-31T12:00:00",
}  # fmt: skip


def unusable(kind: str, arguments: Arguments, types: Types, relations: Relations) -> Iterable[str]:
    """Why an expectation cannot work on a table, a sentence each.

    Args:
        kind: The type of the expectation.
        arguments: Its arguments, of which the names and forms have been checked.
        types: The DuckDB type of each column of what it looks at.
        relations: The other tables that a query can name.
    """
    if kind in _INSTEAD:
        yield f"{kind} cannot be used here: {_INSTEAD[kind]}"
        return
    yield from (f"{kind}: {problem}" for problem in _of_arguments(kind, arguments))
    yield from (f"{kind}: {problem}" for problem in _of_sizes(kind, arguments))
    classes = {name: class_of(kind_) for name, kind_ in types.items()}
    yield from (f"{kind}: {problem}" for problem in _of_types(kind, arguments, classes))
    yield from (f"{kind}: {problem}" for problem in _of_values(kind, arguments, classes))
    yield from (f"{kind}: {problem}" for problem in _of_engine(arguments))
    query = arguments.get("unexpected_rows_query")
    if isinstance(query, str) and (problem := _problem(query) or relations.problem(query, types)):
        yield f"{kind}: unexpected_rows_query: {problem}"


def class_of(duckdb_type: str) -> str:
    """What kind of value a type holds: number, text, bool, date or timestamp."""
    base = duckdb_type.lower().partition("(")[0]
    known = {SILVER[name].duckdb: name for name in ("text", "bool", "date", "timestamp")}
    return known.get(base, "number")


def _of_arguments(kind: str, arguments: Arguments) -> Iterable[str]:
    for name in _NEEDED.get(kind, ()):
        if arguments.get(name) is None:
            yield f"give {name}"
    has_bounds = kind.endswith("_to_be_between") and "quantile" not in kind
    if has_bounds and all(arguments.get(name) is None for name in _BOUNDS):
        yield "give min_value, max_value or both; without them everything holds"
    for name, value in arguments.items():
        if isinstance(value, Mapping) and name not in _MAPPINGS:
            yield f"{name}: write the value itself; parameters of suites are not filled in here"
    if "condition_parser" in arguments and "row_condition" not in arguments:
        yield "condition_parser says how row_condition is written, and there is none"
    if arguments.get("condition_parser", "great_expectations") in ("pandas", "spark"):
        yield "condition_parser: rows are in DuckDB, so write great_expectations"
    if isinstance(arguments.get("row_condition"), str) and "condition_parser" not in arguments:
        yield 'row_condition: give condition_parser: great_expectations, and `col("name") > 0`'


def _of_sizes(kind: str, arguments: Arguments) -> Iterable[str]:
    """Whether lists are long enough, and bounds are bounds."""
    yield from _of_ranges(arguments)
    if any(word in kind for word in _SEVERAL) and len(arguments.get("column_list") or ()) < _PAIR:
        yield "column_list: it compares columns with one another, so name at least two"
    if arguments.get("value_pairs_set") == []:
        yield "value_pairs_set: it is empty; write pairs such as [[a, b], [c, d]]"
    if "kl_divergence" in kind and isinstance(arguments.get("partition_object"), Mapping):
        for problem in _of_partition(arguments["partition_object"], arguments):
            yield f"partition_object: {problem}"


def _of_ranges(arguments: Arguments) -> Iterable[str]:
    low, high = (arguments.get(name) for name in _BOUNDS)
    strict = arguments.get("strict_min") or arguments.get("strict_max")
    if _is_above(low, high) or (strict and low is not None and low == high):
        yield f"min_value: {low!r} and max_value: {high!r} leave nothing between them"
    ranges = arguments.get("quantile_ranges")
    if isinstance(ranges, Mapping):
        quantiles, bounds = ranges.get("quantiles") or (), ranges.get("value_ranges") or ()
        for one in quantiles:
            if not (_is("number", one) and 0 <= one <= 1):
                yield f"quantile_ranges.quantiles: {one!r}: a quantile lies between 0 and 1"
        if len(quantiles) != len(bounds):
            yield "quantile_ranges: give each of quantiles its range in value_ranges"
        for one in bounds:
            if len(one) != _PAIR or _is_above(*one):
                yield f"quantile_ranges.value_ranges: {one!r}: write [least, greatest]"


def _of_partition(partition: Arguments, arguments: Arguments) -> Iterable[str]:
    values, bins = partition.get("values"), partition.get("bins")
    weights, tails = partition.get("weights") or [], partition.get("tail_weights") or []
    if not weights or (values is None) == (bins is None):
        yield "give weights, and either values or bins"
        return
    parts = len(values or ()) if bins is None else len(bins) - 1
    if len(weights) != parts:
        yield f"there are {len(weights)} weights for {parts} {'values' if bins is None else 'bins'}"
    if bins and any(not below < above for below, above in pairwise(bins)):
        yield "bins: write their edges from the least to the greatest"
    if tails and (bins is None or len(tails) != _PAIR):
        yield "tail_weights: give two, below and above the bins"
    shares = [*weights, *tails]
    if any(not _is("number", one) or one < 0 for one in shares) or not isclose(
        sum(shares), 1, rel_tol=1e-5
    ):
        yield "weights: they are shares, so none is negative and their sum is 1"
    if bins is None and arguments.get("internal_weight_holdout"):
        yield "values have no internal_weight_holdout, only bins have: leave it out"


def _is_above(low: object, high: object) -> bool:
    """Whether a lower bound is above the upper one, of values that can be compared."""
    if isinstance(low, str) and isinstance(high, str) and _is_time(low) and _is_time(high):
        return _moment(low) > _moment(high)
    both = _is("number", low) and _is("number", high)
    return both and low > high  # type: ignore[operator]


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _of_types(kind: str, arguments: Arguments, classes: Types) -> Iterable[str]:
    """Whether the columns hold what the expectation is about."""
    condition = arguments.get("row_condition")
    if isinstance(condition, str):
        yield from _of_condition(condition, classes)
    named = _columns(arguments, classes)
    if len(set(named)) < len(named):
        yield "it names a column twice"
    if kind in _OF_THE_VALUES and any(classes[name] == "text" for name in named):
        yield f"{named[0]} holds text, which Great Expectations does not order; {_QUERY}"
    wanted = ""
    if any(word in kind for word in _NUMBERS_ONLY):
        wanted = "number"
    elif any(word in kind for word in _TEXT_ONLY):
        wanted = "text"
    for name in named:
        if wanted and classes[name] != wanted:
            yield f"{name} holds {_plural(classes[name])}, not {_plural(wanted)}; {_QUERY}"
    if any(word in kind for word in _PAIRS) and len({classes[name] for name in named}) > 1:
        held = ", ".join(f"{name} {_plural(classes[name])}" for name in named)
        yield f"the columns hold different things ({held}); {_QUERY}"


def _of_condition(condition: str, classes: Types) -> Iterable[str]:
    """Whether a condition names columns as Great Expectations reads them."""
    named = _COLUMN.findall(condition)
    if not named:
        yield f'row_condition: {condition!r} names no column; write `col("name") > 0`'
    elif not _CONDITION.fullmatch(condition):
        yield (
            f"row_condition: {condition!r} is not one comparison with a number, a text in quotes"
            ' without quotes in it, or a date such as date("2025-10-31"); of a boolean, and of'
            f" several conditions, {_QUERY}"
        )
    for name in named:
        if name not in classes:
            yield f"row_condition: there is no column '{name}'; known are {', '.join(classes)}"


def _of_values(kind: str, arguments: Arguments, classes: Types) -> Iterable[str]:
    """Whether values that are compared with a column are of its kind."""
    column = str(arguments.get("column"))
    held = classes.get(column)
    for name in _BOUNDS:
        value = arguments.get(name)
        wanted = held if kind in _OF_THE_VALUES else "number"
        if isinstance(value, int) and abs(value) >= _TOO_LARGE:
            yield f"{name}: DuckDB compares numbers of at most 38 digits"
        elif value is not None and wanted and not _is(wanted, value):
            yield f"{name}: {value!r} is compared with {column}: write {_SAYS[wanted]}"
    if held:
        for value in arguments.get("value_set") or ():
            if not _is(held, value):
                yield f"value_set: {value!r} is compared with {column}: write {_SAYS[held]}"
    pair = [str(arguments.get(name)) for name in ("column_A", "column_B")]
    for values in arguments.get("value_pairs_set") or ():
        for name, value in zip(pair, values, strict=False):
            if name in classes and value is not None and not _is(classes[name], value):
                say = _SAYS[classes[name]]
                yield f"value_pairs_set: {value!r} is compared with {name}: write {say}"


def _of_engine(arguments: Arguments) -> Iterable[str]:
    """What DuckDB says of patterns and queries, without any rows."""
    patterns = [arguments.get("regex"), *(arguments.get("regex_list") or ())]
    for pattern in filter(None, patterns):
        if problem := _problem("select regexp_matches('', ?)", str(pattern)):
            yield f"{pattern!r} is no regular expression ({problem})"
    likes = [arguments.get("like_pattern"), *(arguments.get("like_pattern_list") or ())]
    for pattern in filter(None, likes):
        if "\\" in str(pattern):
            yield f"{pattern!r}: LIKE knows no escape in DuckDB; use the expectation with regex"


@lru_cache(maxsize=1024)
def _problem(query: str, *parameters: str) -> str:
    """What is wrong with a query; empty if nothing is. Only one with parameters is run."""
    import duckdb

    try:
        if parameters:
            asking_database().execute(query, parameters).fetchall()
            return ""
        statements = asking_database().extract_statements(on_batch(query))
    except (KeyError, IndexError, ValueError, AttributeError):
        return "the query has braces beside {batch}; double them, as in '[0-9]{{3}}'"
    except duckdb.Error as error:
        reason = str(error).partition(": ")[2].splitlines()[0]
        return reason if parameters else f"the query is no SQL of DuckDB ({reason})"
    selects = [str(statement.type) for statement in statements] == ["StatementType.SELECT"]
    if not selects:
        return "give one query that selects the rows that should not be there"
    return _unfit(query)


def _unfit(query: str) -> str:
    """What Great Expectations and SQLAlchemy make of a query; empty if nothing else."""
    import duckdb

    if found := _PARAMETER.search(query):
        return (
            f"{found[0]} is taken for a parameter; write a blank or chr(58)"
            " in place of the colon, and ( in place of (?: in a pattern"
        )
    inside = on_batch(query).rstrip(" ;\n")
    try:
        asking_database().extract_statements(f"select * from ({inside})")
    except duckdb.Error:
        return (
            "it is put into brackets, and its last line is a comment after"
            " --; write it as /* ... */, or above"
        )
    return ""


def _columns(arguments: Arguments, classes: Types) -> list[str]:
    names = [arguments.get(name) for name in ("column", "column_A", "column_B")]
    names += arguments.get("column_list") or ()
    return [name for name in names if isinstance(name, str) and name in classes]


def _is(wanted: str, value: object) -> bool:
    if wanted == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if wanted == "bool":
        return isinstance(value, bool)
    if not isinstance(value, str):
        return False
    return wanted == "text" or _is_time(value)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _plural(held: str) -> str:
    return {"bool": "booleans", "text": "text"}.get(held, f"{held}s")
