"""dbt builds marts in BigQuery: where, what it may use, and what its failures mean."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from medallion.errors import DbtError
from medallion.storage.patience import trying
from medallion.warehouse.bigquery.calls import BigQuery
from medallion.warehouse.bigquery.failures import CallError, Kind, of_text, passes
from medallion.warehouse.bigquery.settings import DRAFTS, GOLD

if TYPE_CHECKING:
    from medallion.dbt_project import EngineSettings
    from medallion.dbt_project.declared import Mart
    from medallion.spec import Spec

_OUTPUT = "bigquery"
#: What is built of each mart, as dbt's macros read it.
Planned = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Dbt:
    """dbt, as it works in BigQuery.

    Attributes:
        calls: How BigQuery is reached.
        spec: The tables.
        limits: Where dbt keeps its own files.
    """

    calls: BigQuery
    spec: Spec = field(repr=False)
    limits: EngineSettings

    def declared(self) -> dict[str, Mart]:
        """The marts, with the types of BigQuery."""
        from medallion.dbt_project import gold_marts

        with self._environment():
            return gold_marts(self.spec, self.limits, _OUTPUT)

    def compiled(self, planned: Planned) -> dict[str, str]:
        """The query of each mart; other marts are read as they stand."""
        from medallion.dbt_project import compile_gold

        live = self.calls.settings.dataset(GOLD)
        with self._environment():
            return compile_gold(self.spec, planned, self.limits, _OUTPUT, live)

    def build(self, planned: Planned) -> dict[str, float]:
        """Builds marts where nobody reads them; what failed for a reason that passes, again.

        Returns:
            Seconds by mart.

        Raises:
            CallError: BigQuery does not do it.
            DbtError: A model failed.
        """
        seconds: dict[str, float] = {}

        def tried() -> None:
            left = {name: one for name, one in planned.items() if name not in seconds}
            try:
                seconds.update(self._run(left))
            except DbtError as error:
                seconds.update(error.built)
                raise _reason_of(error) from error

        trying("Building Gold", passes, self.calls.sleep)(tried)
        return seconds

    def _run(self, planned: Planned) -> dict[str, float]:
        from medallion.dbt_project import run_gold

        drafts, live = (self.calls.settings.dataset(one) for one in (DRAFTS, GOLD))
        with self._environment():
            return run_gold(self.spec, planned, self.limits, _OUTPUT, drafts, live)

    @contextmanager
    def _environment(self) -> Iterator[None]:
        """The variables that dbt's profile names."""
        settings = self.calls.settings
        said = {
            "MEDALLION_BIGQUERY_PROJECT": settings.project,
            "MEDALLION_BIGQUERY_LOCATION": settings.location,
            "MEDALLION_BIGQUERY_DATASETS": settings.dataset(""),
            "MEDALLION_BIGQUERY_MAX_BYTES": str(settings.maximum_bytes_billed),
            "MEDALLION_BIGQUERY_JOB_SECONDS": str(round(settings.job_seconds)),
        }
        before = {name: os.environ.get(name) for name in said}
        os.environ.update(said)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def _reason_of(error: DbtError) -> CallError | DbtError:
    """What dbt's failure is to be taken for.

    A quota, or a reason that passes, is told as everywhere; an error of a model is told as dbt's.
    """
    reasons = [of_text(text) for text in error.texts.values()]
    quota = next((one for one in reasons if one and one.kind is Kind.QUOTA), None)
    if quota:
        return quota
    passing = [one for one in reasons if one and one.passes]
    return passing[0] if passing and len(passing) == len(reasons) else error
