"""The classes of the official OpenLineage client, without its transports.

Importing the client as it is imports requests, urllib3, httpx2 and every transport, which
costs 0.4 CPU seconds of every run; the classes of the events cost 0.03. So the package's own
`__init__` is left out here; whoever imports the package later gets it whole, with the same
classes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec


@contextmanager
def _without_init(name: str) -> Iterator[None]:
    """Lets modules of a package be imported without its `__init__`."""
    spec = None if name in sys.modules else find_spec(name)
    if spec is None:
        yield
        return
    sys.modules[name] = module_from_spec(spec)
    try:
        yield
    finally:
        del sys.modules[name]


with _without_init("openlineage.client"):
    from openlineage.client.generated import (
        base,
        data_quality_assertions_dataset,
        error_message_run,
        job_type_job,
        output_statistics_output_dataset,
        parent_run,
        processing_engine_run,
        schema_dataset,
        source_code_location_job,
        tags_run,
    )
    from openlineage.client.git import get_git_branch, get_git_repo_url, get_git_version
    from openlineage.client.serde import Serde
    from openlineage.client.uuid import generate_static_uuid

Assertion = data_quality_assertions_dataset.Assertion
AssertionsFacet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet
EngineFacet = processing_engine_run.ProcessingEngineRunFacet
ErrorFacet = error_message_run.ErrorMessageRunFacet
JobTypeFacet = job_type_job.JobTypeJobFacet
ParentFacet = parent_run.ParentRunFacet
SchemaFacet = schema_dataset.SchemaDatasetFacet
SchemaField = schema_dataset.SchemaDatasetFacetFields
SourceFacet = source_code_location_job.SourceCodeLocationJobFacet
StatisticsFacet = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
Tag = tags_run.TagsRunFacetFields
TagsFacet = tags_run.TagsRunFacet

__all__ = [
    "Assertion",
    "AssertionsFacet",
    "EngineFacet",
    "ErrorFacet",
    "JobTypeFacet",
    "ParentFacet",
    "SchemaFacet",
    "SchemaField",
    "Serde",
    "SourceFacet",
    "StatisticsFacet",
    "Tag",
    "TagsFacet",
    "base",
    "generate_static_uuid",
    "get_git_branch",
    "get_git_repo_url",
    "get_git_version",
    "parent_run",
]
