"""The report of a gate: the verdict first, then what it stands on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from medallion.gates.gate import is_told, table_of

Result = Mapping[str, Any]
Row = Mapping[str, Any]

_TITLES = {
    "bronze": "Bronze, as delivered",
    "dims": "Dimension snapshots",
    "base_silver": "Base Silver",
    "enriched": "Enriched Silver",
    "gold": "Gold",
}
_VERDICTS = {
    "passed": "**Passed**: everything holds.",
    "warned": "**Passed with warnings.**",
    "stopped": "**Stopped**: the run went no further.",
}
_EXAMPLES = 3


def markdown(result: Result) -> str:
    """Writes the report of a gate.

    Args:
        result: The result of `gates.gate.result_of`, with its facts.
    """
    sections = [
        [f"# {_TITLES[result['layer']]}: {result['verdict']}", ""],
        list(_verdict(result)),
        list(_findings("What failed", _that_matter(result["failures"]))),
        list(
            _findings("What earlier runs found, and still stands", _that_matter(result["standing"]))
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


def _verdict(result: Result) -> Iterable[str]:
    counted = {
        severity: sum(failure["severity"] == severity for failure in result["failures"])
        for severity in ("critical", "warning")
    }
    informed = len(_for_information(result))
    more = f", {informed} for information" if informed else ""
    yield _VERDICTS[result["verdict"]]
    yield ""
    yield (
        f"{result['evaluated']:,} expectations on {len(result['tables'])} tables; failed: "
        f"{counted['critical']} critical, {counted['warning']} warnings{more}. "
        f"Mode: {result['mode']}."
    )
    yield ""


def _findings(title: str, failures: Sequence[Row]) -> Iterable[str]:
    if not failures:
        return
    yield f"## {title}"
    yield ""
    for failure in failures:
        where = "/".join(part for part in (failure["table"], failure["partition"]) if part)
        yield f"- **{where}** ({failure['severity']}): {failure['observed']}"
        if failure["expected"]:
            yield f"  - expected: {failure['expected']}"
        if failure["note"] and failure["note"].rstrip(".") != failure["expected"]:
            yield f"  - why: {failure['note']}"
        for example in failure["examples"][:_EXAMPLES]:
            shown = ", ".join(f"{name} = {value}" for name, value in example.items())
            yield f"  - for example {shown}"
    yield ""


def _that_matter(failures: Iterable[Row]) -> list[Row]:
    return [failure for failure in failures if failure["severity"] != "info"]


def _for_information(result: Result) -> list[Row]:
    every = (*result["failures"], *result["standing"])
    return [one for one in every if one["severity"] == "info" and is_told(one)]


def _reconciliation(result: Result) -> Iterable[str]:
    """Where the rows went: of every table, or against its files."""
    rows = {
        table: found[0]
        for table, found in facts(result, "measures").items()
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
                [table, *(_number(row.get(name)) for name in _WENT), _share(row["pass_rate"])]
                for table, row in rows.items()
            ],
        )
    files = facts(result, "files")
    if files:
        yield from _table(
            "Rows delivered",
            ["table", "partitions", "files", "rows by manifest", "rows in the files"],
            [
                [
                    table,
                    _number(len({row["partition"] for row in found})),
                    _number(len(found)),
                    _number(sum(row["manifest_rows"] or 0 for row in found)),
                    _number(sum(row["footer_rows"] or 0 for row in found)),
                ]
                for table, found in files.items()
            ],
        )


def _put_aside(result: Result) -> Iterable[str]:
    reasons = [(table, row) for table, found in facts(result, "reasons").items() for row in found]
    if not reasons:
        return
    ordered = sorted(reasons, key=lambda r: (-r[1]["row_count"], r[0], r[1]["reason"]))
    yield from _table(
        "Why rows were put aside",
        ["table", "reason", "rows", "of the table"],
        [[t, f"`{r['reason']}`", _number(r["row_count"]), _share(r["share"])] for t, r in ordered],
    )
    yield from _trend(result)


def _trend(result: Result) -> Iterable[str]:
    """Shares of the last runs, oldest first."""
    history: Sequence[Row] = result.get("history", ())
    if len(history) < 2:  # noqa: PLR2004 - one run makes no trend
        return
    names = sorted({name for entry in history for name in entry["shares"]})
    yield from _table(
        "Quarantine share of the last runs",
        ["run", *names],
        [[e["run_id"], *(_share(e["shares"].get(name)) for name in names)] for e in history],
    )


def _nullified(result: Result) -> Iterable[str]:
    lost = [(table, row) for table, found in facts(result, "nullified").items() for row in found]
    if lost:
        yield from _table(
            "Optional values that could not be read",
            ["table", "column", "values", "of the rows"],
            [
                [t, r["column_name"], _number(r["row_count"]), _share(r["share"])]
                for t, r in sorted(lost, key=lambda found: -found[1]["row_count"])
            ],
        )


_DRIFT = {
    "missing_required_columns": "required: {} missing",
    "ambiguous_columns": "{} twice in the file",
    "schema_drift": "{}",
}


def _drift(result: Result) -> Iterable[str]:
    """Differences from the declared schema, with the partitions that have them."""
    alike: dict[tuple[str, str], list[str]] = {}
    for table, found in facts(result, "files").items():
        for row in found:
            for name, words in _DRIFT.items():
                if row.get(name):
                    said = words.format(row[name])
                    alike.setdefault((table, said), []).append(row["partition"])
    for table, found in facts(result, "measures").items():
        for row in found:
            if row.get("schema_differences"):
                alike[table, row["schema_differences"]] = [""]
    if alike:
        yield from _table(
            "Schema drift",
            ["table", "difference from the contract", "partitions"],
            [[t, said, _few(partitions)] for (t, said), partitions in alike.items()],
        )


def _volume(result: Result) -> Iterable[str]:
    days = {
        table: [row for row in found if row["volume_ratio"] is not None]
        for table, found in facts(result, "days").items()
    }
    rows = [
        [
            table,
            _number(sum(row["row_count"] or 0 for row in found)),
            *(_extreme(choose(found, key=_ratio)) for choose in (min, max)),
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


def _tables(result: Result) -> Iterable[str]:
    rows = [
        [
            f"`{suite['suite_name']}`",
            "yes" if suite["success"] else "**no**",
            _number(suite["statistics"]["evaluated_expectations"]),
            _number(suite["statistics"]["unsuccessful_expectations"]),
            _number(suite["meta"]["rows"]),
            f"{suite['meta']['seconds']:.2f}",
        ]
        for suite in result["suites"]
        if table_of(suite) in result["tables"]
    ]
    yield from _table(
        "What was looked at",
        ["suite", "holds", "expectations", "failed", "rows", "seconds"],
        rows,
    )


def facts(result: Result, subject: str) -> dict[str, list[dict[str, Any]]]:
    """The measured rows of one subject, by table."""
    suffix = f"__{subject}"
    return {
        relation.removesuffix(suffix): rows
        for relation, rows in result.get("facts", {}).items()
        if relation.endswith(suffix)
    }


_WENT = (
    "bronze_rows", "accepted_rows", "quarantined_rows", "superseded_rows", "unaccounted_rows",
)  # fmt: skip


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


def _ratio(row: Row) -> float:
    return float(row["volume_ratio"])


def _extreme(row: Row) -> str:
    return f"{row['volume_ratio']:.2f} on {row['day']}"


def _few(partitions: Sequence[str]) -> str:
    different = sorted(set(partitions))
    more = f" and {len(different) - 2} more" if len(different) > 2 else ""  # noqa: PLR2004
    return ", ".join(different[:2]) + more
