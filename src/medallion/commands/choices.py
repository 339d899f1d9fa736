"""What can be named on the command line, checked before anything is opened."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from kedro.framework.project import pipelines, settings
from kedro.pipeline import Pipeline
from kedro.runner import AbstractRunner
from kedro.utils import load_obj

from medallion.configuring import environment_of
from medallion.errors import UsageError, meant, shown
from medallion.project import HOME

_RUNNERS = ("SequentialRunner", "ThreadRunner")
_SHOWN = 12
# What Kedro makes of an option whose value is empty, or holds nothing but commas.
_NO_VALUE: tuple[object, ...] = ("", [], (), {})


def check_given(ctx: click.Context) -> None:
    """Makes sure that no option is given without a value: a script's variable was not set.

    Raises:
        UsageError: One is; Kedro would go on as if it had been left out.
    """
    for option in ctx.command.params:
        name = option.name or ""
        given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and isinstance(option, click.Option) and ctx.params.get(name) in _NO_VALUE:
            raise UsageError(
                f"{max(option.opts, key=len)} is given without a value.",
                hint="name one, or leave the option out; is a variable of a script not set?",
            )


def check_environment(env: str | None, conf_source: str | None = None) -> None:
    """Makes sure that there is a configuration to read.

    Args:
        env: The environment asked for; the variable KEDRO_ENV names it otherwise.
        conf_source: Another folder, or archive, than the project's `conf`.

    Raises:
        UsageError: The folder holds no configuration, or none of this environment.
    """
    folder = Path(conf_source) if conf_source else HOME / settings.CONF_SOURCE
    if folder.is_file() and not (zipfile.is_zipfile(folder) or tarfile.is_tarfile(folder)):
        raise UsageError(
            f"--conf-source {shown(str(conf_source))}: it is no folder and no archive.",
            hint="give a folder like conf/, or what `kedro package` packs of it (.tar.gz or .zip).",
        )
    if folder.is_dir():
        environment_of(folder, env or os.environ.get("KEDRO_ENV"))


def layers_of(env: str | None, conf_source: str | None = None) -> list[str] | None:
    """The pipelines of a whole run in an environment; None for all that there are.

    Args:
        env: The environment asked for.
        conf_source: Another folder, or archive, than the project's `conf`.
    """
    source = conf_source or str(HOME / settings.CONF_SOURCE)
    env = env or os.environ.get("KEDRO_ENV")
    loader = settings.CONFIG_LOADER_CLASS(source, env=env, **settings.CONFIG_LOADER_ARGS)
    layers = list(loader["globals"]["layers"])
    _check_names("layers in globals.yml", "pipeline", layers, _selectable())
    return None if layers == _selectable() else layers


def check_run(options: Mapping[str, Any]) -> None:
    """Checks all that `kedro run` is asked for by name.

    Args:
        options: The options of the command, by the name of their parameter.

    Raises:
        UsageError: Something of this name is not there.
    """
    _check_runner(options["runner"])
    if options["load_versions"]:
        raise UsageError(
            f"--load-versions {', '.join(options['load_versions'])}: no dataset of this project "
            "is versioned.",
            hint="leave it out; `kedro runs` shows what earlier runs wrote.",
        )
    chosen = [*(options["pipelines"] or ()), *filter(None, [options["pipeline"]])]
    _check_names("--pipelines", "pipeline", chosen, _selectable())
    pipeline = sum((pipelines[name] for name in chosen or ["__default__"]), Pipeline([]))
    nodes = [node.name for node in pipeline.nodes]
    for option in ("from_nodes", "to_nodes", "node_names"):
        _check_names(_flag(option), "node", options[option], nodes)
    for option in ("from_inputs", "to_outputs"):
        _check_names(_flag(option), "dataset", options[option], pipeline.datasets())
    _check_names("--tags", "tag", options["tags"], {t for n in pipeline.nodes for t in n.tags})
    _check_names("--namespaces", "namespace", options["namespaces"], _namespaces(pipeline))
    _check_selection(pipeline, options)


def _selectable() -> list[str]:
    return [name for name in pipelines if name != "__default__"]


def _flag(option: str) -> str:
    return "--nodes" if option == "node_names" else f"--{option.replace('_', '-')}"


def _check_runner(name: str | None) -> None:
    """A runner of Kedro by its name, or any other by its path."""
    try:
        runner = load_obj(name or _RUNNERS[0], "kedro.runner")
    except (ImportError, AttributeError, ValueError, TypeError):
        runner = None
    if not (isinstance(runner, type) and issubclass(runner, AbstractRunner)):
        raise UsageError(
            f"--runner {name}: there is no such runner.",
            hint=f"{meant(str(name), _RUNNERS)}there are {_listed(_RUNNERS)}.",
        )


def _check_names(
    option: str, kind: str, given: Iterable[str] | None, known: Collection[str]
) -> None:
    unknown = [name for name in given or () if name not in known]
    if not unknown:
        return
    where = f"{', '.join(_visible(name) for name in unknown)}"
    if not known:
        raise UsageError(f"{option} {where}: this pipeline has no {kind}s.")
    shown = f"there are {_listed(sorted(known))}." if len(known) <= _SHOWN else _look_up(kind)
    raise UsageError(
        f"{option} {where}: there is no such {kind}.", hint=f"{meant(unknown[0], known)}{shown}"
    )


def _look_up(kind: str) -> str:
    command = "kedro registry describe" if kind == "node" else "kedro catalog describe-datasets"
    return f"`{command}` lists every {kind}."


def _visible(name: str) -> str:
    return repr(name) if name != name.strip() or not name.isprintable() or not name else name


def _namespaces(pipeline: Pipeline) -> set[str]:
    return {prefix for node in pipeline.nodes for prefix in node.namespace_prefixes}


def _check_selection(pipeline: Pipeline, options: Mapping[str, Any]) -> None:
    """Options that are fine alone may leave nothing together."""
    try:
        pipeline.filter(
            tags=options["tags"],
            from_nodes=options["from_nodes"],
            to_nodes=options["to_nodes"],
            node_names=options["node_names"],
            from_inputs=options["from_inputs"],
            to_outputs=options["to_outputs"],
            node_namespaces=options["namespaces"],
        )
    except ValueError as error:
        raise UsageError(
            "No node is left to run: these options have none in common.",
            hint="leave one of --nodes, --from-..., --to-..., --namespaces or --tags out.",
        ) from error


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
