"""`conf/*/observability.yml` as typed models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from medallion.errors import ConfigurationError
from medallion.sql import GOOGLE_PROJECT

_FILE = "observability.yml"
Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Count = Annotated[int, Field(ge=1, le=100_000)]
_TABLE = rf"^{GOOGLE_PROJECT}\.[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z_][A-Za-z0-9_]*$"
Seconds = Annotated[float, Field(gt=0, le=60)]


def _file_levels() -> dict[str, Level]:
    return {"root": "WARNING", "medallion": "DEBUG", "kedro": "INFO"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LogSettings(_Model):
    """The log file of a run.

    Attributes:
        file: Whether there is one.
        keep: How many files stay.
        levels: The least level that the file gets, by logger; `root` is all others.
    """

    file: bool = True
    keep: Count = 30
    levels: Mapping[str, Level] = Field(default_factory=_file_levels)


class AuditSettings(_Model):
    """The copy of the audit trail.

    Attributes:
        bigquery_table: Project, dataset and table of BigQuery; without it there is no copy.
        location: Where the dataset is, if BigQuery shall not look for it.
        timeout_seconds: How long it may take; what is not there by then goes with the next run.
    """

    bigquery_table: Annotated[str, Field(pattern=_TABLE)] | None = None
    location: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    timeout_seconds: Seconds = 30.0


class LineageSettings(_Model):
    """OpenLineage events.

    Attributes:
        transport: `file`, `http` in addition to the file, or `off`.
        namespace: The namespace of the jobs.
        job: The name of the run's job; a node's is `<job>.<node>`.
        keep: How many files stay.
        url: The backend.
        endpoint: The path below it.
        api_key_variable: The environment variable that holds the key, if one is needed.
        timeout_seconds: How long one event may take.
        queue: How many events may wait.
    """

    transport: Literal["off", "file", "http"] = "file"
    namespace: str = Field(default="medallion", min_length=1)
    job: str = Field(default="bronze_to_gold", min_length=1)
    keep: Count = 30
    url: str | None = Field(default=None, pattern=r"^https?://")
    endpoint: str = "api/v1/lineage"
    api_key_variable: Variable = "OPENLINEAGE_API_KEY"
    timeout_seconds: Seconds = 1.0
    queue: Count = 1000

    @model_validator(mode="after")
    def _http_needs_a_url(self) -> LineageSettings:
        if self.transport == "http" and not self.url:
            raise ValueError("transport is http, so give url")
        return self


class MetricSettings(_Model):
    """The record of a run.

    Attributes:
        file: Whether it is written.
        target_seconds: How long a run shall take at most.
        trailing_runs: Of how many earlier runs the medians are.
        keep: How many records stay.
    """

    file: bool = True
    target_seconds: Annotated[float, Field(gt=0)] = 900.0
    trailing_runs: Count = 10
    keep: Count = 200


class AlertSettings(_Model):
    """Messages to a webhook.

    Attributes:
        on_failure: Whether a run that failed is told.
        on_warning: Whether a run that warned is told.
        url_variable: The environment variable that holds the address, which is a secret.
        timeout_seconds: How long one attempt may take.
        attempts: How often it is tried.
    """

    on_failure: bool = False
    on_warning: bool = False
    url_variable: Variable = "MEDALLION_ALERT_URL"
    timeout_seconds: Seconds = 2.0
    attempts: Annotated[int, Field(ge=1, le=5)] = 2


class Observability(_Model):
    """All that `observability.yml` can say."""

    logs: LogSettings = LogSettings()
    audit: AuditSettings = AuditSettings()
    lineage: LineageSettings = LineageSettings()
    metrics: MetricSettings = MetricSettings()
    alerts: AlertSettings = AlertSettings()

    @property
    def secret_variables(self) -> tuple[str, ...]:
        """Environment variables whose values are secrets."""
        return self.lineage.api_key_variable, self.alerts.url_variable


def parse_observability(raw: Mapping[str, Any]) -> Observability:
    """Reads the configuration.

    Raises:
        ConfigurationError: A key is unknown or has a value it cannot have.
    """
    try:
        return Observability.model_validate(raw)
    except ValidationError as error:
        raise ConfigurationError(
            f"{_FILE} says what cannot be:",
            details=[
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors(include_input=False, include_url=False)
            ],
            hint=f"conf/base/{_FILE} has every key, and says what it means.",
        ) from error
