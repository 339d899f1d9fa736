"""The run that this process takes part in, and who is called at its turns.

The two hooks share it, so that what happens at a run's beginning and end happens in one order,
whatever order Kedro calls hooks in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from medallion.runs.lifecycle import DeadListener, EndListener, Run


@dataclass
class Current:
    """The run of this process.

    Attributes:
        on_context: Called when Kedro has read its configuration.
        on_check: Called before the run takes the lake: what cannot work is refused.
        on_begin: Called when the run has the lake.
        on_dead: Called for each dead run that was put in order.
        on_end: Called once when the run ends, before the lake is free.
        on_step: Called when a step is done, and when this process is about to end its part.
        on_leave: Called when this process ends its part.
    """

    on_context: list[Callable[[Any], None]] = field(default_factory=list)
    on_check: list[Callable[[Any, Any], None]] = field(default_factory=list)
    on_begin: list[Callable[[], None]] = field(default_factory=list)
    on_dead: list[DeadListener] = field(default_factory=list)
    on_end: list[EndListener] = field(default_factory=list)
    on_step: list[Callable[[], None]] = field(default_factory=list)
    on_leave: list[Callable[[], None]] = field(default_factory=list)
    _run: Run | None = None

    def check(self, run_params: dict[str, Any], catalog: Any) -> None:
        """Takes in the configuration, before the run takes the lake.

        Args:
            run_params: What Kedro was asked to run.
            catalog: The catalog of this process.

        Raises:
            ConfigurationError: Something cannot work.
        """
        for listener in self.on_check:
            listener(run_params, catalog)

    @property
    def run(self) -> Run:
        """The run."""
        if self._run is None:
            raise RuntimeError("no configuration has been read")
        return self._run

    @run.setter
    def run(self, run: Run) -> None:
        run.on_begin, run.on_dead = self.on_begin, self.on_dead
        run.on_end, run.on_step, run.on_leave = self.on_end, self.on_step, self.on_leave
        self._run = run
