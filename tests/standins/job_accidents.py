"""What goes wrong with the jobs of BigQuery, for the network between it and the clients."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.standins.proxy import Accident, Answer, Request

_LOOK = re.compile(r"/(?:jobs|queries)/([^/?]+)")


def submitted(request: Request) -> str | None:
    """The id of the job that a request submits."""
    if request.method != "POST" or not re.search(r"/jobs(\?|$)", request.path):
        return None
    known: str | None = json.loads(request.body or b"{}").get("jobReference", {}).get("jobId")
    return known


def looked_at(request: Request) -> str | None:
    """The id of the job that a request asks for."""
    found = _LOOK.search(request.path) if request.method == "GET" else None
    return found[1] if found else None


def refusal(status: int, reason: str, message: str = "as the test wants") -> Answer:
    """An error as BigQuery writes it."""
    errors = [{"reason": reason, "message": message, "domain": "global"}]
    error = {"code": status, "message": message, "errors": errors}
    return Answer(status, json.dumps({"error": error}).encode())


def with_output_rows(rows: int) -> Callable[[bytes], bytes]:
    """Makes the answer about a load say another number of rows."""

    def change(content: bytes) -> bytes:
        job = json.loads(content)
        if "outputRows" in job.get("statistics", {}).get("load", {}):
            job["statistics"]["load"]["outputRows"] = str(rows)
        return json.dumps(job).encode()

    return change


@dataclass
class FailingJobs:
    """Jobs that are accepted and then fail, without BigQuery hearing of them; their ids are burnt.

    Attributes:
        reason: Why they fail: `rateLimitExceeded`, `quotaExceeded`, `backendError`, ...
        times: How many fail; those after them are let through.
        is_meant: Whether a job may be one of them, by what is submitted.
        failed: What was submitted, by the job's id.
    """

    reason: str
    times: int = 1
    message: str = "as the test wants"
    is_meant: Callable[[dict[str, Any]], bool] = lambda _: True
    failed: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, request: Request) -> Accident:
        """What happens to a request."""
        job_id = submitted(request)
        if job_id in self.failed:
            return refusal(409, "duplicate", f"Already Exists: Job {job_id}")
        if job_id and len(self.failed) < self.times:
            job = json.loads(request.body)
            if self.is_meant(job):
                self.failed[job_id] = job
                return self._tell(job, "RUNNING")
        asked = looked_at(request)
        return self._tell(self.failed[asked], "DONE") if asked in self.failed else None

    def _tell(self, job: dict[str, Any], state: str) -> Answer:
        error = {"reason": self.reason, "message": self.message}
        failure = {"errorResult": error, "errors": [error]} if state == "DONE" else {}
        times = {"creationTime": "1", "startTime": "1", "endTime": "1"}
        told = {**job, "status": {"state": state, **failure}, "statistics": times}
        return Answer(200, json.dumps(told).encode())
