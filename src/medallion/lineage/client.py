"""The classes of the official OpenLineage client, without its transports.

Importing the client as it is imports requests, urllib3, httpx2 and every transport, which
costs 0.4 CPU seconds of every run; the classes of the events cost 0.03. So the package's own
`__init__` is put off until somebody asks it for something, such as a transport.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec
from typing import Any

_PACKAGE = "openlineage.client"


def _put_off(name: str) -> None:
    """Lets a package's modules be imported before its `__init__` has run."""
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    package, loader = module_from_spec(spec), spec.loader

    def load(attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        vars(package).pop("__getattr__", None)
        loader.exec_module(package)
        return getattr(package, attribute)

    vars(package)["__getattr__"] = load
    sys.modules[name] = package


_put_off(_PACKAGE)

from openlineage.client.generated import (  # noqa: E402
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
from openlineage.client.git import get_git_branch, get_git_repo_url, get_git_version  # noqa: E402
from openlineage.client.serde import Serde  # noqa: E402
from openlineage.client.uuid import generate_static_uuid  # noqa: E402

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
