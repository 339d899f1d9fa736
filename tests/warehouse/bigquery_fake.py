"""A BigQuery in memory for the genuine client: jobs, partitions, and whatever can go wrong.

It answers the client's requests without a network. What a partition holds is which files were
loaded into it; a file's name says how many rows it has. The ledger's queries are computed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from threading import RLock
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import duckdb
import requests
import sqlglot
from google.auth.credentials import AnonymousCredentials
from google.cloud.bigquery import Client

PROJECT, LOCATION = "shop-test", "europe-west1"
# What may happen to a request: it is done and its answer is lost; it is lost itself; it is answered
# with a status and a reason; the process is killed before it, or after it was done.
Accident = Literal["answer lost", "lost", "killed", "killed after"] | tuple[int, str | None] | None
_ROWS = re.compile(r"-(\d+)rows\.parquet$")
_DAY = re.compile(r"/\w+=(\d{4}-\d{2}-\d{2})/")
_LINES = re.MULTILINE
_MILLISECONDS = 1_764_000_000_000


class Killed(BaseException):
    """The process is no more."""


@dataclass(frozen=True)
class Asked:
    """A request.

    Attributes:
        number: Its number, from 1 on.
        method: Its method.
        path: Its path below the API, such as `/projects/p/jobs`.
        query: Its query.
        body: Its JSON; of an upload, its metadata.
    """

    number: int
    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]

    @property
    def load(self) -> dict[str, Any]:
        """The load that it submits; empty if it is another request."""
        found: dict[str, Any] = self.body.get("configuration", {}).get("load", {})
        return found

    @property
    def is_data(self) -> bool:
        """Whether it submits a load of files."""
        return bool(self.load.get("sourceUris"))

    @property
    def changes(self) -> bool:
        """Whether it changes anything."""
        sql = self.body.get("configuration", {}).get("query", {}).get("query", "")
        return self.method != "GET" and not sql.startswith("select")


@dataclass
class Table:
    """A table, and which files each of its partitions holds."""

    resource: dict[str, Any]
    partitions: dict[date, list[str]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class FakeBigQuery:
    """The server, and what shall go wrong in it.

    Attributes:
        accident: What happens to a request.
        outcome: Why a load that was accepted fails, and its words; None if it does not.
        rows_of: The rows that a load reports, if not those of its files.
        looks: How often a load is looked at before it is done.
        is_slow: Which loads are.
        after: Changes a table behind a load.
        asked: The requests that have come.
    """

    accident: Callable[[Asked], Accident] = lambda _: None
    outcome: Callable[[dict[str, Any]], str | tuple[str, str] | None] = lambda _: None
    rows_of: Callable[[dict[str, Any], int], int] = lambda _, rows: rows
    after: Callable[[Table], None] = lambda _: None
    looks: int = 0
    is_slow: Callable[[dict[str, Any]], bool] = bool
    asked: list[Asked] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    datasets: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    is_dead: bool = False
    _waiting: dict[str, int] = field(default_factory=dict)
    _clock: int = _MILLISECONDS
    _lock: RLock = field(default_factory=RLock)

    def client(self, *_: Any) -> Client:
        """The genuine client, connected to this."""
        return Client(
            project=PROJECT,
            location=LOCATION,
            credentials=AnonymousCredentials(),
            _http=_Session(self),
        )

    def forget(self) -> None:
        """Begins to count again; nothing goes wrong any more, and a killed process is another."""
        self.is_dead = False
        self.asked.clear()
        self.accident = lambda _: None
        self.outcome = lambda _: None
        self.rows_of = lambda _, rows: rows

    def copy(self) -> FakeBigQuery:
        """Another one that holds the same, and to which nothing happens."""
        held = (self.jobs, self.datasets, self.tables, self._waiting)
        jobs, datasets, tables, waiting = deepcopy(held)
        return FakeBigQuery(
            jobs=jobs, datasets=datasets, tables=tables, _waiting=waiting, _clock=self._clock
        )

    @property
    def loads(self) -> list[dict[str, Any]]:
        """The jobs that loaded files, in the order in which they were done."""
        return [job for job in self.jobs.values() if _load_of(job).get("sourceUris")]

    def succeeded(self) -> list[dict[str, Any]]:
        """The loads of files that were done without an error."""
        return [
            job
            for job in self.loads
            if job["status"]["state"] == "DONE" and "errorResult" not in job["status"]
        ]

    def content(self, table: str) -> dict[date, list[str]]:
        """The files that each partition of a table holds; an empty one is none."""
        return {day: sorted(uris) for day, uris in self.tables[table].partitions.items() if uris}

    def now(self) -> str:
        """The time, in milliseconds; it goes on with each look at it."""
        self._clock += 1
        return str(self._clock)

    def answer(self, method: str, url: str, body: bytes) -> requests.Response:
        """What is answered to a request, or what happens to it."""
        parts = urlsplit(url)
        path = parts.path.split("/bigquery/v2", 1)[1]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        is_upload = "/upload/" in parts.path
        said, data = _parts_of(body) if is_upload else (json.loads(body or b"{}"), b"")
        with self._lock:
            if self.is_dead:
                raise Killed
            asked = Asked(len(self.asked) + 1, method, path, query, said)
            self.asked.append(asked)
            accident = self.accident(asked)
            if accident == "killed":
                self.is_dead = True
                raise Killed
            if accident == "lost":
                raise requests.ConnectTimeout
            if isinstance(accident, tuple):
                return _response(*_error(*accident))
            status, told = self._done(asked, data)
            if accident == "killed after":
                self.is_dead = True
                raise Killed
            if accident == "answer lost":
                raise requests.ReadTimeout
            return _response(status, told)

    def _done(self, asked: Asked, data: bytes) -> tuple[int, dict[str, Any]]:
        match asked.path.split("/")[1:]:
            case ["projects", _, "datasets"]:
                return self._make_dataset(asked.body)
            case ["projects", _, "datasets", name]:
                return _found(self.datasets.get(name), f"Dataset {name}")
            case ["projects", _, "datasets", dataset, "tables", name]:
                return self._table(asked, f"{dataset}.{name}")
            case ["projects", _, "jobs"]:
                return self._submit(asked.body, data)
            case ["projects", _, "jobs", name]:
                return self._look(name, asked.query)
            case ["projects", _, "queries", name]:
                return 200, self.jobs[name]["_results"]
        raise AssertionError(asked.path)

    def _make_dataset(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = body["datasetReference"]["datasetId"]
        if name in self.datasets:
            return _error(409, "duplicate")
        self.datasets[name] = body
        return 200, body

    def _table(self, asked: Asked, name: str) -> tuple[int, dict[str, Any]]:
        table, _, day = name.partition("$")
        found = self.tables.get(table)
        if found is None:
            return _error(404, "notFound")
        if asked.method == "DELETE":
            found.partitions.pop(_day(day), None)
            return 204, {}
        if asked.method == "PATCH":
            found.resource |= asked.body
        return 200, found.resource

    def _submit(self, body: dict[str, Any], data: bytes) -> tuple[int, dict[str, Any]]:
        job_id = body["jobReference"]["jobId"]
        if job_id in self.jobs:
            return _error(409, "duplicate")
        job = {
            **body,
            "jobReference": {**body["jobReference"], "location": LOCATION},
            "status": {"state": "RUNNING"},
            "statistics": {"creationTime": self.now()},
            "_data": data,
        }
        self.jobs[job_id] = job
        self._waiting[job_id] = self.looks if self.is_slow(_load_of(job)) else 0
        self._go_on(job_id)
        return 200, _told(job)

    def _look(self, job_id: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if job_id not in self.jobs or query.get("location") != LOCATION:
            return _error(404, "notFound")
        self._go_on(job_id)
        return 200, _told(self.jobs[job_id])

    def _go_on(self, job_id: str) -> None:
        """A job is a look nearer to its end."""
        job = self.jobs[job_id]
        if job["status"]["state"] == "DONE":
            return
        if self._waiting[job_id]:
            self._waiting[job_id] -= 1
            return
        load = _load_of(job)
        failed = self.outcome(load) if load.get("sourceUris") else None
        if failed:
            reason, message = failed if isinstance(failed, tuple) else (failed, "It failed")
            said = {"reason": reason, "message": message}
            job["status"] = {"state": "DONE", "errorResult": said, "errors": [said]}
        else:
            rows = self._load(load, job["_data"]) if load else self._query(job)
            # What BigQuery tells of beside an `errorResult` is no failure.
            job["status"] = {"state": "DONE", "errors": [{"reason": "invalid", "message": "a row"}]}
            job["statistics"]["load"] = {"outputRows": str(rows)}
        job["statistics"]["endTime"] = self.now()

    def _load(self, load: dict[str, Any], data: bytes) -> int:
        into = load["destinationTable"]
        name, _, decorator = into["tableId"].partition("$")
        table = self.tables[f"{into['datasetId']}.{name}"]
        if not load.get("sourceUris"):
            added = [json.loads(line) for line in data.splitlines() if line]
            table.rows += added
            return len(added)
        uris: list[str] = load["sourceUris"]
        prefix, _, _ = load["hivePartitioningOptions"]["sourceUriPrefix"].partition("{")
        assert all(
            uri.startswith(prefix) and uri.count("/") == prefix.count("/") + 1 for uri in uris
        )
        days = {day_of(uri) for uri in uris}
        assert not decorator or days == {_day(decorator)}
        match load["writeDisposition"], decorator:
            case "WRITE_TRUNCATE", day if day:
                table.partitions[_day(day)] = []
            case "WRITE_TRUNCATE_DATA", "":
                table.partitions.clear()
            case "WRITE_APPEND", "":
                """Adds to what stands."""
            case other:
                raise AssertionError(other)
        for uri in uris:
            table.partitions.setdefault(day_of(uri), []).append(uri)
        self.after(table)
        return self.rows_of(load, sum(map(rows_in, uris)))

    def _query(self, job: dict[str, Any]) -> int:
        sql = job["configuration"]["query"]["query"]
        job["configuration"]["query"]["destinationTable"] = {
            **dict.fromkeys(("projectId", "datasetId", "tableId"), "_")
        }
        if sql.startswith("create"):
            self._create(sql)
            job["_results"] = _results(job, [], [])
        elif "count(*) as counted" in sql:
            table = self.tables[_target(sql)]
            days = {date.fromisoformat(one) for one in re.findall(r'date "([\d-]+)"', sql)}
            counted = [
                (day, sum(map(rows_in, uris)))
                for day, uris in table.partitions.items()
                if uris and (day in days or " between " in sql)
            ]
            job["_results"] = _results(
                job, [("counted_day", "DATE"), ("counted", "INTEGER")], counted
            )
        else:
            job["_results"] = _results(job, *self._computed(sql))
        return 0

    def _create(self, sql: str) -> None:
        tree = sqlglot.parse_one(sql, read="bigquery")
        name = _target(sql)
        if tree.args["kind"] == "TABLE" and name in self.tables:
            return
        dataset, _, table = name.partition(".")
        columns = re.findall(
            r"^  `(\w+)`(?: (\w+))? options \(description = (\".*\")\)", sql, re.MULTILINE
        )
        partition = re.search(r"^partition by `(\w+)`", sql, re.MULTILINE)
        cluster = re.search(r"^cluster by (.*)$", sql, re.MULTILINE)
        options = re.search(r'^options \(description = (".*?(?<!\\)"), labels', sql, re.MULTILINE)
        resource: dict[str, Any] = {
            "tableReference": {"projectId": PROJECT, "datasetId": dataset, "tableId": table},
            "creationTime": self.now(),
            "description": json.loads(options[1]) if options else "",
            "requirePartitionFilter": "require_partition_filter = true" in sql,
            "schema": {
                "fields": [
                    {
                        "name": column,
                        "type": kind,
                        "mode": "NULLABLE",
                        "description": json.loads(said),
                    }
                    for column, kind, said in columns
                ]
            },
        }
        if partition:
            resource["timePartitioning"] = {"type": "DAY", "field": partition[1]}
        if cluster:
            resource["clustering"] = {"fields": re.findall(r"\w+", cluster[1])}
        if tree.args["kind"] == "VIEW":
            query = sql.split("\nas ", 1)[1]
            names = re.findall(r"`(\w+)`", query.split(" from ", 1)[0])
            resource["view"] = {"query": query, "useLegacySql": False}
            resource["schema"] = {"fields": [{"name": name, "type": "STRING"} for name in names]}
        self.tables[name] = Table(resource)

    def _computed(self, sql: str) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
        """The answer to a query of the table of loads."""
        table = self.tables[_target(sql)]
        fields = [(one["name"], one["type"]) for one in table.resource["schema"]["fields"]]
        declared = ", ".join(f"{name} {_KINDS[kind]}" for name, kind in fields)
        held = [row.get(name) for row in table.rows for name, _ in fields]
        marks = f"({', '.join('?' * len(fields))})"
        rows = ", ".join([marks] * len(table.rows))
        with _duckdb_lock:
            connection = _duckdb()
            connection.execute(f"create or replace table loads ({declared})")
            if held:
                connection.execute(f"insert into loads values {rows}", held)
            found = connection.execute(_translated(sql))
            names = [one[0] for one in found.description]
            told = {**dict(fields), "attempts": "INT64"}
            return [(name, told[name]) for name in names], found.fetchall()


_KINDS = {"INT64": "bigint", "DATE": "date", "TIMESTAMP": "timestamptz", "STRING": "varchar"}
_duckdb_lock = RLock()


@lru_cache(maxsize=1)
def _duckdb() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("set TimeZone = 'UTC'")
    return connection


@lru_cache(maxsize=64)
def _translated(sql: str) -> str:
    """A query of the table of loads, as DuckDB takes it."""
    (query,) = sqlglot.transpile(sql, read="bigquery", write="duckdb")
    return re.sub(r'"[\w-]+"\."\w+"\."loads"', "loads", query)


class _Session:
    """What the client takes for a session of requests."""

    is_mtls = False

    def __init__(self, server: FakeBigQuery) -> None:
        self._server = server

    def request(
        self, method: str, url: str, data: Any = None, timeout: Any = None, **_: Any
    ) -> requests.Response:
        assert timeout is not None, f"{method} {url} has no timeout"
        body = data.encode() if isinstance(data, str) else data or b""
        return self._server.answer(method, url, body)


def rows_in(uri: str) -> int:
    """The rows of a file, as its name says."""
    found = _ROWS.search(uri)
    assert found, uri
    return int(found[1])


def day_of(uri: str) -> date:
    found = _DAY.search(uri)
    assert found, uri
    return date.fromisoformat(found[1])


def _day(digits: str) -> date:
    return datetime.strptime(digits, "%Y%m%d").replace(tzinfo=UTC).date()


def _load_of(job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = job["configuration"].get("load", {})
    return found


def _target(sql: str) -> str:
    """Dataset and table of the first name of three parts."""
    found = re.search(r"`[\w-]+`\.`(\w+)`\.`(\w+)`", sql)
    assert found, sql
    return f"{found[1]}.{found[2]}"


def _told(job: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in job.items() if not name.startswith("_")}


def _found(resource: dict[str, Any] | None, what: str) -> tuple[int, dict[str, Any]]:
    return (200, resource) if resource else _error(404, "notFound", f"Not found: {what}")


def _error(status: int, reason: str | None, message: str = "") -> tuple[int, dict[str, Any]]:
    said: dict[str, Any] = {"code": status, "message": message or f"It is {reason or status}"}
    if reason:
        said["errors"] = [{"reason": reason, "message": said["message"]}]
    return status, {"error": said}


def _response(status: int, told: dict[str, Any]) -> requests.Response:
    answer = requests.Response()
    answer.status_code = status
    answer._content = json.dumps(told).encode() if told else b""
    answer.headers["Content-Type"] = "application/json"
    answer.request = requests.Request("GET", "https://bigquery.test").prepare()
    return answer


def _results(
    job: dict[str, Any], fields: list[tuple[str, str]], rows: list[tuple[Any, ...]]
) -> dict[str, Any]:
    return {
        "jobReference": job["jobReference"],
        "jobComplete": True,
        "totalRows": str(len(rows)),
        "schema": {"fields": [{"name": name, "type": kind} for name, kind in fields]},
        "rows": [{"f": [{"v": _cell(value)} for value in row]} for row in rows],
    }


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return str(int(value.timestamp() * 1_000_000))
    return str(value)


def _parts_of(body: bytes) -> tuple[dict[str, Any], bytes]:
    """The metadata and the data of an upload."""
    boundary = body.split(b"\r\n", 1)[0]
    parts = [part for part in body.split(boundary) if b"\r\n\r\n" in part]
    contents: Iterator[bytes] = (part.split(b"\r\n\r\n", 1)[1].strip(b"\r\n") for part in parts)
    return json.loads(next(contents)), next(contents)
