"""What is going on, told to whoever listens: progress and receipts.

Work announces, hooks listen. Nothing depends on a listener being there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_listeners: list[Callable[[Progress], None]] = []


@dataclass(frozen=True)
class Progress:
    """One step of a layer that began or ended.

    Attributes:
        layer: The layer, such as `base_silver`.
        step: The model, transform or table.
        done: Whether it ended.
        rows: Rows it made, where known.
        seconds: How long it took, where known.
    """

    layer: str
    step: str
    done: bool
    rows: int | None = None
    seconds: float | None = None


def announce(progress: Progress) -> None:
    """Tells all listeners."""
    for listener in _listeners:
        listener(progress)


def listen(listener: Callable[[Progress], None]) -> Callable[[], None]:
    """Adds a listener; the result takes it away again."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)
