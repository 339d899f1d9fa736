"""One dbt in the process: the project is parsed once, each layer is one invocation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion import events
from medallion.dbt_project.code import DBT
from medallion.dbt_project.environment import shielded
from medallion.errors import DbtError

_QUIET = [
    "--quiet",
    "--no-print",
    "--log-level",
    "none",
    "--log-level-file",
    "none",
    "--no-use-colors",
    "--no-send-anonymous-usage-stats",
]
# Whatever a variable or a file elsewhere says: this project, this profile, this target.
_WHERE = [
    "--project-dir", str(DBT),
    "--profiles-dir", str(DBT),
    "--profile", "medallion",
    "--target", "duckdb",
]  # fmt: skip


@dataclass
class _Parsed:
    """The project as dbt has parsed it, once in a process."""

    manifest: Any = None


_parsed = _Parsed()


def run_models(select: str, layer: str, folder: Path) -> dict[str, float]:
    """Runs the models that a selector names.

    Args:
        select: As dbt's `--select`.
        layer: The layer that progress is reported under.
        folder: Where dbt keeps its own files.

    Returns:
        Seconds by model.

    Raises:
        DbtError: A model failed.
    """
    arguments = ["run", *_QUIET, "--no-write-json", *_where(folder), "--select", select]
    result = _invoke(arguments, _manifest(folder), _reporting(layer))
    return {run.node.name: float(run.execution_time) for run in result}


def sources_of(model: str, folder: Path) -> tuple[str, ...]:
    """The tables that a model reads, also through other models, such as `base_silver.orders`."""
    manifest = _manifest(folder)
    nodes, sources = manifest.nodes, manifest.sources
    found: set[str] = set()
    waiting = [f"model.medallion.{model}"]
    while waiting:
        for name in nodes[waiting.pop()].depends_on_nodes:
            if name in sources:
                found.add(f"{sources[name].source_name}.{sources[name].name}")
            elif name in nodes:
                waiting.append(name)
    return tuple(sorted(found))


def _where(folder: Path) -> list[str]:
    """The project, and folders for what dbt writes: the checkout may be read-only."""
    return [*_WHERE, "--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]


def _manifest(folder: Path) -> Any:
    if _parsed.manifest is None:
        parse = ["parse", *_QUIET, "--no-write-json", *_where(folder)]
        _parsed.manifest = _invoke(parse, None, None)
    return _parsed.manifest


def _invoke(arguments: list[str], manifest: Any, callback: Callable[[Any], None] | None) -> Any:
    with shielded():
        # dbt reads some variables when it is imported.
        from dbt.cli.main import dbtRunner

        runner = dbtRunner(manifest=manifest, callbacks=[callback] if callback else [])
        outcome = runner.invoke(arguments)
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception
    if not outcome.success:
        raise DbtError(
            "dbt could not build all models:",
            details=list(_problems(outcome)) or [_shortened(str(outcome.exception))],
            hint="if the disk is full, make room; otherwise look at the model and its rows.",
        )
    return outcome.result


def _problems(outcome: Any) -> Iterable[str]:
    for run in outcome.result or ():
        if str(run.status) in ("error", "fail"):
            where = getattr(run.node, "original_file_path", "")
            yield f"{run.node.name} ({where}): {_shortened(run.message or '')}"


def _shortened(message: str) -> str:
    """The lines of dbt's message that say what happened, without its frame."""
    lines = [line.strip() for line in message.splitlines()]
    told = [line for line in lines if line and not line.startswith(("Runtime Error in", "> in"))]
    return " ".join(told)[:400]


def _reporting(layer: str) -> Callable[[Any], None]:
    def report(event: Any) -> None:
        if event.info.name == "LogStartLine":
            events.announce(events.Progress(layer, event.data.node_info.node_name, done=False))
        elif event.info.name == "LogModelResult":
            node = event.data.node_info.node_name
            seconds = float(event.data.execution_time)
            events.announce(events.Progress(layer, node, done=True, seconds=seconds))

    return report
