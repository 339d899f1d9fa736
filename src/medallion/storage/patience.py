"""How long a passing failure of a store is waited for, as the environment says."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

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


def trying(
    what: str,
    is_passing: Callable[[BaseException], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Retrying:
    """Trials of what may fail in passing, as patient as the environment says.

    The last failure is raised as it is.

    Args:
        what: What is tried, for people.
        is_passing: Whether an error is worth another trial.
        sleep: How to wait, in seconds.
    """
    from tenacity import (
        Retrying,
        retry_if_exception,
        stop_after_delay,
        wait_exponential,
        wait_random,
    )

    def told(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        logger.warning("%s is tried again: %s.", what, getattr(error, "reason", error))

    asked = patience()
    return Retrying(
        retry=retry_if_exception(is_passing),
        wait=wait_exponential(multiplier=asked.delay, exp_base=asked.factor, max=asked.cap)
        # Those who were refused together do not come back together.
        + wait_random(0, asked.delay),
        stop=stop_after_delay(asked.total),
        sleep=sleep,
        before_sleep=told,
        reraise=True,
    )
