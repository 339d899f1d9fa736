"""Kedro's configuration, whose mistakes end with a sentence instead of a stack trace."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf

from medallion.errors import ConfigurationError
from medallion.project import CONF
from medallion.spec import read_yaml, yaml_problem
from medallion.storage.layout import with_roots

_GLOBALS = "globals"


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
        self._missing: dict[str, str] = {}
        try:
            found: dict[str, Any] = super().__getitem__(key)
        except yaml.YAMLError as error:
            raise ConfigurationError(
                "The configuration cannot be read:",
                details=list(self._problems()) or [yaml_problem(error)],
                hint="correct the files above.",
            ) from error
        if self._missing:
            raise ConfigurationError(
                f"The environment {self.env} needs variables that are not set:",
                details=[f"{name}, such as {name}={one}" for name, one in self._missing.items()],
                hint="set them where the run is started; no file of the project holds them.",
            )
        return with_roots(found) if key == _GLOBALS else found

    def _variable(self, name: str, example: str) -> str:
        """An environment variable that must be set."""
        value = os.environ.get(name, "").strip()
        if not value:
            self._missing[name] = example
        return value

    def _file(self, path: str) -> str:
        return str(self._folder / path)

    def _problems(self) -> Iterable[str]:
        """What is wrong with the files of the environments in use, a line each."""
        for name in dict.fromkeys((self.base_env, self.env or self.default_run_env)):
            yield from _problems(Path(self.conf_source) / str(name))


def _problems(folder: Path) -> Iterable[str]:
    """What is wrong with the YAML files of a folder; those of suites are read by themselves."""
    for file in sorted((*folder.rglob("*.yml"), *folder.rglob("*.yaml"))):
        try:
            read_yaml(file.read_text(encoding="utf-8"))
        except yaml.YAMLError as error:
            yield f"{file}: {yaml_problem(error)}"
