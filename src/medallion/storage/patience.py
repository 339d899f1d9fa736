"""How long a passing failure of a store is waited for, as the environment says."""

from __future__ import annotations

import logging

from pydantic import BaseModel, ConfigDict, Field

logger = logging.getLogger(__name__)


class Patience(BaseModel):
    """When a call is tried again, in seconds.

    Attributes:
        delay: Before the second try; some jitter is added by Google's client.
        factor: By which the delay grows with each try.
        cap: No delay is longer.
        total: After this time, the failure is told.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delay: float = Field(default=1.0, gt=0, le=3_600)
    factor: float = Field(default=2.0, ge=1, le=10)
    cap: float = Field(default=30.0, gt=0, le=3_600)
    total: float = Field(default=120.0, ge=0, le=86_400)


_current = Patience()


def be_patient(patience: Patience) -> None:
    """Lets all stores of this process be so patient."""
    global _current  # noqa: PLW0603 - Google's clients are made where nobody hands settings on
    _current = patience


def patience() -> Patience:
    """How patient stores are."""
    return _current


def tell(error: Exception) -> None:
    """Says that a call is tried again; what is logged as a warning is in the run's record."""
    logger.warning("A call of the store is tried again: %s.", type(error).__name__)
