"""Several calls of a store at a time: most of each is waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

# How many objects are on their way at a time.
WORKERS = 8
_T = TypeVar("_T")
_S = TypeVar("_S")


def in_parallel(call: Callable[[_T], _S], items: Iterable[_T]) -> list[_S]:
    """Calls a function for each item, several at a time; the first failure ends it."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(call, items))
