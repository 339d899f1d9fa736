"""The events of a run, as the official client writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from medallion.runs.lineage.client import (
    Assertion,
    AssertionsFacet,
    EngineFacet,
    ErrorFacet,
    JobTypeFacet,
    ParentFacet,
    SchemaFacet,
    SchemaField,
    SourceFacet,
    StatisticsFacet,
    Tag,
    TagsFacet,
    base,
    generate_static_uuid,
    get_git_branch,
    get_git_repo_url,
    get_git_version,
    parent_run,
)
from medallion.runs.lineage.places import Columns, Place

State = base.EventType
_PERSONAL = "personal data"


@dataclass(frozen=True)
class Touched:
    """A dataset that a node reads or writes.

    Attributes:
        place: Its name.
        columns: What the spec promises.
        rows: Rows written, where known.
        bytes: Bytes written, where known.
        files: Files written, where known.
        assertions: What a gate has found.
    """

    place: Place
    columns: Columns = field(default_factory=list)
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None
    assertions: Sequence[Assertion] = ()


@dataclass(frozen=True)
class Source:
    """Where the code of the run lies.

    Attributes:
        url: The repository.
        version: The commit.
        branch: The branch, unless the commit is checked out alone.
    """

    url: str
    version: str | None
    branch: str | None


class RunEvents:
    """Makes the events of one run and its nodes.

    The same run id and start give the same OpenLineage ids, so an event can be found from
    what Kedro calls the run.

    Args:
        namespace: The namespace of the jobs.
        job: The run's job; a node's is `<job>.<node>`.
        run_id: What Kedro calls the run.
        started: When it started.
        versions: Name and version of the engine, and this project's version.
        environment: The configuration environment.
        source: Where the code lies, if it is in a repository.
    """

    def __init__(
        self,
        *,
        namespace: str,
        job: str,
        run_id: str,
        started: datetime,
        versions: tuple[str, str, str],
        environment: str,
        source: Source | None = None,
    ) -> None:
        self._namespace = namespace
        self._job = job
        self._run_id = run_id
        self._started = started
        self._versions = versions
        self._environment = environment
        self._source = source
        # Facets name their producer as events do.
        base.set_producer(f"urn:medallion:{versions[2]}")

    def of_run(self, state: State, error: str | None = None) -> base.RunEvent:
        """What became of the run."""
        facets = self._run_facets(error)
        facets["tags"] = TagsFacet(
            [
                Tag("run_id", self._run_id, "KEDRO"),
                Tag("environment", self._environment, "KEDRO"),
            ]
        )
        return self._event(state, self._job, self._uuid(""), "DAG", facets)

    def of_node(
        self,
        state: State,
        node: str,
        inputs: Sequence[Touched] = (),
        outputs: Sequence[Touched] = (),
        error: str | None = None,
    ) -> base.RunEvent:
        """What became of a node, what it read and what it wrote."""
        facets = self._run_facets(error)
        facets["parent"] = ParentFacet(
            run=parent_run.Run(self._uuid("")), job=parent_run.Job(self._namespace, self._job)
        )
        event = self._event(state, f"{self._job}.{node}", self._uuid(node), "TASK", facets)
        event.inputs = [_input(read) for read in inputs]
        event.outputs = [_output(written) for written in outputs]
        return event

    def _event(
        self, state: State, job: str, uuid: str, kind: str, facets: dict[str, base.RunFacet]
    ) -> base.RunEvent:
        return base.RunEvent(
            eventType=state,
            eventTime=datetime.now(UTC).isoformat(),
            run=base.Run(uuid, facets),
            job=base.Job(self._namespace, job, self._job_facets(kind)),
        )

    def _run_facets(self, error: str | None) -> dict[str, base.RunFacet]:
        name, version, adapter = self._versions
        facets: dict[str, base.RunFacet] = {
            "processing_engine": EngineFacet(version, name, adapter)
        }
        if error is not None:
            facets["errorMessage"] = ErrorFacet(error, "PYTHON")
        return facets

    def _job_facets(self, kind: str) -> dict[str, base.JobFacet]:
        facets: dict[str, base.JobFacet] = {"jobType": JobTypeFacet("BATCH", "KEDRO", kind)}
        if self._source:
            facets["sourceCodeLocation"] = SourceFacet(
                type="git",
                url=self._source.url,
                repoUrl=self._source.url,
                version=self._source.version,
                branch=self._source.branch,
            )
        return facets

    def _uuid(self, node: str) -> str:
        data = f"{self._namespace}/{self._job}/{self._run_id}/{node}".encode()
        return str(generate_static_uuid(self._started, data))


def source_of(project: Path) -> Source | None:
    """The repository and commit of a project; None if it is not in one of its own."""
    git = project / ".git"
    if not git.is_dir():
        return None
    url = _as_uri(get_git_repo_url(git_dir=git) or "") or project.as_uri()
    return Source(url, get_git_version(git), get_git_branch(git))


def _as_uri(remote: str) -> str:
    """A remote as the standard wants it, without credentials; empty for a folder."""
    host, colon, path = remote.rpartition("@")[2].partition(":")
    if "://" not in remote:
        return f"ssh://{host}/{path}" if colon else ""
    parts = urlsplit(remote)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _input(read: Touched) -> base.InputDataset:
    facets: dict[str, base.InputDatasetFacet] = {}
    if read.assertions:
        facets["dataQualityAssertions"] = AssertionsFacet(list(read.assertions))
    place = read.place
    return base.InputDataset(place.namespace, place.name, facets, facets=_dataset_facets(read))


def _output(written: Touched) -> base.OutputDataset:
    facets: dict[str, base.OutputDatasetFacet] = {}
    if written.rows is not None:
        facets["outputStatistics"] = StatisticsFacet(written.rows, written.bytes, written.files)
    place = written.place
    return base.OutputDataset(place.namespace, place.name, facets, facets=_dataset_facets(written))


def _dataset_facets(touched: Touched) -> dict[str, base.DatasetFacet]:
    if not touched.columns:
        return {}
    fields = [
        SchemaField(name, kind, _PERSONAL if personal else None, position)
        for position, (name, kind, personal) in enumerate(touched.columns, start=1)
    ]
    return {"schema": SchemaFacet(fields)}
