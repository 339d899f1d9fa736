"""Which files of a Bronze folder hold rows: what is there and is not read must be told.

Writers name files as they like: BigQuery exports `000000000000`, others leave `.pq`, or pack a
file once more. A name says enough only for those that everybody knows; else the first bytes do.
"""

from __future__ import annotations

import re
from typing import Any

from medallion.storage.litter import is_hidden

# How files of rows end, whoever wrote them, packed once more or not.
_ROWS = re.compile(
    r".*\.(parquet|parq|pq|orc|avro|csv|tsv|jsonl|ndjson)(\.(gz|gzip|bz2|zst|lz4|snappy|br|zip))?",
    re.IGNORECASE | re.DOTALL,
)
# A part's number without any ending, as in `000000000000` or `part-00000`.
_NUMBERED = re.compile(r"[^.]*\d[^.]*")
# The first bytes of a Parquet file, and of one with an encrypted footer.
_MAGIC = (b"PAR1", b"PARE")


def data_files(fs: Any, folder: str) -> list[str]:
    """The files below a folder that hold rows and are somebody's, ascending; or it itself.

    Args:
        fs: The file system.
        folder: A folder, or a file that lies where a folder should.

    Raises:
        OSError: The folder cannot be listed.
    """
    if not fs.isdir(folder):
        return [folder] if _holds_rows(fs, folder, _name(folder)) else []
    found = sorted(fs.find(folder))
    return [path for path in found if _holds_rows(fs, path, path.removeprefix(f"{folder}/"))]


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _holds_rows(fs: Any, path: str, inside: str) -> bool:
    if any(is_hidden(part) for part in inside.split("/")):
        return False
    name = _name(path)
    is_known = _ROWS.fullmatch(name) or _NUMBERED.fullmatch(name)
    return bool(is_known) or _begins_as_parquet(fs, path)


def _begins_as_parquet(fs: Any, path: str) -> bool:
    try:
        return fs.cat_file(path, start=0, end=len(_MAGIC[0])) in _MAGIC
    except OSError:
        return True  # nobody can say what is in it
