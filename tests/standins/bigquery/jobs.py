"""What is told of a job: the table that it made, the rows that it has, the bytes that it read."""

from __future__ import annotations

import threading
from typing import Any

from local_bigquery.api import jobs as api
from local_bigquery.errors import STATUSES, BigQueryError
from local_bigquery.jobs import query, runner
from local_bigquery.models import Job, JobConfigurationQuery, JobStatistics2
from sqlglot import exp

from tests.standins.bigquery import reading
from tests.standins.bigquery.mending import Function, instead_of

STATUSES["bytesBilledLimitExceeded"] = (400, "INVALID_ARGUMENT")
_LEAST_BILLED = 10 * 2**20  # for each table
_submitting = threading.Lock()


@instead_of(runner, "submit")
def submit(original: Function, *arguments: Any) -> Job:
    """One at a time: of two jobs with one id, one is refused."""
    with _submitting:
        return original(*arguments)


@instead_of(query, "execute")
def execute(original: Function, *arguments: Any, **named: Any) -> Any:
    statistics, children, destination = original(*arguments, **named)
    if statistics.statementType == "CREATE_TABLE_AS_SELECT":
        destination = statistics.ddlTargetTable
    if statistics.statementType == "SCRIPT":
        read = sum(int(child.totalBytesProcessed or 0) for child in children)
        known = "UNKNOWN" if not children else "PRECISE"
        statistics = statistics.replace(
            totalBytesProcessed=str(read), totalBytesProcessedAccuracy=known
        )
    return statistics, children, destination


@instead_of(api, "results")
def results(original: Function, job: Job, *arguments: Any) -> Any:
    """A statement that gives no rows has none, also if a table is its destination."""
    statistics = job.statistics.query
    if statistics is None or statistics.statementType in (None, "SELECT", "SCRIPT"):
        return original(job, *arguments)
    silent = job.configuration.query.without("destinationTable")
    payload, rows = original(
        job.replace(configuration=job.configuration.replace(query=silent)), *arguments
    )
    return {name: value for name, value in payload.items() if name != "totalRows"}, rows


@instead_of(query, "_run")
def run(
    original: Function,
    cursor: Any,
    tree: exp.Expression,
    context: Any,
    destination: Any,
    config: JobConfigurationQuery,
    *flags: bool,
) -> JobStatistics2:
    """A statement, if it may read what it reads."""
    _check_transaction(tree, context)
    read = reading.of(tree, context)
    read.check()
    billed = max(read.bytes, _LEAST_BILLED * len(read.names))
    if config.maximumBytesBilled and billed > int(config.maximumBytesBilled):
        raise BigQueryError(
            "bytesBilledLimitExceeded",
            f"Query exceeded limit for bytes billed: {config.maximumBytesBilled}. "
            f"{billed} or higher required.",
        )
    done: JobStatistics2 = original(cursor, tree, context, destination, config, *flags)
    return done.replace(
        totalBytesProcessed=str(read.bytes),
        totalBytesProcessedAccuracy=read.accuracy,
        totalBytesBilled=str(billed),
    )


def _check_transaction(tree: exp.Expression, context: Any) -> None:
    """Inside a transaction, only temporary tables are made."""
    system = context.system
    if isinstance(tree, exp.Transaction | exp.Commit | exp.Rollback):
        system["__transaction"] = isinstance(tree, exp.Transaction)
        return
    is_lasting = isinstance(tree, query.DDL) and not tree.find(exp.TemporaryProperty)
    if system.get("__transaction") and is_lasting:
        raise BigQueryError(
            "invalidQuery",
            "DDL statements are not supported in a transaction, except for those creating or "
            "droping temporary tables or temporary functions.",
        )
