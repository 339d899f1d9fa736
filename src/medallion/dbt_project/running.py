"""One dbt in the process: the project is parsed once, each layer is one invocation."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
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
# Without the cache of relations, which takes a call for each dataset.
_UNCACHED = "--no-populate-cache"
_LOOK = "look at the model that is named first: the others may have failed because of it."
# Whatever a variable or a file elsewhere says: this project, this profile.
_WHERE = [
    "--project-dir", str(DBT),
    "--profiles-dir", str(DBT),
    "--profile", "medallion",
]  # fmt: skip
# What the macro `built_day` says of a row that a mart must not have.
_REFUSED = re.compile(
    r"gold\.\w+ has a row of (?:\d{4}-\d\d-\d\d|no day), which is not a day that is built"
)
_WRONG_DAY = (
    "this is an error of the model, not of your data: its rows are to be those of the days it "
    "reads. Nothing has been changed."
)
# The days of a mart, and of each table those that they are made from, by mart.
DaysOfMarts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Target:
    """Where dbt builds, and with which vars.

    Attributes:
        folder: Where dbt keeps its own files.
        variables: The vars of the project, instead of those that are committed with it.
        name: The output of the profile.
        built_in: The schema of marts that are built, if it is not that of the project.
        read_in: The schema of marts that are read as they stand.
    """

    folder: Path
    variables: Mapping[str, Any] = field(repr=False)
    name: str = "duckdb"
    built_in: str = ""
    read_in: str = ""

    @property
    def files(self) -> Path:
        """What dbt remembers of the project; it would parse all of it anew for another target."""
        return self.folder / ("target" if self.name == "duckdb" else f"target_{self.name}")

    @property
    def given(self) -> list[str]:
        """The project as dbt finds it by its options: the checkout may be read-only."""
        places = ["--target-path", str(self.files), "--log-path", str(self.folder / "logs")]
        return [*_WHERE, "--target", self.name, *places]


# The project as dbt has parsed it, once in a process for each target.
_parsed: dict[str, Any] = {}


def run_models(
    select: str, layer: str, target: Target, marts: DaysOfMarts | None = None
) -> dict[str, float]:
    """Runs the models that a selector names.

    Args:
        select: As dbt's `--select`.
        layer: The layer that progress is reported under.
        target: Where, and with which vars.
        marts: The days to build of each mart that is not built whole.

    Returns:
        Seconds by model.

    Raises:
        DbtError: A model failed.
    """
    parsed = manifest(target)
    _list_days(parsed, marts or {}, target)
    # dbt has parsed the project already, so vars that change from run to run cost nothing here.
    given = _vars({**target.variables, "marts": marts} if marts else target.variables)
    # The materialization `mart` asks for no relation. Whatever does must have the cache: once one
    # model is in it, dbt takes what is not in it for absent, and would make it from some days.
    uncached = [_UNCACHED] if marts and target.name == "duckdb" else []
    selected = [*given, "--select", select, *uncached]
    arguments = ["run", *_QUIET, "--no-write-json", *target.given, *selected]
    result = _invoke(arguments, parsed, _reporting(layer))
    return {run.node.name: float(run.execution_time) for run in result}


def compile_models(select: str, target: Target, marts: DaysOfMarts) -> dict[str, str]:
    """What dbt makes of models, by name; nothing is built.

    Args:
        select: As dbt's `--select`.
        target: Where, and with which vars.
        marts: The days of each mart that is not built whole.

    Raises:
        DbtError: A model cannot be compiled.
    """
    parsed = manifest(target)
    _list_days(parsed, marts, target)
    given = [*target.given, *_vars({**target.variables, "marts": marts})]
    asked = ["--select", select, "--indirect-selection", "empty", _UNCACHED, "--no-introspect"]
    result = _invoke(["compile", *_QUIET, "--no-write-json", *given, *asked], parsed, None)
    return {run.node.name: str(run.node.compiled_code) for run in result}


def manifest(target: Target) -> Any:
    """The project as dbt has parsed it."""
    if target.name not in _parsed:
        parse = ["parse", *_QUIET, "--no-write-json", *target.given, *_vars(target.variables)]
        with _remembered_by_the_checkout(target.files):
            _parsed[target.name] = _invoke(parse, None, None)
    return _parsed[target.name]


def _vars(variables: Mapping[str, Any]) -> list[str]:
    # The order of columns is that of the vars, so their keys are not sorted.
    return ["--vars", json.dumps(variables)]


def _list_days(parsed: Any, marts: DaysOfMarts, target: Target) -> None:
    """Says in the configuration of marts that are built by day which days these are.

    The macro `by_day` says the same, but dbt asks it while it parses, before there is a plan.
    What is built beside the marts that stand holds nothing else than these days.
    """
    for node in parsed.nodes.values():
        if node.config.materialized == "incremental":
            days = marts.get(node.name, {}).get("days")
            node.config.full_refresh = days is None or bool(target.built_in)
            node.config["partitions"] = [f"date '{day}'" for day in days or ()]
        if target.built_in and is_mart(node):
            node.schema = target.built_in if node.name in marts else target.read_in


def is_mart(node: Any) -> bool:
    """Whether a node of dbt is a model of Gold."""
    return str(node.resource_type) == "model" and node.fqn[1] == "gold"


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
    refused = {name: found[0] for name, text in texts.items() if (found := _REFUSED.search(text))}
    error = DbtError(
        "dbt could not build all models:",
        details=[f"{n}: {refused.get(n) or disclosed_text(text)}" for n, text in texts.items()],
        hint=_WRONG_DAY if refused else next(filter(None, map(advice, texts.values())), _LOOK),
    )
    broken = _broken(outcome)
    error.models = {run.node.name: str(run.node.compiled_code or "") for run in broken}
    error.texts = {run.node.name: str(run.message or "") for run in broken}
    error.built = {
        run.node.name: float(run.execution_time) for run in outcome.result or () if _is_built(run)
    }
    return error


def _broken(outcome: Any) -> Iterable[Any]:
    results = outcome.result if isinstance(outcome.result, Iterable) else ()
    return [run for run in results if str(run.status) in ("error", "fail")]


def _is_built(run: Any) -> bool:
    return str(run.status) == "success"


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
