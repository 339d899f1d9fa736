"""How fast one table is changed: BigQuery takes a number of updates in a time, and no more."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from threading import Lock

# Updates of one partitioned table, and in how many seconds.
_UPDATES, _SECONDS = 50, 10.0


class Pace:
    """Lets whoever would be too fast wait.

    Args:
        sleep: How to wait, in seconds.
        clock: The time, in seconds.
    """

    def __init__(
        self,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._lock = Lock()
        # When each of the last updates may go.
        self._turns: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_UPDATES))

    def wait(self, table: str) -> float:
        """Waits until an update of a table may go; returns for how long it had to."""
        with self._lock:
            turns, now = self._turns[table], self._clock()
            turn = max(now, turns[0] + _SECONDS) if len(turns) == _UPDATES else now
            turns.append(turn)
        if turn > now:
            self._sleep(turn - now)
        return turn - now
