"""Where BigQuery's tables are and what loading may use, as `globals.yml` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from medallion.errors import ConfigurationError
from medallion.sql import GOOGLE_PROJECT

#: The dataset of what tells of runs and loads.
AUDIT = "audit"
#: The datasets of the marts, and of marts that dbt has built and nobody reads yet.
GOLD, DRAFTS = "gold", "gold_build"


class BigQuerySettings(BaseModel):
    """How BigQuery is reached.

    Attributes:
        backend: The kind of warehouse.
        project: The project that holds the datasets and is charged.
        location: Where the datasets are; buckets that are loaded from are there, too.
        datasets: What the names of the datasets begin with: `shop` gives `shop_base_silver`.
        workers: How many loads run at a time.
        job_seconds: How long a job is waited for.
        maximum_bytes_billed: How much a query of this project may read.
        gold_bytes: How much building Gold may read in a run, as BigQuery estimates it beforehand.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: Literal["bigquery"]
    project: Annotated[str, Field(pattern=f"^{GOOGLE_PROJECT}$")]
    location: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{1,40}$")]
    datasets: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
    workers: Annotated[int, Field(ge=1, le=10)] = 8
    job_seconds: Annotated[float, Field(gt=0, le=86_400)] = 3_600
    maximum_bytes_billed: Annotated[int, Field(ge=10 * 2**20)] = 10 * 2**30
    gold_bytes: Annotated[int, Field(ge=0)] = 50 * 2**30

    def dataset(self, schema: str) -> str:
        """The dataset of a schema, without its project.

        >>> BigQuerySettings(
        ...     backend="bigquery", project="shop-prod", location="EU", datasets="shop"
        ... ).dataset("gold")
        'shop_gold'
        """
        return f"{self.datasets}_{schema}"

    def table(self, name: str) -> str:
        """Project, dataset and table of a table such as `base_silver.orders`."""
        schema, _, table = name.partition(".")
        return f"{self.project}.{self.dataset(schema)}.{table}"


def parse_settings(said: Mapping[str, Any]) -> BigQuerySettings:
    """Reads `warehouse` of `globals.yml`.

    Raises:
        ConfigurationError: A key is unknown or has a value it cannot have.
    """
    try:
        return BigQuerySettings.model_validate(dict(said))
    except ValidationError as error:
        raise ConfigurationError(
            "globals.yml: warehouse says what cannot be:",
            details=[
                f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
                for one in error.errors(include_input=False, include_url=False)
            ],
            hint="conf/prod/globals.yml has every key; names come from environment variables.",
        ) from error
