"""The trail is a file per run: it answers who wrote what, and forgets nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from medallion.datasets.audit import AuditRunsDataset
from medallion.errors import RequestError
from medallion.runs.audit.code import code_version, config_hash, git_sha
from medallion.runs.audit.record import UNPUBLISHED
from medallion.runs.audit.trail import AuditTrail
from tests.audit.recorded import RECORD


def run(name: str, hour: int = 1, **facts: Any) -> dict[str, Any]:
    return {"run_id": name, "started_at": f"2026-01-01T{hour:02}", "status": "succeeded", **facts}


@pytest.fixture
def trail(tmp_path: Path) -> AuditTrail:
    return AuditTrail(tmp_path / "audit")


def test_a_run_at_work_is_seen_and_its_end_replaces_it(trail: AuditTrail) -> None:
    trail.begin(run("r1"))
    assert [one["status"] for one in trail.runs()] == ["started"]
    assert trail.records("r1") == []
    trail.end(run("r1"), [RECORD])
    assert [one["status"] for one in trail.runs()] == ["succeeded"]
    assert trail.records("r1")[0]["output_rows"] == 7


def test_a_run_that_never_ended_still_tells_what_it_had_written(trail: AuditTrail) -> None:
    trail.begin(run("r1"))
    trail.step("r1", [RECORD])
    with (trail.folder / "r1.steps.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"cut": "sho')
    assert [record["output_rows"] for record in trail.records("r1")] == [7]
    (found,) = trail.writers("base_silver", "orders", "2025-10-01")
    assert found["run_id"] == "r1"
    trail.end(run("r1"), [RECORD])
    assert not list(trail.folder.glob("*.steps.jsonl"))


def test_the_newest_run_comes_first_whatever_it_is_called(trail: AuditTrail) -> None:
    for name, hour in (("b", 1), ("a", 3), ("c", 2)):
        trail.end(run(name, hour), [])
    assert [one["run_id"] for one in trail.runs()] == ["a", "c", "b"]


def test_the_writers_of_a_partition_are_found_newest_first(trail: AuditTrail) -> None:
    for hour, status in enumerate(("written", "unchanged", "removed", "written"), start=1):
        record = replace(RECORD, run_id=f"r{hour}", status=status)
        trail.end(run(f"r{hour}", hour), [record])
    other = replace(RECORD, run_id="r5", partition_value="2025-10-02")
    trail.end(run("r5", 5), [other])
    found = trail.writers("base_silver", "orders", "2025-10-01")
    assert [record["run_id"] for record in found] == ["r4", "r3", "r1"]


def test_what_was_made_in_vain_is_told_and_was_written_by_nobody(trail: AuditTrail) -> None:
    trail.end(run("r1", 1), [RECORD])
    trail.end(run("r2", 2), [replace(RECORD, run_id="r2", status=UNPUBLISHED)])
    (wrote,) = trail.writers("base_silver", "orders", "2025-10-01")
    assert wrote["run_id"] == "r1"
    shown = AuditRunsDataset(filepath=str(trail.folder)).load().collect()
    assert sorted(shown.select("run_id", "status").rows()) == [
        ("r1", "written"),
        ("r2", "unpublished"),
    ]


def test_an_unknown_run_is_told_with_the_nearest(trail: AuditTrail) -> None:
    trail.end(run("2026-01-01T10.00.00"), [])
    with pytest.raises(RequestError, match="did you mean 2026-01-01T10"):
        trail.run("2026-01-01T10.00.01")


def test_every_record_loads_as_a_row_with_every_field(trail: AuditTrail) -> None:
    began = "2026-01-01T12:30:00.000+00:00"
    first = replace(RECORD, started_at=began, ingest_dt="2025-10-01")
    trail.end(run("r1"), [first, replace(RECORD, table_name=None, output_rows=None)])
    frame = AuditRunsDataset(filepath=str(trail.folder)).load().collect()
    assert frame["output_rows"].to_list() == [7, None]
    assert frame["input_manifests"].to_list()[0] == {"bronze": "f1"}
    assert set(frame.columns) == set(RECORD.as_json())
    assert frame["started_at"].to_list() == [datetime(2026, 1, 1, 12, 30, tzinfo=UTC), None]
    assert frame["ingest_dt"].to_list() == [date(2025, 10, 1), None]


def test_an_empty_trail_loads_as_no_rows(trail: AuditTrail) -> None:
    assert AuditRunsDataset(filepath=str(trail.folder)).load().collect().height == 0


def test_sql_sees_the_same_rows(trail: AuditTrail) -> None:
    trail.begin(run("r0"))
    trail.end(run("r1"), [RECORD])
    with duckdb.connect() as connection:
        connection.execute(f"create view runs as {trail.view()}")
        query = "select run_id, output_rows, input_manifests['bronze'] from runs"
        assert connection.execute(query).fetchall() == [("r1", 7, "f1")]


def test_sql_sees_the_whole_records_of_a_file_that_was_cut_short(trail: AuditTrail) -> None:
    trail.end(run("r1"), [RECORD, RECORD])
    trail.end(run("r2"), [replace(RECORD, run_id="r2")] * 2)
    cut = trail.folder / "r1.json"
    cut.write_bytes(cut.read_bytes()[:-20])
    (trail.folder / "empty.json").touch()
    with duckdb.connect() as connection:
        found = connection.execute(f"select run_id, count(*) from ({trail.view()}) group by all")
        assert sorted(found.fetchall()) == [("r1", 1), ("r2", 2)]


class TestTheCommit:
    def repository(self, folder: Path, head: str) -> Path:
        git = folder / ".git"
        (git / "refs" / "heads").mkdir(parents=True)
        (git / "HEAD").write_text(head, encoding="utf-8")
        return git

    @pytest.fixture(autouse=True)
    def _nothing_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("GIT_SHA", raising=False)
        monkeypatch.delenv("GITHUB_SHA", raising=False)

    def test_is_that_of_the_branch(self, tmp_path: Path) -> None:
        git = self.repository(tmp_path, "ref: refs/heads/main\n")
        (git / "refs" / "heads" / "main").write_text("abc\n", encoding="utf-8")
        assert git_sha(tmp_path) == "abc"

    def test_is_found_packed(self, tmp_path: Path) -> None:
        git = self.repository(tmp_path, "ref: refs/heads/main\n")
        (git / "packed-refs").write_text("# pack\ndef refs/heads/main\n", encoding="utf-8")
        assert git_sha(tmp_path) == "def"

    def test_is_found_from_a_worktree(self, tmp_path: Path) -> None:
        git = self.repository(tmp_path / "main", "ref: refs/heads/main\n")
        (git / "refs" / "heads" / "side").write_text("123\n", encoding="utf-8")
        own = git / "worktrees" / "side"
        own.mkdir(parents=True)
        (own / "HEAD").write_text("ref: refs/heads/side\n", encoding="utf-8")
        (own / "commondir").write_text("../..\n", encoding="utf-8")
        side = tmp_path / "side"
        side.mkdir()
        (side / ".git").write_text(f"gitdir: {own}\n", encoding="utf-8")
        assert git_sha(side) == "123"

    def test_is_unknown_outside_a_repository_unless_it_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert git_sha(tmp_path) is None
        monkeypatch.setenv("GIT_SHA", "from-the-image")
        assert git_sha(tmp_path) == "from-the-image"


class TestTheConfiguration:
    @pytest.fixture
    def conf(self, tmp_path: Path) -> Path:
        for layer in ("base_silver", "enriched"):
            (tmp_path / "expectations" / layer).mkdir(parents=True)
            (tmp_path / "expectations" / layer / "orders.yml").write_text("rows: []\n")
        (tmp_path / "spec.yml").write_text("version: 1\n")
        return tmp_path

    @pytest.mark.parametrize(
        "file",
        ["expectations/base_silver/orders.yml", "expectations/enriched/orders.yml", "spec.yml"],
    )
    def test_is_another_when_any_file_of_it_is(self, conf: Path, file: str) -> None:
        before = config_hash({}, [conf], conf / "spec.yml")
        assert config_hash({}, [conf], conf / "spec.yml") == before
        (conf / file).write_text("other: 1\n")
        assert config_hash({}, [conf], conf / "spec.yml") != before

    def test_is_another_with_other_parameters(self, conf: Path) -> None:
        one, other = ({"quality": {"mode": mode}} for mode in ("warn", "strict"))
        spec = conf / "spec.yml"
        assert config_hash(one, [conf], spec) != config_hash(other, [conf], spec)


def test_code_that_was_not_committed_has_another_version(tmp_path: Path) -> None:
    package = tmp_path / "src" / "medallion"
    package.mkdir(parents=True)
    (package / "cli.py").write_text("pass\n")
    before = code_version(package)
    (package / "cli.py").write_text("print()\n")
    assert code_version(package) != before
    assert code_version(package).partition("+")[0] == before.partition("+")[0]
