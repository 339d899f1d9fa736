"""How a function of local-bigquery is replaced."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def instead_of(owner: Any, name: str) -> Callable[[Function], Function]:
    """Puts a function in the place of another, which it gets as its first argument.

    Args:
        owner: The module or class that has the other function.
        name: Its name there. If it is absent, the server does not start.
    """
    original = getattr(owner, name)

    def put(function: Function) -> Function:
        @functools.wraps(original)
        def replaced(*arguments: Any, **named: Any) -> Any:
            return function(original, *arguments, **named)

        setattr(owner, name, replaced)
        return function

    return put
