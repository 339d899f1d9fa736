"""What the commands of a published lake say, as a person reads it on 80 columns."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import polars as pl
import pytest
from click.testing import CliRunner, Result
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from polars.testing import assert_frame_equal

from medallion import foreign
from medallion.cli import cli
from medallion.commands import published as commands
from medallion.configuring import ProjectConfigLoader
from medallion.datasets.lake_table import LakeTableDataset
from medallion.hooks.guard import working_copy
from medallion.lake.store import Lake
from medallion.runs.store_lease import StoreLease
from medallion.settings import CONFIG_LOADER_ARGS
from medallion.storage.google import GoogleStorage
from medallion.storage.layout import Layout
from tests.cloud.conftest import Cloud
from tests.conftest import PROJECT
from tests.lake.test_comparing import Shop
from tests.standins.proxy import Accident, Request


@pytest.fixture
def prefix(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An empty lake of the test's own, in which commands are typed."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    lake = f"gs://{cloud.lake}/{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("MEDALLION_EMULATOR_LAKE", lake)
    monkeypatch.setenv("MEDALLION_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    return lake


@pytest.fixture
def shop(prefix: str, tmp_path: Path) -> Shop:
    """Three states: a first one, one with a day that came again, one by other code."""
    made = Shop(tmp_path / "shop", GoogleStorage(f"{prefix}/silver"))
    made.publish(FIRST, {"2025-10-01": {"A": 1, "B": 2}})
    made.publish(SECOND, {"2025-10-01": {"A": 1, "B": 5, "D": 4}}, "2")
    days = {f"2025-10-{day:02}": {f"{day}{n}": n for n in range(4)} for day in range(2, 9)}
    made.publish(THIRD, days, "3", code="0.1.0+abc")
    return made


FIRST, SECOND, THIRD = (f"2026-01-0{day}T03.00.00.000Z" for day in (1, 2, 3))


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["lake", *arguments, "--env", "emulator"])


def said(*arguments: str) -> str:
    """What a command says that succeeds, without times, sizes and blanks at the ends of lines."""
    result = typed(*arguments)
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.output.splitlines()]
    assert [line for line in lines if len(line) > 80 and "kedro lake" not in line] == []
    told = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "<when, in UTC>", "\n".join(lines))
    return re.sub(r"[\d.]+ kB", "<size>", told)


def refused(*arguments: str) -> str:
    result = typed(*arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    return result.output


@pytest.fixture
def weeks_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands run 40 days after the states were published."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(days=40)

    monkeypatch.setattr(commands, "datetime", Later)


@pytest.mark.usefixtures("prefix")
def test_before_the_first_publication_every_command_says_so(cloud: Cloud) -> None:
    assert said("history").startswith("Nothing has been published yet; `kedro run` publishes")
    assert "There is no state before the current one" in refused("rollback")
    assert "There is no state of run r1" in refused("rollback", "--to", "r1")
    assert said("gc").endswith("There is nothing else: nothing can be deleted.")
    cloud.network.forget()
    assert said("gc", "--delete").endswith("There is nothing else: nothing can be deleted.")
    assert all("_LEASE.json" in one.path for one in cloud.network.changes)


@pytest.mark.usefixtures("shop")
def test_history_lists_the_states() -> None:
    assert (
        said("history")
        == f"""\
   run                       written (UTC)     partitions  rows
*  {THIRD}  <when, in UTC>           8    31
   {SECOND}  <when, in UTC>           1     3
   {FIRST}  <when, in UTC>           1     2"""
    )
    assert said("history", "--limit", "1").endswith("2 older states; ask for more with --limit.")


@pytest.mark.usefixtures("shop")
def test_rollback_goes_back_and_says_how_to_go_forward() -> None:
    assert (
        said("rollback")
        == f"""\
Run {SECOND} is current: 3 rows in 1 table.
Pending in the warehouse: 1 partition of 1 table. The next run loads them, and
so does `kedro warehouse load`.
Gold follows with the next run, and with `kedro run --pipelines gold` from this
state at once.
The next run goes on from here, and makes again what Bronze and the code still
ask for. To go forward again:
  kedro lake rollback --to {THIRD} --env emulator"""
    )
    told = said("rollback", "--to", SECOND)
    assert told.startswith(f"Run {SECOND} is current already.\nPending in the warehouse: ")
    assert (
        said("history")
        == f"""\
   run                       written (UTC)     partitions  rows
   {THIRD}  <when, in UTC>           8    31  left
*  {SECOND}  <when, in UTC>           1     3
   {FIRST}  <when, in UTC>           1     2
left: taken back by a rollback, or never current at all."""
    )
    assert said("rollback", "--to", THIRD).startswith(f"Run {THIRD} is current: 31 rows")
    assert "left" not in said("history")


NOWHERE = b'{"run_id": "nope", "manifest": "_staging/nope/_MANIFEST.json"}'


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        (b"{", "/_latest.json does not say which state is current: it is no JSON."),
        (NOWHERE, "/_latest.json names the state of run 'nope', which is not there."),
    ],
)
def test_a_pointer_that_names_no_state_is_told_and_replaced(
    prefix: str, spoilt: bytes, says: str
) -> None:
    lake = GoogleStorage(f"{prefix}/silver")
    lake.write("_latest.json", spoilt)
    told = said("history")
    assert told.splitlines()[0] == (
        f"{lake.root}{says} `kedro lake rollback --to RUN --env emulator` makes one of these"
        " current:"
    )
    assert [line.split()[0] for line in told.splitlines()[2:]] == [THIRD, SECOND, FIRST]
    for command in (["rollback"], ["gc"], ["doctor"]):
        words = " ".join(refused(*command).split()).replace(" ", "")
        assert f"{lake.root}{says}".replace(" ", "") in words
        assert "`kedrolakerollback--toRUN`" in words
    assert lake.read("_latest.json").data == spoilt
    told = said("rollback", "--to", THIRD)
    assert told.startswith(f"Run {THIRD} is current: 31 rows")
    assert "To go forward" not in told
    assert f"*  {THIRD}" in said("history")


def test_a_spoilt_lease_is_told_by_the_doctor(prefix: str) -> None:
    lake = GoogleStorage(f"{prefix}/silver")
    lake.write("_LEASE.json", b"{}")
    told = refused("doctor")
    assert "failed   lake lease" in told
    assert "if no run is at work, remove it" in " ".join(told.split())
    assert lake.read("_LEASE.json").data == b"{}"


@pytest.mark.usefixtures("shop")
def test_diff_says_the_cause_before_the_rows() -> None:
    assert (
        said("diff", FIRST, SECOND)
        == """\
Bronze: orders of 2025-10-01
table               partitions  added  removed  changed
base_silver.orders           1      1        0        1
base_silver.orders added: D 2025-10-01
base_silver.orders changed: B 2025-10-01"""
    )
    assert (
        said("diff", SECOND, THIRD)
        == """\
code: 1 -> 0.1.0+abc
Bronze: orders of 7 days, 2025-10-02 to 2025-10-08
table               partitions  added  removed  changed
base_silver.orders           7     28        0        0
base_silver.orders added: 20 2025-10-02, 21 2025-10-02, 22 2025-10-02, ..."""
    )
    assert said("diff", THIRD, THIRD) == "The two states hold the same rows."


def test_diff_of_rows_that_differ_for_no_known_reason_says_so(shop: Shop) -> None:
    shop.publish("again", {"2025-10-02": {"20": 9}}, "3", code="0.1.0+abc")
    told = said("diff", THIRD, "again").splitlines()
    assert told[0].startswith("Code, spec, parameters and Bronze are the same: it has another reas")


@pytest.mark.usefixtures("shop", "weeks_later")
def test_gc_shows_what_would_go_and_deletes_it_when_it_is_told_to(cloud: Cloud) -> None:
    before = cloud.objects()
    assert (
        said("gc", "--keep-runs", "1")
        == f"""\
Kept: 1 state. A state is kept if it is current, among the newest 1, or younger
than 30 days.
state that goes           written (UTC)     rows
{SECOND}  <when, in UTC>     3
{FIRST}  <when, in UTC>     2
To be deleted: 5 objects, <size>, which no kept state and no run at work names.
Nothing was changed. To delete it:
  kedro lake gc --keep-days 30 --keep-runs 1 --delete --env emulator"""
    )
    assert cloud.objects() == before
    assert (
        said("gc", "--keep-runs", "1", "--delete")
        == f"""\
Kept: 1 state. A state is kept if it is current, among the newest 1, or younger
than 30 days.
state that went           written (UTC)     rows
{SECOND}  <when, in UTC>     3
{FIRST}  <when, in UTC>     2
Deleted: 5 objects, <size>, which no kept state names.
The bucket does not say for how long it keeps what was deleted (soft delete);
Google's default is 7 days, in which it is paid for."""
    )
    assert said("gc", "--keep-runs", "1").endswith("nothing can be deleted.")
    assert f"There is no state of run {FIRST}" in refused("rollback", "--to", FIRST)
    assert said("history").count("<when") == 1


@pytest.mark.usefixtures("shop", "weeks_later")
def test_what_gc_deletes_it_deletes_as_it_was_when_it_was_found(cloud: Cloud) -> None:
    cloud.network.forget()
    said("gc", "--keep-runs", "1", "--delete")
    deletions = [one.path for one in cloud.network.requests if one.method == "DELETE"]
    assert len([path for path in deletions if "_staging" in path]) == 5
    assert all("ifGenerationMatch=" in path for path in deletions)


@pytest.mark.usefixtures("shop", "weeks_later")
def test_while_a_run_is_at_work_gc_shows_and_does_not_delete(prefix: str, tmp_path: Path) -> None:
    lease = StoreLease(GoogleStorage(f"{prefix}/silver"), tmp_path / "locks", "nightly-1")
    lease.now = lambda: datetime.now(UTC) + timedelta(days=40)
    lease.acquire()
    try:
        assert "To be deleted: 5 objects" in said("gc", "--keep-runs", "1")
        told = refused("gc", "--keep-runs", "1", "--delete")
        assert "Another run holds the lake" in told
        assert "nightly-1" in told
    finally:
        lease.release(ended=True)


@pytest.mark.usefixtures("shop")
def test_doctor_looks_at_everything_and_leaves_nothing(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDALLION_EMULATOR_DATASETS", "nowhere")
    before = cloud.objects()
    told = re.sub(r"\d+ s off", "0 s off", said("doctor"))
    told = re.sub(
        r"[\d.,]+ GiB free for.*?\n(?=ok +lake pointer)", "much free\n", told, flags=re.DOTALL
    )
    assert (
        told
        == f"""\
ok       lake credentials     none: a stand-in of Google's servers asks for no
                              credentials
ok       Bronze credentials   none: a stand-in of Google's servers asks for no
                              credentials
ok       Bronze bucket        {cloud.bronze}
unknown  Bronze rights        not told (NotFound)
ok       Bronze location      US-CENTRAL1
ok       lake bucket          {cloud.lake}
unknown  lake rights          not told (NotFound)
ok       lake location        US-CENTRAL1
ok       lake retention       no rule keeps objects
unknown  lake soft delete     the bucket does not say for how long it keeps what
                              was deleted
                              what to do: Google's default is 7 days, in which
                              it is paid for; 0 saves that.
ok       lake versions        old versions are not kept
ok       preconditions        kept
ok       clock                0 s off the store's
ok       disk                 much free
ok       lake pointer         run {THIRD} is current
ok       lake lease           free
ok       BigQuery             emulator answers queries in US-CENTRAL1
warning  BigQuery dataset     nowhere_base_silver is not there
                              what to do: the first run makes it, if its account
                              may (bigquery.datasets.create).
warning  BigQuery dataset     nowhere_dims is not there
                              what to do: the first run makes it, if its account
                              may (bigquery.datasets.create).
warning  BigQuery dataset     nowhere_enriched is not there
                              what to do: the first run makes it, if its account
                              may (bigquery.datasets.create).
warning  BigQuery dataset     nowhere_gold is not there
                              what to do: the first run makes it, if its account
                              may (bigquery.datasets.create).
warning  BigQuery dataset     nowhere_gold_build is not there
                              what to do: the first run makes it, if its account
                              may (bigquery.datasets.create).
warning  BigQuery dataset     nowhere_audit is not there
                              what to do: the first run makes it, if its account
                              may (bigquery.datasets.create).
Nothing that was found stops a run. 23 looks: 14 ok, 6 warning, 3 unknown."""
    )
    assert cloud.objects() == before
    assert not (tmp_path / "data").exists()


def test_what_stops_a_run_is_said_with_what_to_do(
    prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDALLION_EMULATOR_LAKE", prefix.replace("lake-", "lkae-"))
    told = refused("doctor")
    assert "failed   lake bucket" in told
    assert "look at its name in the environment's" in told
    assert "unknown  lake pointer" in told
    assert "2 of 18 looks found something that stops a run" in told


@pytest.mark.usefixtures("shop")
def test_an_account_that_is_named_for_bronze_reads_it_and_nothing_else(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = cloud.environment["GOOGLE_APPLICATION_CREDENTIALS"]
    monkeypatch.setenv("MEDALLION_BRONZE_CREDENTIALS", account)
    cloud.network.forget()
    told = " ".join(said("doctor").split())
    assert (
        "ok Bronze credentials nobody@nobody.iam.gserviceaccount.com, named by"
        " MEDALLION_BRONZE_CREDENTIALS, project nobody, for reading only"
    ) in told
    tokens = {
        bucket: {one.token for one in cloud.network.requests if bucket in one.path}
        for bucket in (cloud.bronze, cloud.lake)
    }
    assert tokens == {cloud.bronze: {"devstorage.read_only"}, cloud.lake: {""}}
    monkeypatch.setenv("MEDALLION_BRONZE_CREDENTIALS", "/nowhere.json")
    assert "failed   Bronze credentials" in refused("doctor")


@pytest.fixture
def loaded(shop: Shop) -> Callable[..., pl.LazyFrame]:
    """Loads orders as the catalog does, as of now or of a run."""
    assert shop.published

    def load(as_of: str | None = None) -> pl.LazyFrame:
        layout = Layout.of(
            ProjectConfigLoader(str(PROJECT / "conf"), "emulator", **CONFIG_LOADER_ARGS)["globals"]
        )
        Lake(layout.silver).state.source = working_copy(layout, as_of)
        spec = str(PROJECT / "conf" / "base" / "spec.yml")
        orders = LakeTableDataset(filepath=str(layout.silver), table="base/orders", spec=spec)
        return orders.load().select("order_id", "ingestion_dt")

    return load


@pytest.mark.usefixtures("weeks_later")
def test_a_frame_goes_on_reading_the_state_that_it_was_loaded_from(
    loaded: Callable[..., pl.LazyFrame], cloud: Cloud, shop: Shop
) -> None:
    second, third = loaded(SECOND), loaded()
    before = [frame.collect() for frame in (second, third)]
    assert [frame.height for frame in before] == [3, 31]
    shop.publish("2026-01-04T03.00.00.000Z", {"2025-10-02": {"new": 1}})
    assert loaded().collect().height == 28
    read = []

    def reading(request: Request) -> Accident:
        """Whenever something is deleted, the frames are collected."""
        if request.method == "DELETE" and "_staging" in request.path:
            read.append([frame.collect() for frame in (second, third)])
        return None

    cloud.network.accident = reading
    said("gc", "--keep-runs", "3", "--delete")
    cloud.network.forget()
    assert len(read) > 2
    for found in read:
        for frame, expected in zip(found, before, strict=True):
            assert_frame_equal(frame, expected, check_row_order=False)


@pytest.mark.usefixtures("weeks_later")
def test_a_frame_of_a_state_that_was_deleted_names_the_object_and_can_be_loaded_again(
    loaded: Callable[..., pl.LazyFrame],
) -> None:
    first = loaded(FIRST)
    said("gc", "--keep-runs", "1", "--delete")
    with pytest.raises(
        FileNotFoundError, match=f"_staging/{FIRST}/base/orders/.* not found"
    ) as told:
        first.collect()
    assert "load the table again" in foreign.known(told.value).hint
    with pytest.raises(DatasetError, match=f"There is no state of run {FIRST}"):
        loaded(FIRST)
    assert loaded().collect().height == 31
