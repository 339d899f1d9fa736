"""Whatever a name or a value holds, DuckDB reads it as that name or value."""

from __future__ import annotations

from datetime import date

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.sql import identifier, identifiers, literal, literals, no_rows

TEXT = st.text(st.sampled_from("aB\"'`;\\ \n-%?ß🦆"), max_size=8)
DATABASE = duckdb.connect()


@settings(deadline=None)
@given(TEXT)
def test_a_literal_is_the_value(value: str) -> None:
    assert DATABASE.execute(f"select {literal(value)}").fetchall() == [(value,)]


@settings(deadline=None)
@given(TEXT.filter(bool))
def test_an_identifier_is_the_name(name: str) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(
            f"select {identifier(name)} from (select 1 as {identifier(name)})"
        )
        assert found.description[0][0] == name


def test_lists_are_separated_by_commas() -> None:
    assert identifiers(["a", 'b"c']) == '"a", "b""c"'
    assert literals(["it's", date(2025, 10, 1)]) == "'it''s', '2025-10-01'"


def test_no_rows_has_columns_with_types() -> None:
    found = DATABASE.execute(f"describe {no_rows({'a': 'bigint', 'b': 'date'})}").fetchall()
    assert [row[:2] for row in found] == [("a", "BIGINT"), ("b", "DATE")]
