"""What all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from medallion.spec import Spec, load_spec

PROJECT = Path(__file__).resolve().parents[1]
# How long an example takes says something of the machine, and nothing of the product.
settings.register_profile("any machine", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
REAL_BRONZE = PROJECT.parent / "shared" / "bronze" / "small"


@pytest.fixture(scope="session")
def spec() -> Spec:
    return load_spec(PROJECT / "conf" / "base" / "spec.yml")


@pytest.fixture(scope="session")
def real_bronze() -> Path:
    """A week of real data from the real producer; it is not part of the repository."""
    if not REAL_BRONZE.is_dir():
        pytest.skip(f"the real Bronze sample is not at {REAL_BRONZE}")
    return REAL_BRONZE
