"""The one place where errors of other software become ours: what of them may be said.

DuckDB, Polars, Arrow, dbt and Great Expectations quote values in many wordings, and a value may
be anybody's address. So nothing of a text passes because it looks harmless: of an error that
can come from reading rows, only words of a closed vocabulary pass (words of the engines' own
sentences, names of types, names of the spec), and everything else is `***`. Errors that come
before any row is read (SQL that does not parse, a column that is not there, a file that cannot
be opened) speak of code and files, and are passed on.
"""

from __future__ import annotations

import errno
import os
import re
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from medallion.errors import LakeError, MedallionError
from medallion.masking import MASKED, Mask

_LONGEST = 400
_mask = Mask()
_names: set[str] = set()

# Said before any row is read: of SQL, of names, of files, of memory.
_OF_CODE = {
    "Binder", "Catalog", "Connection", "Dependency", "HTTP", "INTERRUPT", "IO", "Interrupt",
    "Not implemented", "NotImplemented", "Out of Memory", "OutOfMemory", "Parser", "Permission",
    "ResourceInUse", "Settings", "Syntax", "Transaction", "TransactionContext", "Compilation",
    "Parsing", "ColumnNotFound", "SchemaFieldNotFound", "StructFieldNotFound", "Duplicate",
}  # fmt: skip
_LABEL = re.compile(r"^\s*(?:\([\w.]+\)\s*)?(?P<label>[A-Za-z][A-Za-z ]*?) Error: ")
# dbt says in the first line of what model it speaks, and Great Expectations ends with the SQL.
_FRAME = re.compile(r"^\s*(?:(?P<kind>\w+) Error in .*|> in .*|)$")
_TAIL = re.compile(r"\n\s*(?:LINE \d+:|\[SQL:|\[parameters:|This error occurred|Resolved plan)")
ENGINES = ("duckdb", "_duckdb", "polars", "pyarrow", "dbt", "great_expectations", "sqlalchemy")
_CONFIGURING = ("kedro", "kedro_datasets", "omegaconf", "click")

# How DuckDB says of a file that it is not there.
_GONE = re.compile(r"No files found that match the pattern \"([^\"\n]+)\"")
_TYPE = (
    r"(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?\d*|VARCHAR|TEXT|STRING|BOOL(?:EAN)?|FLOAT|DOUBLE"
    r"|DATE|TIME|TIMESTAMP(?:_\w+)?|INTERVAL|BLOB|UUID|JSON|ENUM|STRUCT|LIST|MAP|UTF-?8|NULL"
    r"|[iu](?:8|16|32|64|128)|f(?:32|64)|str|U?Int(?:8|16|32|64|128)|Float(?:32|64)|Utf8|DECIMAL(?:\(\d+,\s?\d+\))?)"
)
_TOKENS = re.compile(
    r"(?P<quoted>\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|\[[^\]\n]*\])"
    rf"|(?P<type>(?<!\w){_TYPE}(?![\w(]))|(?P<word>[^\W\d_]\w*(?:-\w+)*)|(?P<mark>[\s,.:;!()>-])"
    r"|(?P<other>\S)"
)
_WORDS = frozenset(
    """
    a addition all allowed an and append are argument arithmetic array as at back be because been
    binary bit bits block blob body boolean builder but by byte bytes cannot cast casting character
    characters check codec column columns compare comparison compressed compression constraint
    contain contains conversion convert corrupt could data date datetime decimal decode decoding
    decompress decrypt deserializing destination dictionary did different digits divide division
    does dtype dtypes duplicate element encountered encrypted encryption end enough enum error
    escape evaluate exceed exceeds expected explicit failed failure field file fit fits fixed
    floating footer for format found from function group has header have in incompatible index
    input integer internal interval invalid is it key large length less level line list literal
    logical magic malformed match matches memory metadata mismatch missing more multiplication
    must name names negative no not null number numeric object occurred of offset on one only
    operation operator or out overflow page panicked parquet parse parsing pattern position
    precision primary read reading regex regular repetition replace result row rows scale schema
    sequence series shape signed size source specifier start string struct subtraction sum
    supported syntax than that the this time timestamp timezone to too truncated try type types
    unable unclosed undefined unexpected unicode unique unknown unsigned unsupported using value
    values version violates violation was when which width with within without wrong year
    zero exist batchdata
    zone expectations great gave resolving metrics
    """.split()  # noqa: SIM905 - a page of words, not of quotes
)

_ADVICE = {
    errno.ENOSPC: "make room on that disk, then run again; nothing is half-written.",
    errno.EDQUOT: "make room within the quota, then run again; nothing is half-written.",
    errno.EACCES: "give this user access to it, then run again; nothing is half-written.",
    errno.EPERM: "give this user access to it, then run again; nothing is half-written.",
    errno.EROFS: "it lies on a file system that is read-only: point MEDALLION_DATA_ROOT to a "
    "folder that can be written.",
    errno.EMFILE: "raise the number of files a process may open (`ulimit -n`), then run again.",
    errno.ENAMETOOLONG: "point MEDALLION_DATA_ROOT to a folder with a shorter path.",
    errno.EIO: "the disk or its network answered with an error: check it, then run again.",
    errno.ENOENT: "make sure that the path is right and that nothing removes it during a run.",
}
# How Polars begins what an object store has said.
_OF_A_STORE = "object-store error"
_DELETED = "it belongs to a state that `kedro lake gc` has deleted: load the table again."
_MEMORY = "raise `engine.memory_limit`, or lower `engine.threads`, in conf/base/parameters.yml."
_ROWS = (
    "a value of the rows cannot be worked with; it is left out here, as it may be personal. Look "
    "for it in the Bronze files of the days of this run, and have them delivered again."
)
_BUG = (
    "this is an error of the program, not of your input, unless the line above says so; the log "
    "of the run (`logs/<run>.jsonl` below the data root) has the trace, without data."
)


def know(names: Iterable[str]) -> None:
    """Lets names of the spec (tables, columns) pass in the texts of errors."""
    _names.update(names)


def disclosed(error: BaseException) -> str:
    """What may be said of an error, wherever it comes from: never a value of the data."""
    if isinstance(error, MedallionError):
        return str(error)
    root = _told_best(error)
    if isinstance(root, MedallionError):
        return str(root)
    kind = type(root).__name__
    if isinstance(root, OSError) and root.errno is not None:
        where = f"{root.filename}: " if root.filename else ""
        return _mask(f"{where}{root.strerror or os.strerror(root.errno)}.")
    if _is_of_code(root):
        if gone := _GONE.search(str(root)):
            return _mask(f"{gone[1]}: {os.strerror(errno.ENOENT)}.")
        return _mask(f"{kind}: {_first_lines(str(root))}")
    said = disclosed_text(_without_inputs(root))
    label = "" if _LABEL.match(said) else f"{kind}: "
    return f"{label}{said}{_place(root)}"


def disclosed_text(text: str, names: Iterable[str] = ()) -> str:
    """What may be said of an error that came as text alone, as dbt's and the gates' do.

    Args:
        text: The text.
        names: Names that are known here and may pass, beside those of the spec.
    """
    lines = text.splitlines() or [""]
    kinds = [found["kind"] for line in lines if (found := _FRAME.match(line)) and found["kind"]]
    body = "\n".join(line for line in lines if not _FRAME.match(line)) or lines[0]
    first = _LABEL.match(body)
    label = first["label"] if first else ""
    if label in _OF_CODE or (not label and "Compilation" in kinds):
        shown = _first_lines(re.sub(r"^\s*\([\w.]+\)\s*", "", body))
        return _mask(shown)
    rest = _first_lines(body[first.end() :] if first else body)
    return f"{label} Error: {_reduced(rest, names)}" if label in _LABELS else _reduced(rest, names)


# What DuckDB puts before errors that come from rows.
_LABELS = {
    "Conversion", "Invalid Input", "Out of Range", "Constraint", "Mismatch Type", "Internal",
    "INTERNAL", "Serialization", "Invalid type", "Sequence", "FATAL", "TransactionContext",
}  # fmt: skip


def known(error: BaseException) -> MedallionError:
    """An error as the person who runs the pipeline is told it, with advice that fits its cause."""
    root = _told_best(error)
    if isinstance(root, MedallionError):
        return root
    number = _errno(root)
    text = disclosed(root)
    if number is not None:
        hint = _ADVICE.get(number, "")
    elif isinstance(root, FileNotFoundError) and _OF_A_STORE in text:
        hint = _DELETED
    elif "OutOfMemory" in type(root).__name__ or isinstance(root, MemoryError):
        hint = _MEMORY
    elif _is_of_code(root) or _module(root) in _CONFIGURING:
        hint = ""
    else:
        hint = _ROWS if _module(root) in ENGINES else _BUG
    return (LakeError if number is not None else MedallionError)(text, hint=hint)


def advice(text: str) -> str:
    """What to do about an error of which only the text is known; empty if nobody knows."""
    number = _errno_of_text(text)
    if number is not None:
        return _ADVICE.get(number, "")
    if "Out of Memory Error" in text:
        return _MEMORY
    label = next(
        (found["label"] for line in text.splitlines() if (found := _LABEL.match(line))), ""
    )
    return _ROWS if label in _LABELS else ""


def trace(error: BaseException) -> str:
    """The stack trace of an error and of what caused it, with what may be said of each."""
    parts = [
        "Traceback (most recent call last):\n"
        + "".join(traceback.format_tb(one.__traceback__))
        + f"{type(one).__name__}: {_of_one(one)}"
        for one in reversed(list(chain(error)))
    ]
    return "\n\nwhich led to:\n\n".join(parts)


def without_values(message: str, error: BaseException | None) -> str:
    """A message about an error at hand, with what may be said in place of the error's text."""
    texts = {str(one): _of_one(one) for one in chain(error)} if error else {}
    for text in sorted(filter(None, texts), key=len, reverse=True):
        message = message.replace(text, texts[text])
    return message


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those it was raised from, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _of_one(error: BaseException) -> str:
    return str(error) if isinstance(error, MedallionError) else disclosed(error)


def _told_best(error: BaseException) -> BaseException:
    """The error of a chain that says most: ours, else an engine's or the system's."""
    links = list(chain(error))
    for one in links:
        if isinstance(one, MedallionError):
            return one
    for one in links:
        if isinstance(one, OSError) or _module(one) in ENGINES:
            return one
    return links[-1] if _module(error) in _CONFIGURING and len(links) > 1 else error


def _is_of_code(error: BaseException) -> bool:
    name = re.sub(r"(Exception|Error)$", "", type(error).__name__)
    if isinstance(error, OSError):
        return True
    if _module(error) in ENGINES:
        return name in _OF_CODE
    return _module(error) in _CONFIGURING and _alone(error)


def _alone(error: BaseException) -> bool:
    """Whether an error was raised of itself; another would be quoted in it."""
    return error.__cause__ is None and error.__context__ is None


def _module(error: BaseException) -> str:
    """The package of an error's class; of one of Python's own, the package that raised it."""
    package = type(error).__module__.partition(".")[0]
    if package != "builtins":
        return package
    frames = traceback.extract_tb(error.__traceback__)
    parts = Path(frames[-1].filename).parts if frames else ()
    found = [name for name in (*ENGINES, *_CONFIGURING) if name in parts]
    return found[0] if found else package


def _errno(error: BaseException) -> int | None:
    """The number of the system's error, if one was seen."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    name = type(error).__name__
    if isinstance(error, OSError) or name == "IOException" or _module(error) == "polars":
        return _errno_of_text(str(error))
    return None


def _errno_of_text(text: str) -> int | None:
    rust = re.search(r"\(os error (\d+)\)", text)
    if rust:
        return int(rust[1])
    is_io = text.lstrip().startswith("IO Error") or "\n  IO Error" in text
    said = [number for number in _ADVICE if os.strerror(number) in text]
    said += [errno.ENOENT] if _GONE.search(text) else []
    return said[0] if is_io and said else None


def _place(error: BaseException) -> str:
    """Where in the code an error of Python's own was raised."""
    if _module(error) in ENGINES or not error.__traceback__:
        return ""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f" (in {'/'.join(Path(frame.filename).parts[-3:])}, line {frame.lineno})"


def _without_inputs(error: BaseException) -> str:
    """The text of an error; pydantic's repeats the values it was given, its problems do not."""
    if type(error).__module__.startswith("pydantic") and hasattr(error, "errors"):
        return "; ".join(str(problem["msg"]) for problem in error.errors())
    return str(error)


def _first_lines(text: str) -> str:
    told = _TAIL.split(text, maxsplit=1)[0]
    return " ".join(told.split())[:_LONGEST]


def _reduced(text: str, names: Iterable[str] = ()) -> str:
    """A text of which only what is known to be no value is left."""
    known_names = _names.union(names)
    kept = "".join(_token(found, known_names) for found in _TOKENS.finditer(text))
    return re.sub(
        rf"(?:{re.escape(MASKED)}[\s,.:;!()>-]*?)*{re.escape(MASKED)}", MASKED, kept
    ).strip()


def _token(found: re.Match[str], names: set[str]) -> str:
    text = found[0]
    if found.lastgroup == "quoted":
        inner = text[1:-1]
        return text if inner in names or re.fullmatch(_TYPE, inner) else MASKED
    if found.lastgroup == "word":
        return text if text in names or _is_word(text) else MASKED
    return MASKED if found.lastgroup == "other" else text


def _is_word(text: str) -> bool:
    return text.lower() in _WORDS
