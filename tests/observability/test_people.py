"""How a command ends that cannot begin, or that a person interrupts."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from medallion.cli import cli
from medallion.commands.people import ForPeople, _interrupted_once


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C means here what it means in a command of its own process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
def test_another_interruption_waits_until_all_is_tidied_up() -> None:
    tidied: list[str] = []

    @click.command(cls=ForPeople)
    def command() -> None:
        try:
            ctrl_c()
        finally:
            ctrl_c()
            tidied.append("first")
            ctrl_c()
            tidied.append("second")

    result = CliRunner().invoke(command, [])
    assert (result.exit_code, tidied) == (130, ["first", "second"])
    assert "Interrupted." in result.output


@pytest.mark.usefixtures("interruptible")
def test_a_command_that_nobody_interrupts_leaves_the_signal_as_it_was() -> None:
    @click.command(cls=ForPeople)
    def command() -> None:
        pass

    assert CliRunner().invoke(command, []).exit_code == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def refused(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, ["run", *arguments])
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("junk", encoding="utf-8"),
        lambda path: path.write_text("pipelines: [bronze]", encoding="utf-8"),
        lambda path: path.write_text("- run", encoding="utf-8"),
        lambda path: path.write_text("run: all", encoding="utf-8"),
        lambda path: path.write_text("run: {a: [", encoding="utf-8"),
        lambda path: path.write_text("", encoding="utf-8"),
        lambda path: path.write_bytes(b"run: \xff"),
    ],
)
def test_a_file_of_options_that_holds_none_is_refused(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    file = tmp_path / "options.yml"
    write(file)
    assert "section `run:`" in refused("--config", str(file)).output


def test_a_configuration_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "conf.zip"
    file.write_text("junk", encoding="utf-8")
    assert "no folder and no archive" in refused("--conf-source", str(file)).output


def test_an_option_that_a_file_names_and_nobody_knows_is_refused_with_the_nearest(
    tmp_path: Path,
) -> None:
    file = tmp_path / "options.yml"
    file.write_text("run: {tagz: silver}", encoding="utf-8")
    output = refused("--config", str(file)).output
    assert "Key `tagz`" in output
    assert "tags" in output


class _Finalized:
    def __del__(self) -> None:
        ctrl_c()


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_command_also_if_it_comes_where_no_exception_gets_out() -> None:
    def work() -> None:
        _Finalized()
        time.sleep(10)

    with _interrupted_once(), pytest.raises(KeyboardInterrupt):
        work()
