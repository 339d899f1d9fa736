"""The report of a gate: the verdict first, then what it stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from medallion.gates.layers import LAYERS
from medallion.gates.reports.rows import count_in, number_in, text_in
from medallion.gates.result import Failure, GateResult, Json

_VERDICTS = {
    "passed": "**Passed**: everything holds.",
    "warned": "**Passed with warnings.**",
    "stopped": "**Stopped**: the run went no further.",
}
_EXAMPLES = 3
_WENT = (
    "bronze_rows",
    "accepted_rows",
    "quarantined_rows",
    "superseded_rows",
    "unaccounted_rows",
)
_DRIFT = {
    "missing_required_columns": "required: {} missing",
    "ambiguous_columns": "{} twice in the file",
    "schema_drift": "{}",
}


def markdown(result: GateResult) -> str:
    """Writes the report of a gate, of what it has looked at in this run."""
    sections = [
        [f"# {LAYERS[result.layer].TITLE}: {result.verdict}", ""],
        list(_verdict(result)),
        list(_findings("What failed", _that_matter(result.failures))),
        list(
            _findings(
                "What earlier runs found, and still stands", _that_matter(result.earlier_failures)
            )
        ),
        list(_findings("For information", _for_information(result))),
        list(_reconciliation(result)),
        list(_put_aside(result)),
        list(_nullified(result)),
        list(_drift(result)),
        list(_volume(result)),
        list(_tables(result)),
    ]
    return "\n".join(line for section in sections for line in section).rstrip() + "\n"


def _verdict(result: GateResult) -> Iterable[str]:
    counted = {
        severity: sum(failure.severity == severity for failure in result.failures)
        for severity in ("critical", "warning")
    }
    informed = len(_for_information(result))
    more = f", {informed} for information" if informed else ""
    yield _VERDICTS[result.verdict]
    yield ""
    yield (
        f"{result.evaluated:,} expectations on {len(result.tables)} tables; failed: "
        f"{counted['critical']} critical, {counted['warning']} warnings{more}. "
        f"Mode: {result.mode}."
    )
    yield ""


def _findings(title: str, failures: Sequence[Failure]) -> Iterable[str]:
    if not failures:
        return
    yield f"## {title}"
    yield ""
    for failure in failures:
        yield f"- **{failure.place}** ({failure.severity}): {failure.observed}"
        if failure.expected:
            yield f"  - expected: {failure.expected}"
        if failure.note and failure.note.rstrip(".") != failure.expected:
            yield f"  - why: {failure.note}"
        for example in failure.examples[:_EXAMPLES]:
            shown = ", ".join(f"{name} = {value}" for name, value in example.items())
            yield f"  - for example {shown}"
    yield ""


def _that_matter(failures: Iterable[Failure]) -> list[Failure]:
    return [failure for failure in failures if failure.matters]


def _for_information(result: GateResult) -> list[Failure]:
    return [one for one in result.every_failure if not one.matters and one.is_told]


def _reconciliation(result: GateResult) -> Iterable[str]:
    """Where the rows went: of every table, or against its files."""
    rows = {
        table: found[0]
        for table, found in result.measured("measures").items()
        if found and found[0].get("bronze_rows") is not None
    }
    if rows:
        yield from _table(
            "Where the rows went",
            [
                "table",
                "Bronze",
                "accepted",
                "quarantined",
                "superseded",
                "unaccounted",
                "pass rate",
            ],
            [
                [
                    table,
                    *(_number(count_in(row, name)) for name in _WENT),
                    _share(number_in(row, "pass_rate")),
                ]
                for table, row in rows.items()
            ],
        )
    files = result.measured("files")
    if files:
        yield from _table(
            "Rows delivered",
            ["table", "partitions", "files", "rows by manifest", "rows in the files"],
            [
                [
                    table,
                    _number(len({text_in(row, "partition") for row in found})),
                    _number(len(found)),
                    _number(sum(count_in(row, "manifest_rows") or 0 for row in found)),
                    _number(sum(count_in(row, "footer_rows") or 0 for row in found)),
                ]
                for table, found in files.items()
            ],
        )


def _put_aside(result: GateResult) -> Iterable[str]:
    reasons = [(table, row) for table, found in result.measured("reasons").items() for row in found]
    if not reasons:
        return
    ordered = sorted(reasons, key=lambda r: (-_rows(r[1]), r[0], text_in(r[1], "reason")))
    yield from _table(
        "Why rows were put aside",
        ["table", "reason", "rows", "of the table"],
        [
            [
                table,
                f"`{text_in(row, 'reason')}`",
                _number(_rows(row)),
                _share(number_in(row, "share")),
            ]
            for table, row in ordered
        ],
    )
    yield from _trend(result)


def _rows(row: Json) -> int:
    return count_in(row, "row_count") or 0


def _trend(result: GateResult) -> Iterable[str]:
    """Shares of the last runs, oldest first."""
    if len(result.history) < 2:  # noqa: PLR2004 - one run makes no trend
        return
    names = sorted({name for entry in result.history for name in entry.shares})
    yield from _table(
        "Quarantine share of the last runs",
        ["run", *names],
        [
            [entry.run_id, *(_share(entry.shares.get(name)) for name in names)]
            for entry in result.history
        ],
    )


def _nullified(result: GateResult) -> Iterable[str]:
    lost = [(table, row) for table, found in result.measured("nullified").items() for row in found]
    if lost:
        yield from _table(
            "Optional values that could not be read",
            ["table", "column", "values", "of the rows"],
            [
                [
                    table,
                    text_in(row, "column_name"),
                    _number(_rows(row)),
                    _share(number_in(row, "share")),
                ]
                for table, row in sorted(lost, key=lambda found: -_rows(found[1]))
            ],
        )


def _drift(result: GateResult) -> Iterable[str]:
    """Differences from the declared schema, with the partitions that have them."""
    alike: dict[tuple[str, str], list[str]] = {}
    for table, found in result.measured("files").items():
        for row in found:
            for name, words in _DRIFT.items():
                if row.get(name):
                    said = words.format(row[name])
                    alike.setdefault((table, said), []).append(text_in(row, "partition"))
    for table, found in result.measured("measures").items():
        for row in found:
            if row.get("schema_differences"):
                alike[table, text_in(row, "schema_differences")] = [""]
    if alike:
        yield from _table(
            "Schema drift",
            ["table", "difference from the contract", "partitions"],
            [[t, said, _few(partitions)] for (t, said), partitions in alike.items()],
        )


def _volume(result: GateResult) -> Iterable[str]:
    days = {
        table: [row for row in found if row["volume_ratio"] is not None]
        for table, found in result.measured("days").items()
    }
    extremes: tuple[Callable[..., Json], ...] = (min, max)
    rows = [
        [
            table,
            _number(sum(_rows(row) for row in found)),
            *(_extreme(choose(found, key=_ratio)) for choose in extremes),
        ]
        for table, found in days.items()
        if found
    ]
    if rows:
        yield from _table(
            "Rows of a day over the median of the days before",
            ["table", "rows", "least", "greatest"],
            rows,
        )


def _tables(result: GateResult) -> Iterable[str]:
    rows = [
        [
            f"`{suite.name}`",
            "yes" if suite.success else "**no**",
            _number(suite.evaluated),
            _number(suite.failed),
            _number(suite.rows),
            f"{suite.seconds:.2f}",
        ]
        for suite in result.suites
        if suite.table in result.tables
    ]
    yield from _table(
        "What was looked at",
        ["suite", "holds", "expectations", "failed", "rows", "seconds"],
        rows,
    )


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    yield f"## {title}"
    yield ""
    yield f"| {' | '.join(columns)} |"
    numbers = [all(_is_number(row[n]) for row in rows) for n in range(len(columns))]
    yield f"|{'|'.join('---:' if is_number else '---' for is_number in numbers)}|"
    for row in rows:
        yield f"| {' | '.join(_escaped(cell) for cell in row)} |"
    yield ""


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("%", "").strip(" -").isdigit() or (
        cell in ("", "-")
    )


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _ratio(row: Json) -> float:
    return number_in(row, "volume_ratio") or 0.0


def _extreme(row: Json) -> str:
    return f"{_ratio(row):.2f} on {text_in(row, 'day')}"


def _few(partitions: Sequence[str]) -> str:
    different = sorted(set(partitions))
    more = f" and {len(different) - 2} more" if len(different) > 2 else ""  # noqa: PLR2004
    return ", ".join(different[:2]) + more
