"""Previews in the form that kedro-viz shows, without personal data."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable, Collection
from typing import Any

import polars as pl
import polars.selectors as cs
from kedro.io import DatasetError
from kedro_datasets._typing import HTMLPreview, JSONPreview, TablePreview

from medallion.errors import MedallionError
from medallion.masking import Mask
from medallion.spec import INGESTION_DAY, SNAPSHOT_DAY, Spec

_HIDDEN = "<masked>"
_LONGEST_LIST, _LONGEST_TEXT = 20, 500
# JavaScript reads every number as a double: beyond this, digits would change.
_LARGEST_INT = 2**53
_NO_TIME = "<no time of the calendar>"
_TIMES = cs.date() | cs.datetime()
# The days around 1970 that Polars has a name for, and how many units of time a day has.
_DAYS = 95_000_000
_PER_DAY = {None: 1, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_mask = Mask()


def table_preview(
    read: Callable[[], pl.DataFrame], is_hidden: Callable[[str], bool]
) -> TablePreview:
    """The rows of a small frame as kedro-viz shows them.

    Args:
        read: Reads the rows.
        is_hidden: Whether the values of a column may not be shown.

    Raises:
        DatasetError: The rows cannot be read; the message quotes no value.
    """
    frame = _read(read)
    columns = [
        [_cell(value, is_masked=is_hidden(column.name)) for value in _values(column)]
        for column in frame.with_columns(map(_time_as_text, frame.select(_TIMES)))
    ]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return TablePreview({"index": list(range(len(rows))), "columns": frame.columns, "data": rows})


def _time_as_text(column: pl.Series) -> pl.Expr:
    """Dates and times as text: Python's end with the year 9999, those of the files do not.

    Polars panics at those that no calendar has; they are not asked for.
    """
    per_day = _PER_DAY[getattr(column.dtype, "time_unit", None)]
    here = pl.col(column.name)
    known = here.to_physical().cast(pl.Int64).is_between(-_DAYS * per_day, _DAYS * per_day)
    shown = pl.when(known).then(here).cast(pl.String)
    return pl.when(here.is_not_null()).then(shown.fill_null(_NO_TIME)).alias(column.name)


def _values(column: pl.Series) -> list[Any]:
    """The values; one that Polars cannot give, inside of a list or a struct, is named as such."""
    try:
        return column.to_list()
    except pl.exceptions.PanicException:
        if len(column) == 1:
            return [_NO_TIME]
        return [value for n in range(len(column)) for value in _values(column.slice(n, 1))]


def json_preview(read: Callable[[], Any]) -> JSONPreview:
    """A value as JSON; long lists and texts are cut, and say so."""
    return JSONPreview(json.dumps(_short(_read(read)), default=str))


def text_preview(read: Callable[[], str]) -> HTMLPreview:
    """A text as it is written, in a page of its own."""
    return HTMLPreview(f"<pre>{html.escape(_mask(_read(read)))}</pre>")


def hides_in_table(spec: Spec, table: str) -> Callable[[str], bool]:
    """Which columns of a table of Bronze or of the lake may not be shown.

    A column that nobody has declared is among them: it may hold anything.

    Args:
        spec: Which columns are personal.
        table: A name of the spec, or layer and name, such as `base/orders`.
    """
    layer, _, name = table.rpartition("/")
    if layer == "enriched":
        declared = set(spec.transforms[name].columns)
    else:
        declared = {column for column, kind in spec.contract(name).items() if not kind.personal}
        business = spec.tables[name].business_date
        declared |= {business.column} if business else set()
        declared |= set(spec.tables[name].partition_keys)
    shown = declared | {INGESTION_DAY, SNAPSHOT_DAY, "ingest_dt", "invalid_reason"}
    return lambda column: column not in shown


def hides_personal_names(spec: Spec) -> Callable[[str], bool]:
    """Which columns of a mart may not be shown: those named as a personal one of the spec."""
    personal = {
        name
        for table in spec.tables
        for name, column in spec.contract(table).items()
        if column.personal
    }
    return lambda column: column.lower() in personal


def hides(*names: str) -> Callable[[str], bool]:
    """Hides the columns of these names."""
    hidden: Collection[str] = frozenset(names)
    return lambda column: column in hidden


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except MedallionError as error:
        raise DatasetError(_mask(error.message)) from None
    # Engines quote values in their errors, and kedro-viz writes errors into its log. What
    # Polars panics with is no `Exception` of Python.
    except (Exception, pl.exceptions.PanicException) as error:  # noqa: BLE001
        raise DatasetError(
            f"It cannot be read ({type(error).__name__}); is it made yet? Try `kedro run`."
        ) from None


def _cell(value: Any, *, is_masked: bool) -> Any:
    if value is None:
        return None
    return _HIDDEN if is_masked else _plain(value)


def _plain(value: Any) -> Any:
    """A value that JSON has, and that means there what it means here."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST_INT:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, bytes):
        return _of_bytes(value)
    if isinstance(value, (list, dict)):
        return _cut(json.dumps(_short(value), default=str, ensure_ascii=False))
    return _cut(_mask(str(value)))


def _of_bytes(value: bytes) -> str:
    try:
        return _cut(_mask(value.decode()))
    except UnicodeDecodeError:
        return f"<{len(value)} bytes>"


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _short(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        shown = [_short(inner) for inner in value[:_LONGEST_LIST]]
        more = len(value) - _LONGEST_LIST
        return [*shown, f"... and {more} more"] if more > 0 else shown
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return _of_bytes(value)
    return _cut(_mask(value)) if isinstance(value, str) else value


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
