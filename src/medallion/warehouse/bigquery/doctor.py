"""What must be right of BigQuery before a run can load, looked at one by one."""

from __future__ import annotations

from collections.abc import Iterator

from medallion.errors import MedallionError
from medallion.storage.doctor import Diagnosis
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.failures import CallError, for_people
from medallion.warehouse.bigquery.settings import DRAFTS
from medallion.warehouse.bigquery.tables import DATASETS, expect_dataset


def diagnoses(calls: BigQuery) -> Iterator[Diagnosis]:
    """What was found, in the order in which it matters; nothing is changed."""
    project = calls.settings.project
    try:
        calls.query("select 1 as one")
    except (CallError, MedallionError) as error:
        told = for_people("no query is answered", error) if isinstance(error, CallError) else error
        yield Diagnosis("BigQuery", "failed", f"{project}: {told.message}", told.hint)
        return
    yield Diagnosis("BigQuery", "ok", f"{project} answers queries in {calls.settings.location}")
    for schema in DATASETS:
        yield _dataset(calls, schema)


def _dataset(calls: BigQuery, schema: str) -> Diagnosis:
    about, name, is_kept = "BigQuery dataset", calls.settings.dataset(schema), schema != DRAFTS
    try:
        found = calls.dataset(name)
        if found is None:
            return Diagnosis(
                about,
                "warning",
                f"{name} is not there",
                "the first run makes it, if its account may (bigquery.datasets.create).",
            )
        expect_dataset(found, calls.settings, is_kept=is_kept)
    except CallError as error:
        told = for_people(f"{name} cannot be seen", error)
        return Diagnosis(about, "failed", told.message, told.hint)
    except MedallionError as error:
        return Diagnosis(about, "failed", error.message, error.hint)
    life = "without an expiration" if is_kept else "for drafts"
    return Diagnosis(about, "ok", f"{name} in {found.location}, {life}")
