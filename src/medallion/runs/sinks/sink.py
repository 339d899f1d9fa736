"""What all sinks have in common: they take events, and none of them can fail a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from kedro.io import DataCatalog

from medallion.errors import MedallionError
from medallion.events import Event
from medallion.lake.names import as_run_id
from medallion.lake.store import Lake
from medallion.masking import Mask
from medallion.runs.audit.trail import AuditTrail
from medallion.runs.journal import Journal
from medallion.runs.record import RunRecord
from medallion.runs.settings import Observability
from medallion.spec import Spec, load_spec
from medallion.storage.layout import Layout

logger = logging.getLogger(__name__)
#: The error of a step that was at work when its process ended.
CUT_SHORT = "cut short"


@dataclass
class Surroundings:
    """What a run is recorded with: where things are, and what shall be told.

    Attributes:
        run_id: The run.
        is_shared: Whether other processes take part in it.
        environment: The configuration environment.
        pipelines: The pipelines that were asked for.
        parameters: What the run is asked for.
        settings: What shall be told, and where.
        mask: Takes personal data and secrets out of a text.
        layout: Where things are.
        spec_path: The spec.
        conf: The folders of configuration, the base first.
        project_path: The project.
        catalog: The catalog of this process.
    """

    run_id: str
    is_shared: bool
    environment: str
    pipelines: tuple[str, ...]
    parameters: Mapping[str, Any]
    settings: Observability
    mask: Mask
    layout: Layout
    spec_path: str
    conf: tuple[Path, ...] = ()
    project_path: Path | None = None
    catalog: DataCatalog | None = None

    @property
    def file_name(self) -> str:
        """The run's id as the name of a file."""
        return as_run_id(self.run_id)

    @cached_property
    def lake(self) -> Lake:
        """The lake that the run writes."""
        return Lake(self.layout.silver)

    @cached_property
    def trail(self) -> AuditTrail:
        """The audit records of all runs."""
        return AuditTrail(self.layout.audit)

    @cached_property
    def spec(self) -> Spec:
        """The tables."""
        return load_spec(self.spec_path)

    @cached_property
    def journal(self) -> Journal:
        """The events of the run."""
        return Journal.of(self.layout, self.run_id)


class Sink:
    """Takes what happens in a run somewhere; a sink overrides what concerns it.

    Attributes:
        is_record: Whether a run has ended only when this sink has been told so.
    """

    is_record: ClassVar[bool] = False

    def check(self, around: Surroundings) -> None:
        """Refuses a configuration that cannot work, before the run takes anything.

        Raises:
            ConfigurationError: What this sink needs is missing.
        """

    def begin(self, around: Surroundings) -> None:
        """A process takes part in a run."""

    def on(self, event: Event) -> None:
        """Something has happened in this process."""

    def end(self, record: RunRecord) -> None:
        """The run has ended; called in one process, for the whole run."""

    def bury(self, around: Surroundings, record: RunRecord) -> None:
        """A run that was killed has been put in order."""

    def leave(self, record: RunRecord) -> None:
        """This process ends; the record is of the whole run if it has ended, too."""


def harmless(what: str, call: Callable[[], None]) -> bool:
    """Calls what tells of a run, and must not be what fails it.

    Args:
        what: Who is called, for the warning.
        call: The call.

    Returns:
        Whether it has worked.
    """
    try:
        call()
    # Whatever it is, the data are not concerned; the trace is in the log file.
    except Exception as error:
        told = f"{what} could not record the run: {_reason(error)}"
        logger.warning("%s", told)
        logger.debug("%s", told, exc_info=error)
        return False
    return True


def _reason(error: Exception) -> str:
    """What may be said on the console: other errors may quote anything."""
    if isinstance(error, MedallionError):
        return error.message
    text = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__} ({text})" if text else type(error).__name__
