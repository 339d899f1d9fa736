"""Quarantined rows as CSV: complete files or none, and nothing overwritten by accident."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from medallion.errors import RequestError
from medallion.lake.inventory import LakeInventory
from medallion.lake.quarantined import Selection, reading
from medallion.quarantine.rows import masked_rows
from medallion.sql import identifier, literal

# A spreadsheet runs a cell that begins so as a formula, also behind blanks and in the wide form
# of these characters. An apostrophe before it makes it text.
_FORMULA = "^[\t\r\n]|^\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20]"
# A number is none, though it may begin with a minus sign: it stays as it came.
_NUMBER = r"\s*-?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?%?\s*"
# Blank text is an empty cell, so null needs a word of its own; data have never held this one.
_NULL = "<null>"


def export_table(
    lake: LakeInventory, table: str, selection: Selection, output: Path, *, force: bool = False
) -> int:
    """Writes the rows of one table into a CSV file; without rows no file is written.

    Returns:
        The rows written.

    Raises:
        RequestError: The file is there and may not be overwritten, or is a folder.
    """
    if output.is_dir():
        raise RequestError(
            f"{output} is a folder; the rows of one table go into a file.",
            hint=f"write --output {output / f'{table}.csv'}",
        )
    return _export(lake, selection, {table: output}, force=force)[table]


def export_tables(
    lake: LakeInventory, selection: Selection, output: Path, *, force: bool = False
) -> dict[str, int]:
    """Writes a CSV file for each of several tables into a folder.

    With `force`, the file that an earlier export has left of a table without rows goes.

    Returns:
        The rows written, by table; tables without rows are left out.

    Raises:
        RequestError: A file is there and may not be overwritten, or the folder is a file.
    """
    if output.is_file() or output.suffix == ".csv":
        raise RequestError(
            f"{output} is a file; the rows of several tables go into a folder, one file each.",
            hint="name a folder, or one table.",
        )
    files = {table: output / f"{table}.csv" for table in selection.tables}
    written = _export(lake, selection, files, force=force)
    for table, file in files.items():
        if not written[table]:
            file.unlink(missing_ok=True)
    return {table: rows for table, rows in written.items() if rows}


def _export(
    lake: LakeInventory, selection: Selection, files: Mapping[str, Path], *, force: bool
) -> dict[str, int]:
    there = [str(file) for file in files.values() if file.exists()]
    if there and not force:
        raise RequestError(
            "These files are there already:", details=there, hint="give --force to replace them."
        )
    statements = {table: masked_rows(lake, table, selection) for table in files}
    with _drafts(files) as drafts:
        rows = {table: _copy(statements[table], draft) for table, draft in drafts.items()}
        for table, file in files.items():
            if rows[table]:
                drafts[table].replace(file)
    return rows


@contextmanager
def _drafts(files: Mapping[str, Path]) -> Iterator[dict[str, Path]]:
    """A file beside each file, to write into; what is left of them goes."""
    drafts = {table: file.with_name(f".{file.name}.draft") for table, file in files.items()}
    try:
        for draft in drafts.values():
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.touch()
        yield drafts
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)


def _copy(statement: str, file: Path) -> int:
    if not statement:
        return 0
    with reading() as connection:
        columns = connection.execute(f"describe {statement}").fetchall()
        cells = ", ".join(_cell(name, kind) for name, kind, *_ in columns)
        copied = connection.execute(
            f"copy (select {cells} from ({statement})) to {literal(file)} "
            f"(format csv, header, nullstr '{_NULL}')"
        )
        return int(copied.fetchall()[0][0])


def _cell(name: str, kind: str) -> str:
    """A column, and its name, as a spreadsheet may open them."""
    column = identifier(name)
    heading = identifier(f"'{name}" if _is_formula(name) else name)
    if kind != "VARCHAR":
        return f"{column} as {heading}"
    is_formula = (
        f"regexp_matches({column}, '{_FORMULA}') and not regexp_full_match({column}, '{_NUMBER}')"
    )
    return f"case when {is_formula} then '''' || {column} else {column} end as {heading}"


def _is_formula(text: str) -> bool:
    return bool(re.match(_FORMULA, text)) and not re.fullmatch(_NUMBER, text)
