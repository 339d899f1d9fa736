"""What differs between two states: the cause first, then rows by table and key."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from medallion.lake.comparing import Difference, causes, differences
from medallion.lake.manifest import PartitionManifest, content_hash, describe_files, write_manifest
from medallion.lake.published import Published
from medallion.lake.state import StateReader
from medallion.lake.working_copy import WorkingCopy
from medallion.spec import Spec
from medallion.storage import LocalStorage, Storage

TABLE = "base/orders"
FILE = "part-0000.parquet"


class Shop:
    """A published lake with orders of some days."""

    def __init__(self, top: Path, storage: Storage | None = None) -> None:
        self.root = top / "copy"
        self.published = Published(storage or LocalStorage(top / "store"), top / "cache")
        self.copy = WorkingCopy(self.published, self.root, StateReader(self.root), lambda: False)

    def publish(
        self, run_id: str, days: dict[str, dict[str, int]], delivery: str = "1", code: str = "1"
    ) -> None:
        """Publishes orders, by day and id, with what was paid for each."""
        frames = {
            day: pl.DataFrame({"order_id": list(orders), "paid": list(orders.values())})
            for day, orders in days.items()
        }
        self.publish_frames(run_id, TABLE, frames, delivery, code)

    def publish_frames(
        self,
        run_id: str,
        table: str,
        days: dict[str, pl.DataFrame],
        delivery: str = "1",
        code: str = "1",
    ) -> None:
        """Publishes rows of a table, by day."""
        self.copy.begin(run_id)
        for day, frame in days.items():
            folder = self.root / table / f"ingestion_dt={day}"
            folder.mkdir(parents=True, exist_ok=True)
            frame.write_parquet(folder / FILE)
            files = describe_files(folder, {FILE: frame.height})
            manifest = PartitionManifest(
                table=table,
                partition=folder.name,
                files=files,
                content_hash=content_hash(files),
                inputs={"bronze": delivery},
            )
            write_manifest(folder, manifest)
        self.copy.state.forget(table)
        self.copy.publish(run_id, {"code_version": code, "spec": "s", "parameters": "p"})
        self.copy.end()

    def compare(self, one: str, other: str, spec: Spec) -> tuple[list[str], list[Difference]]:
        sides = [self.published.manifest(f"_staging/{run}/_MANIFEST.json") for run in (one, other)]
        return causes(self.published, *sides), list(differences(self.published, *sides, spec))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.publish("r1", {"2025-10-01": {"A": 1, "B": 2}, "2025-10-02": {"C": 3}})
    return made


def test_a_delivery_that_came_again_is_the_cause(shop: Shop, spec: Spec) -> None:
    shop.publish("r2", {"2025-10-01": {"A": 1, "B": 5, "D": 4}}, delivery="2")
    said, found = shop.compare("r1", "r2", spec)
    assert said == ["Bronze: orders of 2025-10-01"]
    (orders,) = found
    assert (orders.table, orders.partitions) == (TABLE, ("2025-10-01",))
    assert (orders.added, orders.removed, orders.changed) == (1, 0, 1)
    assert orders.samples["added"] == ["D 2025-10-01"]
    assert orders.samples["changed"] == ["B 2025-10-01"]


def test_the_other_way_round_what_was_added_is_removed(shop: Shop, spec: Spec) -> None:
    shop.publish("r2", {"2025-10-03": {"E": 1}})
    _, found = shop.compare("r2", "r1", spec)
    assert [(one.added, one.removed, one.changed) for one in found] == [(0, 1, 0)]


def test_other_code_is_named_before_the_rows(shop: Shop, spec: Spec) -> None:
    shop.publish("r2", {"2025-10-02": {"C": 4}}, code="2")
    said, found = shop.compare("r1", "r2", spec)
    assert said == ["code: 1 -> 2"]
    assert [one.changed for one in found] == [1]


def test_only_partitions_that_differ_are_read(
    shop: Shop, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish("r2", {"2025-10-02": {"C": 4}})
    read = []
    download = LocalStorage.download

    def counted(self: LocalStorage, key: str, target: Path) -> None:
        read.append(key)
        download(self, key, target)

    monkeypatch.setattr(LocalStorage, "download", counted)
    shop.compare("r1", "r2", spec)
    assert len(read) == 2
    assert all("ingestion_dt=2025-10-02" in key for key in read)


def test_nothing_is_no_dash(shop: Shop, spec: Spec) -> None:
    for run_id, value in (("r2", None), ("r3", "-")):
        frame = pl.DataFrame({"order_id": ["A"], "paid": [value]}, schema_overrides={"paid": str})
        shop.publish_frames(run_id, TABLE, {"2025-10-01": frame})
    _, found = shop.compare("r2", "r3", spec)
    assert [one.changed for one in found] == [1]


def test_rows_without_a_key_count_as_often_as_they_stand_whatever_their_columns_are_called(
    shop: Shop, spec: Spec
) -> None:
    odd = 'a "b" from one; drop table one --'
    for run_id, values in (("r2", ["x", "x", "y"]), ("r3", ["x", "z"])):
        shop.publish_frames(
            run_id, "quarantine/orders", {"2025-10-01": pl.DataFrame({odd: values})}
        )
    (aside,) = shop.compare("r2", "r3", spec)[1]
    assert (aside.name, aside.added, aside.removed, aside.changed) == ("quarantine.orders", 1, 2, 0)
    # What was put aside may be personal.
    assert aside.samples == {}


def test_of_many_days_their_number_and_time_are_said(shop: Shop, spec: Spec) -> None:
    days = {f"2025-10-{day:02}": {"E": day} for day in range(3, 9)}
    shop.publish("r2", days, delivery="2")
    said, _ = shop.compare("r1", "r2", spec)
    assert said == ["Bronze: orders of 6 days, 2025-10-03 to 2025-10-08"]


def test_the_same_state_differs_in_nothing(shop: Shop, spec: Spec) -> None:
    assert shop.compare("r1", "r1", spec) == ([], [])
