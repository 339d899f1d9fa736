"""A process has a name of its own, whatever others share with it."""

from __future__ import annotations

import os
import subprocess
import sys

from medallion.storage.process import is_dead, numbering, this_process

# The first process of a container that shares the name of its host with others.
FIRST = """
import os, socket
os.getpid, socket.gethostname = lambda: 1, lambda: "box"
from medallion.storage.process import this_process
print(this_process(), end="")
"""


def first_process() -> str:
    told = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True)
    return told.stdout


def test_processes_of_one_host_name_and_process_id_are_told_apart() -> None:
    one, other = first_process(), first_process()
    assert one != other
    assert one.startswith("box-1-")
    assert other.startswith("box-1-")


def test_a_process_keeps_its_name() -> None:
    assert this_process() == this_process()


def test_a_process_that_is_gone_is_dead_and_one_that_lives_is_not() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    me = this_process()
    assert not is_dead(me)
    assert is_dead(me.replace(f"-{os.getpid()}-", f"-{gone.pid}-"))


def test_of_a_process_that_is_numbered_elsewhere_nobody_knows_here() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = this_process().rsplit("-", 2)[0]
    assert not is_dead(f"{host}-{gone.pid}-zzzz{numbering()}")
    assert not is_dead(f"{host}-{gone.pid}")
    assert not is_dead("nobody yet")
