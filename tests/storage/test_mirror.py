"""Small files that tell of runs are the same on all machines, once they were copied."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from medallion.storage import LocalStorage
from medallion.storage.mirror import Mirror


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Mirror]:
    store = LocalStorage(tmp_path / "store")

    def new(name: str) -> Mirror:
        return Mirror(store, tmp_path / name / "files", tmp_path / name, (".draft",))

    return new


def write(mirror: Mirror, name: str, text: str) -> None:
    path = mirror.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def files(mirror: Mirror) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(mirror.folder.glob("*"))}


def test_what_one_machine_copies_another_has(machine: Callable[[str], Mirror]) -> None:
    a, b = machine("a"), machine("b")
    write(a, "1.json", "one")
    a.push()
    b.pull()
    write(b, "2.json", "two")
    b.push()
    a.pull()
    assert files(a) == files(b) == {"1.json": "one", "2.json": "two"}


def test_what_was_added_since_it_was_copied_is_copied_after_a_look_at_the_others(
    machine: Callable[[str], Mirror],
) -> None:
    a, b = machine("a"), machine("b")
    write(a, "a.jsonl", "first\n")
    a.push()
    write(a, "a.jsonl", "first\nsecond\n")
    a.pull()
    assert files(a) == {"a.jsonl": "first\nsecond\n"}
    a.push()
    b.pull()
    assert files(b) == {"a.jsonl": "first\nsecond\n"}


def test_a_file_that_is_gone_here_comes_again_and_one_that_is_gone_there_goes(
    machine: Callable[[str], Mirror],
) -> None:
    a = machine("a")
    for name in ("1.json", "2.json"):
        write(a, name, name)
    a.push()
    (a.folder / "1.json").unlink()
    a.storage.delete("2.json")
    a.pull()
    assert files(a) == {"1.json": "1.json"}


def test_what_is_for_this_machine_alone_stays(machine: Callable[[str], Mirror]) -> None:
    a, b = machine("a"), machine("b")
    for name in (".lock", "r.draft", "r.json"):
        write(a, name, name)
    a.push()
    b.pull()
    assert files(b) == {"r.json": "r.json"}
