"""The reasons for which a row is put aside: which there are, and which columns they name.

A row carries `invalid_reason`, codes joined by `|`; a code is `check:column`.
"""

from __future__ import annotations

import re

from medallion.spec.models import Spec

SEPARATOR = "|"
_WORD = re.compile(r"[a-z][a-z0-9_]*")


def reason_codes(spec: Spec, table: str) -> tuple[str, ...]:
    """Every code that a row of the table can carry, in the order in which rows carry them."""
    declared, columns = spec.tables[table], spec.contract(table)
    referring = {fk.column for fk in declared.foreign_keys}
    duplicate = [f"duplicate:{'+'.join(declared.key)}"] if declared.kind == "event" else []
    checked = [(name, column.check) for name, column in columns.items() if column.check]
    return (
        *(f"{check}:{name}" for name in declared.required for check in ("missing", "ambiguous")),
        *(f"unparseable:{name}" for name in declared.required),
        *(f"{code}:{name}" for name, check in checked for code in (check, "too_large")),
        *(f"rule:{name}" for name in declared.rules),
        *(f"rule:implausible_date:{name}" for name, column in columns.items() if column.plausible),
        *(f"fk:{name}" for name in columns if name in referring),
        *duplicate,
    )


def offending_columns(spec: Spec, table: str, invalid_reason: str) -> tuple[str, ...]:
    """The columns that a row's reasons are about, in the order in which they are named.

    A rule is about the columns in its condition. A duplicate is about its key, and about the
    time of ingestion, which decides between versions.
    """
    contract = spec.contract(table)
    named = [name for code in invalid_reason.split(SEPARATOR) for name in _named(spec, table, code)]
    return tuple(name for name in dict.fromkeys(named) if name in contract)


def _named(spec: Spec, table: str, code: str) -> list[str]:
    check, _, subject = code.partition(":")
    if check == "rule":
        condition = spec.tables[table].rules.get(subject)
        return _WORD.findall(condition or subject.rpartition(":")[2])
    return [*subject.split("+"), *(["ingestion_ts"] if check == "duplicate" else [])]


def is_kind_of(code: str, reason: str) -> bool:
    """Whether a code is the reason asked for, or one of its class, such as `fk`."""
    return code == reason or code.startswith(f"{reason}:")
