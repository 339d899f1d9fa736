"""Mistyped commands: a sentence, exit code 2, and no run that failed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project

from medallion.cli import cli
from medallion.lake.names import as_day
from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.conftest import PROJECT
from tests.lake.test_names import HOSTILE
from tests.running import Shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Shop:
    root = tmp_path_factory.mktemp("mistyped")
    made = Shop(root / "bronze", root / "data")
    generate(SampleRequest(made.bronze, as_day("2025-10-01"), 1, 5, seed=1), spec=spec)
    return made


@pytest.fixture
def typed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("MEDALLION_BRONZE_ROOT", str(shop.bronze))
    monkeypatch.setenv("MEDALLION_DATA_ROOT", str(shop.data))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    return CliRunner()


def refused(result: Result) -> str:
    """What is said of a command that is refused."""
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env", "live"], ["no environment 'live'", "base", "dev", "emulator", "prod"]),
        (["--env", "prd"], ["did you mean prod?"]),
        (["--env", "../conf"], ["no environment"]),
        (["--env", "locl"], ["did you mean local?"]),
        (["--pipelines", "silver"], ["did you mean base_silver?", "warehouse"]),
        (["--pipelines", "gold,dim"], ["--pipelines dim:", "did you mean dims?"]),
        (["--pipeline", "glod"], ["did you mean gold?"]),
        (["--nodes", "base_silver.scor"], ["did you mean base_silver.score?"]),
        (["--from-nodes", "X"], ["--from-nodes X: there is no such node"]),
        (["--to-nodes", "gold.mart"], ["did you mean gold.marts?"]),
        (["--from-inputs", "X"], ["--from-inputs X: there is no such dataset"]),
        (["--to-outputs", "gold.fct_order"], ["did you mean gold.fct_orders?"]),
        (["--tags", "glod"], ["did you mean gold?"]),
        (["--tags", ""], ["--tags is given without a value"]),
        (["--pipelines", " , "], ["--pipelines is given without a value"]),
        (["--env", ""], ["--env is given without a value", "is a variable of a script not set?"]),
        (["--namespaces", "glod"], ["did you mean gold?"]),
        (["--runner", "ThreadRuner"], ["did you mean ThreadRunner?"]),
        (["--runner", "os.path"], ["no such runner"]),
        (["--load-versions", "gold.fct_orders:x"], ["is versioned"]),
        (["--pipelines", "dims", "--nodes", "gold.marts"], ["no such node"]),
        (["--nodes", "gold.marts", "--to-nodes", "bronze.plan_run"], ["No node is left"]),
    ],
)
def test_a_name_that_is_not_there_is_refused(
    typed: CliRunner, arguments: list[str], said: list[str]
) -> None:
    told = refused(typed.invoke(cli, ["run", *arguments]))
    for part in said:
        assert part in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--params", "qualty.mode=strict"], "did you mean quality?"),
        (["--params", "quality.mod=strict"], "did you mean mode?"),
        (["--params", "quality.mode=stric"], "'warn' or 'strict'"),
        (["--params", "engine.thread=2"], "did you mean threads?"),
        (["--params", "ingest_dt=2025-13-03"], "not a day of the calendar"),
        (["--params", "start=2025-10-02"], "both start and end"),
        (["--params", "transforms.sales_velocit.short_days=3"], "did you mean sales_velocity?"),
        (["--params", "transforms.sales_velocity.short_day=3"], "did you mean short_days?"),
        (["--nodes", "enriched.sales_velocity"], "enriched.plan makes it"),
    ],
)
def test_what_cannot_be_run_is_refused_and_leaves_nothing(
    typed: CliRunner, shop: Shop, arguments: list[str], said: str
) -> None:
    assert said in refused(typed.invoke(cli, ["run", *arguments]))
    assert not shop.data.exists()


def test_a_layer_with_nothing_before_it_says_what_is_missing(
    typed: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDALLION_DATA_ROOT", str(tmp_path / "data"))
    result = typed.invoke(cli, ["run", "--namespaces", "gold"])
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert "views.json yet" in result.output
    assert "run `kedro run` first" in result.output


@pytest.mark.parametrize("command", [["lake", "plan"], ["runs", "list"], ["quarantine", "summary"]])
def test_every_command_knows_the_environments(typed: CliRunner, command: list[str]) -> None:
    assert "no environment 'nope'" in refused(typed.invoke(cli, [*command, "--env", "nope"]))


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--params", "run_id={}"],
        ["run", "--params", "as_of={}"],
        ["run", "--env", "{}"],
        ["lake", "rollback", "--to", "{}"],
        ["lake", "diff", "r1", "{}"],
        ["runs", "show", "{}"],
        ["runs", "close", "{}"],
        ["runs", "diff", "r1", "{}"],
        ["runs", "why", "base_silver.{}", "2025-10-01"],
        ["quarantine", "summary", "--table", "{}"],
        ["quarantine", "show", "{}"],
        ["quality", "show", "{}"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("kind", ["climbing further", "quote", "line break", "look-alike", "long"])
def test_a_hostile_name_is_refused_before_anything_is_opened(
    typed: CliRunner, shop: Shop, command: list[str], kind: str
) -> None:
    result = typed.invoke(cli, [part.format(HOSTILE[kind]) for part in command])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    assert "What to do:" in result.output
    assert len(result.output) < 800
    assert not shop.data.exists()


def test_a_folder_without_configuration_is_refused(typed: CliRunner, tmp_path: Path) -> None:
    told = refused(typed.invoke(cli, ["run", "--conf-source", str(tmp_path)]))
    assert "no folder `base`" in told


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MEDALLION_BRONZE_ROOT", "gs://bucket/raw", "uv sync --extra gcp"),
        ("MEDALLION_BRONZE_ROOT", "s4://bucket/raw", "s4:// is unknown"),
        ("MEDALLION_DATA_ROOT", "gs://bucket/lake", "not a folder of this machine"),
    ],
)
def test_a_root_that_cannot_be_opened_is_a_sentence(
    typed: CliRunner, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.storage", None)
    monkeypatch.setenv(variable, value)
    result = typed.invoke(cli, ["lake", "plan"])
    assert result.exit_code == 1, result.output
    assert said in result.output
    assert isinstance(result.exception, SystemExit)
