"""The pipelines are wired as the spec and the dbt project say."""

from __future__ import annotations

import pytest

from medallion.pipelines.base_silver.pipeline import TABLES
from medallion.pipelines.enriched.pipeline import DIMENSIONS, TRANSFORMS
from medallion.pipelines.gold.pipeline import MODELS
from medallion.project import DBT
from medallion.spec import Spec


def test_base_silver_writes_the_event_tables_of_the_spec(spec: Spec) -> None:
    assert set(TABLES) == set(spec.events)


def test_the_dimensions_are_those_of_the_spec(spec: Spec) -> None:
    assert set(DIMENSIONS) == set(spec.dimensions)


def test_the_transforms_are_those_of_the_spec(spec: Spec) -> None:
    assert set(TRANSFORMS) == set(spec.transforms)


@pytest.mark.parametrize("transform", sorted(TRANSFORMS))
def test_a_transform_is_given_what_the_spec_says_it_reads(spec: Spec, transform: str) -> None:
    assert set(TRANSFORMS[transform]) == set(spec.transforms[transform].reads)


def test_gold_builds_every_mart_of_the_dbt_project() -> None:
    assert set(MODELS) == {path.stem for path in (DBT / "models" / "gold").glob("[df]*.sql")}
