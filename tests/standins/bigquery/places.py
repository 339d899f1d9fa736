"""Locations: of datasets, of the jobs that work in them, and where a job is looked for."""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

from local_bigquery.api import Router, jobs, uploads
from local_bigquery.app import PREFIX, app
from local_bigquery.catalog import datasets, metadata, tables
from local_bigquery.errors import BigQueryError, not_found
from local_bigquery.jobs import runner
from local_bigquery.models import Dataset, Job, JobConfiguration, QueryRequest, Table
from local_bigquery.sql.rules import tables as rules

from tests.standins.bigquery.mending import Function, instead_of

# Jobs there are found without naming the location.
_MULTI_REGIONS = ("US", "EU")
_ONE_JOB = re.compile(r"/(jobs|queries)/[^/]+(/cancel|/delete)?$")
# Where the job works that is submitted or done; where the job is looked for that is asked for.
working: ContextVar[str | None] = ContextVar("working", default=None)
_looked_for: ContextVar[str | None] = ContextVar("looked_for", default=None)


def same(one: str | None, other: str | None) -> bool:
    """Whether two names are of one location."""
    return (one or "").casefold() == (other or "").casefold()


def of(project: str, dataset: str) -> str:
    """The location of a dataset: jobs without one work in the US."""
    stored = metadata.load(Dataset, project, dataset)
    return (stored and stored.location) or "US"


def check(project: str, dataset: str) -> None:
    """Refuses a dataset that lies elsewhere than the job.

    Raises:
        BigQueryError: It does.
    """
    place = working.get()
    if place and not same(place, of(project, dataset)):
        raise BigQueryError(
            "notFound", f"Not found: Dataset {project}:{dataset} was not found in location {place}"
        )


def _inferred(project: str, configuration: JobConfiguration) -> str:
    """Where a job works that does not say so: where its datasets are."""
    load, query, copy = configuration.load, configuration.query, configuration.copy_
    target = (load or query or copy) and (load or query or copy).destinationTable
    if target and target.datasetId != tables.RESULTS:
        return of(target.projectId or project, target.datasetId)
    default = query and query.defaultDataset
    if default and default.datasetId:
        return of(default.projectId or project, default.datasetId)
    for dataset in datasets.list_(project):
        name = dataset.datasetReference.datasetId
        if query and re.search(rf"\b{name}\b`?\s*\.", query.query or ""):
            return dataset.location or "US"
    return "US"


@instead_of(runner, "_job")
def job(original: Function, project: str, job_id: str, configuration: JobConfiguration) -> Job:
    place = working.get() or _inferred(project, configuration)
    working.set(place)
    made: Job = original(project, job_id, configuration)
    return made.replace(
        id=f"{project}:{place}.{job_id}",
        selfLink=made.selfLink.replace("location=US", f"location={place}"),
        jobReference={"projectId": project, "jobId": job_id, "location": place},
    )


@instead_of(runner, "get")
def find(original: Function, project: str, job_id: str) -> Job:
    found: Job = original(project, job_id)
    asked, place = _looked_for.get(), found.jobReference.location
    known = asked is None or (asked == "" and place in _MULTI_REGIONS) or same(asked, place)
    if not known:
        raise not_found("Job", f"{project}:{job_id}")
    return found


@instead_of(rules, "_not_found")
def missing(original: Function, *table: str) -> BigQueryError:
    error: BigQueryError = original(*table)
    place = working.get() or of(*table[:2])
    return BigQueryError(error.reason, error.message.replace("location US", f"location {place}"))


@instead_of(datasets, "_defaults")
def dataset_defaults(original: Function, project: str, dataset: str) -> Dataset:
    return original(project, dataset).replace(location=working.get() or "US")


@instead_of(datasets, "get")
def dataset(original: Function, project: str, dataset: str) -> Dataset:
    found: Dataset = original(project, dataset)
    check(project, dataset)
    return found


@instead_of(tables, "defaults")
def table_defaults(original: Function, *table: str) -> Table:
    return original(*table).replace(location=of(*table[:2]))


@instead_of(uploads, "_start")
def uploaded(original: Function, project: str, body: Job, upload: str) -> Any:
    working.set(body.jobReference and body.jobReference.location)
    return original(project, body, upload)


@instead_of(jobs, "with_rows")
def answer(original: Function, payload: dict[str, Any], rows: list[str]) -> Any:
    place = payload["jobReference"].location
    return original(payload | ({"location": place} if "location" in payload else {}), rows)


router = Router()


@router.post("/projects/{project_id}/jobs")
def insert_job(project_id: str, body: Job) -> Job:
    working.set(body.jobReference and body.jobReference.location)
    return jobs.insert_job(project_id, body)


@router.post("/projects/{project_id}/queries")
def run_query(project_id: str, body: QueryRequest) -> Any:
    working.set(body.location)
    return jobs.run_query(project_id, body)


class LookedFor:
    """Notes where a request looks for a job."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and _ONE_JOB.search(scope["path"]):
            query = parse_qs(scope["query_string"].decode())
            _looked_for.set(query.get("location", [""])[0])
        await self._inner(scope, receive, send)


app.add_middleware(LookedFor)
app.include_router(router, prefix=PREFIX)
# The first route that fits is taken.
app.router.routes.insert(0, app.router.routes.pop())
