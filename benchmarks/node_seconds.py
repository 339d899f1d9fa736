"""Runs a `kedro` command and writes what one node took: `node_seconds.py NODE FILE run ...`.

Works in any checkout of the project, because it touches nothing but Kedro.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from kedro.framework.cli.cli import main as kedro
from kedro.pipeline.node import Node


def main(name: str, target: Path, *arguments: str) -> None:
    """Runs the command; the file holds the node's CPU seconds, null if it did not run.

    Args:
        name: The node, such as `enriched.plan`.
        target: Where to write.
        *arguments: What stands behind `kedro`.
    """
    spent: list[float] = []
    run = Node.run

    def timed(node: Node, *inputs: Any, **named: Any) -> Any:
        began = time.process_time()
        try:
            return run(node, *inputs, **named)
        finally:
            if node.name == name:
                spent.append(time.process_time() - began)

    Node.run = timed  # type: ignore[method-assign]
    sys.argv = ["kedro", *arguments]
    try:
        kedro()
    finally:
        target.write_text(json.dumps(round(sum(spent), 3) if spent else None), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
