"""Kedro's configuration, whose mistakes end with a sentence instead of a stack trace."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf

from medallion.errors import ConfigurationError, UsageError, meant, shown
from medallion.project import CONF
from medallion.spec import read_yaml, yaml_problem
from medallion.storage.layout import is_in_store, store_problem, with_roots
from medallion.storage.litter import is_hidden

_GLOBALS = "globals"
_ENVIRONMENT = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A project or a location of Google's.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,99}")


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's own loader; it names file, key and lines of a YAML file that cannot be read.

    Kedro resolves the globals of each environment by themselves, so a default that builds on
    another key would not see what a person's own globals say of it. Hence roots are completed
    here, when all environments have been read. What is no YAML of Kedro's (the spec, the suites)
    is named there as `${conf:base/spec.yml}`: a file of the folder that is read.
    """

    def __init__(
        self,
        conf_source: str,
        env: str | None = None,
        runtime_params: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        if Path(conf_source).is_dir():
            environment_of(Path(conf_source), env)
        # An archive cannot hold files that are read by their path: those of the package count.
        self._folder = Path(conf_source).absolute() if Path(conf_source).is_dir() else CONF
        super().__init__(conf_source, env, runtime_params, **settings)

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Reads the files of one kind of configuration.

        Raises:
            ConfigurationError: A file is no YAML, or repeats a key.
        """
        # Resolvers belong to the process, and Kedro keeps the first of a name; loaders are many.
        OmegaConf.register_new_resolver("conf", self._file, replace=True)
        OmegaConf.register_new_resolver("required", self._variable, replace=True)
        self._unfit: list[str] = []
        try:
            found: dict[str, Any] = super().__getitem__(key)
        except yaml.YAMLError as error:
            raise ConfigurationError(
                "The configuration cannot be read:",
                details=list(self._problems()) or [yaml_problem(error)],
                hint="correct the files above.",
            ) from error
        if self._unfit:
            raise ConfigurationError(
                f"The environment {self.env} needs variables that are not set, or that cannot be"
                " what they are:",
                details=list(dict.fromkeys(self._unfit)),
                hint="set them where the run is started; no file of the project holds them.",
            )
        return with_roots(found) if key == _GLOBALS else found

    def ask(self, given: Mapping[str, Any]) -> None:
        """Reads all files from now on with other parameters of the command line.

        Args:
            given: The parameters.
        """
        self.runtime_params = dict(given)
        # Kedro keeps those it has met first.
        self._runtime_params_oc = None

    def _variable(self, name: str, example: str) -> str:
        """An environment variable that must be set, and look as its example does."""
        value = os.environ.get(name, "").strip()
        if not value:
            self._unfit.append(f"{name} is not set; an example is {name}={example}")
        elif is_in_store(example):
            value = value.rstrip("/")
            if problem := store_problem(value):
                self._unfit.append(f"{name}={shown(value)}: {problem}, such as {example}")
        elif not _NAME.fullmatch(value):
            allowed = "it may hold letters, digits and . : _ -"
            self._unfit.append(f"{name}={shown(value)}: {allowed}, such as {example}")
        return value

    def _file(self, path: str) -> str:
        return str(self._folder / path)

    def _problems(self) -> Iterable[str]:
        """What is wrong with the files of the environments in use, a line each."""
        for name in dict.fromkeys((self.base_env, self.env or self.default_run_env)):
            yield from _problems(Path(self.conf_source) / str(name))


def environment_of(folder: Path, env: str | None) -> None:
    """Makes sure that a folder holds the configuration of an environment.

    Args:
        folder: Such as `conf`.
        env: The environment; without one, only the base is needed.

    Raises:
        UsageError: It does not.
    """
    known = sorted(one.name for one in folder.iterdir() if one.is_dir() and not is_hidden(one.name))
    if "base" not in known:
        raise UsageError(
            f"{folder} holds no configuration: there is no folder `base` in it.",
            hint="copy the project's conf/base there, or leave --conf-source out.",
        )
    if env and env not in known:
        raise UsageError(
            f"There is no environment {shown(env)}: {folder} has {', '.join(known)}.",
            hint=f"{meant(env, known)}to make one, add a folder beside them with the settings that"
            " differ from base; its name may hold letters, digits, _ and -."
            if _ENVIRONMENT.fullmatch(env)
            else "an environment is the name of a folder there: letters, digits, _ and -.",
        )


def _problems(folder: Path) -> Iterable[str]:
    """What is wrong with the YAML files of a folder; those of suites are read by themselves."""
    for file in sorted((*folder.rglob("*.yml"), *folder.rglob("*.yaml"))):
        if is_hidden(file.name):
            continue
        try:
            read_yaml(file.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            yield f"{file}: {yaml_problem(error)}"
