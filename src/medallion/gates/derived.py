"""Expectations that follow from the spec, so that no suite has to repeat it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from medallion.gates.expectation import Expectation, Severity
from medallion.gates.subjects import GoldModel
from medallion.spec import INGESTION_DAY, Column, Spec, Table

Derived = dict[str, list[Expectation]]


def derived(layer: str, table: str, spec: Spec, models: Mapping[str, GoldModel]) -> Derived:
    """The expectations of a table that its spec implies, by subject.

    Args:
        layer: The layer.
        table: The table.
        spec: The facts about the tables.
        models: The marts.
    """
    if layer == "bronze":
        return _bronze(table, spec)
    if layer == "dims":
        return _dims(table, spec)
    if layer == "base_silver":
        return _base_silver(table, spec)
    if layer == "enriched":
        return _enriched(table, spec)
    return _gold(models[table])


def _bronze(table: str, spec: Spec) -> Derived:
    facts = spec.tables[table]
    origin = f"spec.yml: tables.{table}"
    found: Derived = {
        "partitions": [
            _true("has_manifest", "warning", "A folder without manifest is not complete.", origin),
            _nothing("manifest_problem", "critical", "A manifest lists what to read.", origin, 1),
            _nothing("unlisted_files", "critical", "A file nobody lists is not read.", origin),
        ],
        "files": [
            _nothing("problem", "critical", "Every listed file must be readable.", origin, 1),
            Expectation(
                "expect_column_pair_values_to_be_equal",
                {"column_A": "manifest_rows", "column_B": "footer_rows"},
                "critical",
                "A file must hold the rows that were delivered.",
                origin,
            ),
            _nothing("missing_required_columns", "critical", _CONTRACT, f"{origin}.columns"),
            _nothing("ambiguous_columns", "critical", _TWICE, f"{origin}.columns"),
            _nothing("schema_drift", "warning", _CONTRACT, f"{origin}.columns"),
        ],
    }
    if facts.kind == "event":
        found["days"] = list(_days(facts, spec, origin))
    return found


def _days(facts: Table, spec: Spec, origin: str) -> Iterable[Expectation]:
    if not facts.may_be_absent:
        yield _true("is_delivered", "critical", "A day without these rows is incomplete.", origin)
    volume = spec.quality.volume
    where = "spec.yml: quality.volume"
    for severity, (low, high) in (("warning", volume.warn), ("critical", volume.stop)):
        yield _between(
            "volume_ratio",
            severity,  # type: ignore[arg-type]
            "Far more or fewer rows than the days before: something is lost or doubled.",
            where,
            min_value=low,
            max_value=high,
        )


def _dims(table: str, spec: Spec) -> Derived:
    origin = f"spec.yml: tables.{table}"
    least = round(1 - spec.quality.max_snapshot_shrink, 6)
    return {
        "rows": list(_columns(spec.tables[table], origin, spec)),
        "measures": [
            Expectation(
                "expect_column_values_to_not_be_null",
                {"column": "snapshot_dt"},
                "critical",
                "The day needs a snapshot.",
                origin,
            ),
            _unique(spec.tables[table].key, origin),
            _none_left_over(origin),
            *_outcome(table, spec),
            _between(
                "share_of_last_snapshot",
                "critical",
                "A dimension does not lose many of its rows from one snapshot to the next.",
                "spec.yml: quality.max_snapshot_shrink",
                min_value=least,
            ),
            _schema(origin),
        ],
    }


def _base_silver(table: str, spec: Spec) -> Derived:
    facts = spec.tables[table]
    origin = f"spec.yml: tables.{table}"
    return {
        "rows": list(_columns(facts, origin, spec)),
        "partitions": [_none_left_over(origin)],
        "measures": [
            _unique(facts.key, origin),
            *_outcome(table, spec),
            *(
                _between(
                    f"{fk.column}_found_share",
                    "critical",
                    f"Rows refer to {fk.parent} that exist.",
                    "spec.yml: quality.min_found_share",
                    min_value=spec.quality.min_found_share,
                )
                for fk in facts.foreign_keys
            ),
            _schema(origin),
        ],
    }


def _columns(facts: Table, origin: str, spec: Spec) -> Iterable[Expectation]:
    for name, column in facts.columns.items():
        where = f"{origin}.columns.{name}"
        if column.required:
            yield Expectation(
                "expect_column_values_to_not_be_null",
                {"column": name},
                "critical",
                "The column is required.",
                where,
            )
        yield from _values(name, column, where, spec)


def _values(name: str, column: Column, origin: str, spec: Spec) -> Iterable[Expectation]:
    if column.accepted:
        yield Expectation(
            "expect_column_values_to_be_in_set",
            {"column": name, "value_set": list(column.accepted)},
            "warning",
            "A value nobody knows yet: a typing error, or something new.",
            origin,
        )
    if column.check:
        is_money = column.check == "negative"
        least = 0 if is_money else 1
        most = spec.cleaning.max_money if is_money else spec.cleaning.max_quantity
        note = "Scoring puts such rows aside."
        yield _between(name, "critical", note, origin, min_value=least, max_value=most)
    if column.nullify and column.nullify != "email":
        bounds = {"min_value": column.nullify.below, "max_value": column.nullify.above}
        note = "Scoring makes such values null."
        yield _between(name, "critical", note, origin, **bounds)


def _outcome(table: str, spec: Spec) -> Iterable[Expectation]:
    quality, sla = spec.quality, spec.tables[table].sla
    where = f"spec.yml: tables.{table}.sla"
    yield _between(
        "lost_share",
        "critical",
        "Every Bronze row ends somewhere.",
        "spec.yml: quality.max_lost_share",
        max_value=quality.max_lost_share,
        strict_max=True,
    )
    yield _between(
        "quarantine_share",
        "critical",
        "So many rows put aside mean that a source has changed.",
        "spec.yml: quality.max_quarantine_share",
        max_value=quality.max_quarantine_share,
        strict_max=True,
    )
    yield _between("pass_rate", "warning", "The table's SLA.", where, min_value=sla)
    least = round(sla * (1 - quality.sla_warns_within), 6)
    note = "Too far below the table's SLA."
    yield _between("pass_rate", "critical", note, where, min_value=least)


def _enriched(table: str, spec: Spec) -> Derived:
    transform = spec.transforms[table]
    origin = f"spec.yml: transforms.{table}"
    measures = [
        _between("row_count", "critical", "A day that was made has rows.", origin, min_value=1),
        _no_repeats("repeated_grains", (INGESTION_DAY, *transform.grain), origin),
        _schema(origin),
    ]
    if any(facts.key == transform.grain for facts in spec.events.values()):
        note = "Every accepted row has one row here."
        measures.append(_zero("unmatched_rows", note, origin))
    return {"rows": list(_present((INGESTION_DAY, *transform.grain), origin)), "measures": measures}


def _gold(model: GoldModel) -> Derived:
    origin = f"dbt/models/gold/{model.name}.yml"
    return {
        "rows": list(_present(model.required, origin)),
        "measures": [
            _no_repeats("repeated_grains", model.grain, origin),
            _between(
                "row_count", "critical", "An empty mart answers nothing.", origin, min_value=1
            ),
            _schema(origin),
        ],
    }


_CONTRACT = "The producer delivers what the contract says."
_TWICE = "Of two columns of one name nobody can say which is meant."


def _schema(origin: str) -> Expectation:
    note = "The schema is the declared one."
    return _nothing("schema_differences", "critical", note, f"{origin}.columns")


def _present(columns: Iterable[str], origin: str) -> Iterable[Expectation]:
    for name in columns:
        yield Expectation(
            "expect_column_values_to_not_be_null",
            {"column": name},
            "critical",
            "It is part of the grain.",
            origin,
        )


def _unique(key: tuple[str, ...], origin: str) -> Expectation:
    return _zero("repeated_keys", f"{' + '.join(key)} is the key.", f"{origin}.key")


def _no_repeats(column: str, grain: tuple[str, ...], origin: str) -> Expectation:
    return _zero(column, f"One row per {' + '.join(grain)}.", origin)


def _none_left_over(origin: str) -> Expectation:
    return _zero("unaccounted_rows", "Every Bronze row ends in exactly one place.", origin)


def _zero(column: str, note: str, origin: str) -> Expectation:
    return _between(column, "critical", note, origin, min_value=0, max_value=0)


def _between(column: str, severity: Severity, note: str, origin: str, **bounds: Any) -> Expectation:
    given = {name: value for name, value in bounds.items() if value is not None}
    return Expectation(
        "expect_column_values_to_be_between", {"column": column, **given}, severity, note, origin
    )


def _true(column: str, severity: Severity, note: str, origin: str) -> Expectation:
    arguments = {"column": column, "value_set": [True]}
    return Expectation("expect_column_values_to_be_in_set", arguments, severity, note, origin)


def _nothing(
    column: str, severity: Severity, note: str, origin: str, always_stops: int = 0
) -> Expectation:
    arguments = {"column": column}
    kind = "expect_column_values_to_be_null"
    return Expectation(kind, arguments, severity, note, origin, always_stops=bool(always_stops))
