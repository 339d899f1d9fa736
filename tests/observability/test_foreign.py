"""Errors of other software never carry a value of the data to where people or files see them."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pydantic
import pytest

from medallion import foreign
from medallion.errors import DbtError, MedallionError
from medallion.runs.sinks.log import disclose

CANARY = "Zwetschgenweg O'Hara"
SQL = CANARY.replace("'", "''")


def ask(query: str) -> Callable[[], Any]:
    return lambda: duckdb.connect().execute(query).fetchall()


class _Number(pydantic.BaseModel):
    number: int


FAILING: dict[str, Callable[[], Any]] = {
    "cast": ask(f"select cast('{SQL}' as int)"),
    "cast of a column": ask(f"select v::int from (values ('{SQL}'), ('x')) t(v)"),
    "cast to a date": ask(f"select '{SQL}'::date"),
    "cast to an enum": ask(f"select '{SQL}'::enum('b')"),
    "key": ask(f"create table t (k text primary key); insert into t values ('{SQL}'), ('{SQL}')"),
    "check": ask(f"create table t (k text check (k = '')); insert into t values ('{SQL}')"),
    "strptime": ask(f"select strptime('{SQL}', '%Y')"),
    "json": ask(f"select json_extract('{{\"{SQL}', '$.a')"),
    "own words": ask(f"select error('{SQL}')"),
    "own words that look like code": ask(f"select error('Binder Error: {SQL}')"),
    "two lines": ask(f"select cast('a' || chr(10) || '{SQL}' as int)"),
    "polars cast": lambda: pl.Series("net_total", [CANARY, "1"]).cast(pl.Int64),
    "polars date": lambda: pl.Series([CANARY]).str.to_date("%Y"),
    "polars build": lambda: pl.Series([1, CANARY]),
    "polars literal": lambda: pl.DataFrame({"a": [1]}).filter(pl.col("a") == CANARY),
    "polars in a function": lambda: pl.Series([CANARY]).map_elements(int, return_dtype=pl.Int64),
    "arrow": lambda: pa.array([CANARY, 1]),
    "arrow cast": lambda: pa.array([CANARY]).cast(pa.int64()),
    "key error": lambda: {}[CANARY],
    "value error": lambda: int(CANARY),
    "utf-8": (CANARY.encode() + b"\xff").decode,
    "pydantic": lambda: _Number(number=CANARY),  # type: ignore[arg-type]
}


def raised(fail: Callable[[], Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - a panic of Polars is one
        fail()
    return caught.value


def wrapped(error: BaseException) -> RuntimeError:
    """As Kedro wraps errors: with their text in its own."""
    outer = RuntimeError(f"Failed while saving data: {error}")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize("name", FAILING)
def test_no_value_is_told_whoever_quotes_it(name: str) -> None:
    error = raised(FAILING[name])
    for one in (error, wrapped(error)):
        told = f"{foreign.disclosed(one)} {foreign.known(one)} {foreign.trace(one)}"
        assert "Zwetschgenweg" not in told
        assert "Hara" not in told


@pytest.mark.parametrize("name", FAILING)
def test_no_value_is_logged_with_or_without_its_trace(name: str) -> None:
    error = raised(FAILING[name])
    exc_info: Any = (type(error), error, error.__traceback__)
    for logger in ("kedro.pipeline.node", "great_expectations.validator", "medallion"):
        text = f"It failed: {error}"
        record = logging.LogRecord(logger, logging.ERROR, "", 0, "%s", (text,), exc_info)
        assert disclose(record)
        assert record.exc_info is None
        assert "Zwetschgenweg" not in f"{record.getMessage()} {record.exc_text}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Runtime Error in model int_orders_scored (models/a.sql)\n"
            f"  Conversion Error: Could not convert string '{CANARY}' to INT64\n\n  LINE 1: x",
            "Conversion Error: Could not convert string *** to INT64",
        ),
        (
            "Compilation Error in model x (models/a.sql)\n  'foo' is undefined.\n",
            "'foo' is undefined.",
        ),
        (
            '(_duckdb.BinderException) Binder Error: Referenced column "no" not found\n[SQL: x]',
            'Binder Error: Referenced column "no" not found',
        ),
        ("Type DOUBLE with value 4711.5 can't be cast", "Type DOUBLE with value ***"),
    ],
)
def test_what_happened_is_still_told(text: str, said: str) -> None:
    assert foreign.disclosed_text(text).startswith(said)


def test_names_of_the_spec_may_be_told() -> None:
    text = 'Conversion Error: Could not convert string "1" to INT64 from source column net_total'
    assert foreign.disclosed_text(text, ["net_total"]).endswith("from source column net_total")
    assert "net_total" not in foreign.disclosed_text(text.replace("net_total", "nobodys"), [])


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "make room"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "read-only"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "access"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/x"), "path is right"),
        (duckdb.IOException("IO Error: Could not write: No space left on device"), "make room"),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to pin"), "memory_limit"),
        (pl.exceptions.ComputeError("write failed (os error 28)"), "make room"),
        (duckdb.ConversionException("Conversion Error: No space left on device"), "a value of"),
        (duckdb.BinderException("Binder Error: x"), ""),
        (KeyError("x"), "error of the program"),
    ],
)
def test_a_hint_is_given_where_its_cause_was_seen(error: Exception, hint: str) -> None:
    told = foreign.known(error).hint
    assert hint in told
    assert bool(told) is bool(hint)


def test_our_own_error_is_told_as_it_is_wherever_it_was_wrapped() -> None:
    ours = DbtError("dbt could not build all models:", hint="look at the model.")
    assert foreign.known(wrapped(ours)) is ours
    assert isinstance(foreign.known(ValueError("x")), MedallionError)


@pytest.mark.parametrize("text", ["Conversion Error: Could not convert", "Binder Error: x"])
def test_no_error_of_rows_or_code_speaks_of_disks(text: str) -> None:
    assert "room" not in foreign.advice(text)
    assert "make room" in foreign.advice("IO Error: No space left on device")


def test_a_file_that_has_vanished_is_named_with_what_to_do(tmp_path: Path) -> None:
    gone = tmp_path / "orders.parquet"
    with pytest.raises(duckdb.IOException) as caught:
        duckdb.execute("from read_parquet(?)", [str(gone)])
    told = foreign.known(caught.value)
    assert told.message == f"{gone}: No such file or directory."
    assert "nothing removes it during a run" in told.hint
    assert "nothing removes it during a run" in foreign.advice(str(caught.value))
