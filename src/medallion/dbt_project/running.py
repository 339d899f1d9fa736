"""One dbt in the process: the project is parsed once, each layer is one invocation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion import events
from medallion.dbt_project.environment import shielded
from medallion.errors import DbtError, MedallionError, StorageError
from medallion.foreign import advice, disclosed_text, known
from medallion.project import DBT, IS_CHECKOUT
from medallion.storage import Document

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
# What dbt remembers of a project that it has parsed.
_PARTIAL = "partial_parse.msgpack"
# Models of this materialization are tables that Kedro shows in the warehouse.
PUBLISHED = "published"
_LOOK = "look at the model that is named first: the others may have failed because of it."
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


def run_models(
    select: str, layer: str, folder: Path, variables: Mapping[str, Any]
) -> dict[str, float]:
    """Runs the models that a selector names.

    Args:
        select: As dbt's `--select`.
        layer: The layer that progress is reported under.
        folder: Where dbt keeps its own files.
        variables: The vars of the project, instead of those that are committed with it.

    Returns:
        Seconds by model.

    Raises:
        DbtError: A model failed.
    """
    # The order of columns is that of the vars, so their keys are not sorted.
    given = ["--vars", json.dumps(variables)]
    arguments = ["run", *_QUIET, "--no-write-json", *_where(folder), *given, "--select", select]
    result = _invoke(arguments, _manifest(folder, given), _reporting(layer))
    return {run.node.name: float(run.execution_time) for run in result}


def sources_of(model: str, folder: Path) -> tuple[str, ...]:
    """The tables that a model reads, also through other models, such as `base_silver.orders`.

    Tables that Kedro publishes end the way: what they are made from is Kedro's to say.
    """
    manifest = _manifest(folder)
    nodes, sources = manifest.nodes, manifest.sources
    found: set[str] = set()
    waiting = [f"model.medallion.{model}"]
    while waiting:
        for name in nodes[waiting.pop()].depends_on_nodes:
            if name in sources:
                found.add(f"{sources[name].source_name}.{sources[name].name}")
            elif nodes[name].config.materialized == PUBLISHED:
                found.add(f"{nodes[name].schema}.{nodes[name].name}")
            else:
                waiting.append(name)
    return tuple(sorted(found))


def declared_columns(model: str, folder: Path) -> dict[str, str]:
    """The columns of a model's contract, name to type."""
    columns = _manifest(folder).nodes[f"model.medallion.{model}"].columns
    return {name: str(column.data_type) for name, column in columns.items()}


def grain_of(model: str, folder: Path) -> tuple[str, ...]:
    """The columns that tell the rows of a model apart, as its tests say."""
    for node in _manifest(folder).nodes.values():
        test = getattr(node, "test_metadata", None)
        if test and getattr(node, "attached_node", None) == f"model.medallion.{model}":
            if test.name == "unique":
                return (str(test.kwargs["column_name"]),)
            if test.name == "grain_is_unique":
                return tuple(test.kwargs["columns"])
    return ()


def _where(folder: Path) -> list[str]:
    """The project, and folders for what dbt writes: the checkout may be read-only."""
    return [*_WHERE, "--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]


def _manifest(folder: Path, given: Sequence[str] = ()) -> Any:
    """The project as it is; which models read which others does not depend on its vars."""
    if _parsed.manifest is None:
        parse = ["parse", *_QUIET, "--no-write-json", *_where(folder), *given]
        with _remembered_by_the_checkout(folder / "target"):
            _parsed.manifest = _invoke(parse, None, None)
    return _parsed.manifest


@contextmanager
def _remembered_by_the_checkout(target: Path) -> Iterator[None]:
    """Lets a place where dbt has never worked begin with what it parsed elsewhere.

    Parsing everything takes longer than any step of a small run. dbt parses again what has
    changed since; of what it cannot use, everything.
    """
    shared, here = Document.at(DBT / "target" / _PARTIAL), Document.at(target / _PARTIAL)
    with suppress(OSError, StorageError):
        if not here.exists() and (content := shared.content()):
            here.storage.write(here.key, content)
    yield
    with suppress(OSError, StorageError):  # a checkout may be read-only
        content = here.content()
        if IS_CHECKOUT and content and content != shared.content():
            shared.storage.write(shared.key, content)


def _invoke(arguments: list[str], manifest: Any, callback: Callable[[Any], None] | None) -> Any:
    with shielded():
        # dbt reads some variables when it is imported.
        from dbt.cli.main import dbtRunner

        runner = dbtRunner(manifest=manifest, callbacks=[callback] if callback else [])
        outcome = runner.invoke(arguments)
    if isinstance(outcome.exception, KeyboardInterrupt):
        raise outcome.exception
    if not outcome.success:
        raise _failed(outcome)
    return outcome.result


def _failed(outcome: Any) -> MedallionError:
    """What dbt says of the models that failed, or of what kept it from building any."""
    texts = {_named(run): str(run.message or "") for run in _broken(outcome)}
    if not texts and outcome.exception:
        return known(outcome.exception)
    error = DbtError(
        "dbt could not build all models:",
        details=[f"{name}: {disclosed_text(text)}" for name, text in texts.items()],
        hint=next(filter(None, map(advice, texts.values())), _LOOK),
    )
    error.models = {run.node.name: str(run.node.compiled_code or "") for run in _broken(outcome)}
    return error


def _broken(outcome: Any) -> Iterable[Any]:
    results = outcome.result if isinstance(outcome.result, Iterable) else ()
    return [run for run in results if str(run.status) in ("error", "fail")]


def _named(run: Any) -> str:
    return f"{run.node.name} ({getattr(run.node, 'original_file_path', '')})"


def _reporting(layer: str) -> Callable[[Any], None]:
    def report(event: Any) -> None:
        if event.info.name == "LogStartLine":
            events.announce(
                events.Progress(layer=layer, item=event.data.node_info.node_name, done=False)
            )
        elif event.info.name == "LogModelResult":
            node = event.data.node_info.node_name
            seconds = float(event.data.execution_time)
            events.announce(events.Progress(layer=layer, item=node, done=True, seconds=seconds))

    return report
