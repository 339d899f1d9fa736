"""BigQuery as a warehouse over a lake that is published, and what it tells of itself."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from medallion.commands.warehouse import reload_warehouse
from medallion.errors import ConfigurationError, UsageError, WarehouseError
from medallion.lake.inventory import LakeInventory
from medallion.lake.manifest import FileEntry, PartitionManifest, content_hash
from medallion.lake.published import (
    Piece,
    PieceReference,
    Pointer,
    Published,
    PublishedPartition,
    StateManifest,
    encoded,
)
from medallion.lake.store import Lake
from medallion.project import CONF
from medallion.spec import Spec
from medallion.spec.types import SILVER
from medallion.storage import LocalStorage
from medallion.storage.patience import be_patient, patience
from medallion.warehouse import Publication, open_warehouse
from medallion.warehouse.bigquery import warehouse
from medallion.warehouse.bigquery.shapes import shapes
from medallion.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.warehouse.bigquery_fake import LOCATION, PROJECT, FakeBigQuery

CONNECTION = {
    "backend": "bigquery",
    "project": PROJECT,
    "location": LOCATION,
    "datasets": "shop",
}
WRITTEN = {one.bigquery: one.duckdb for one in SILVER.values()}
Content = dict[str, dict[str, str]]


@dataclass
class Shop:
    """A published lake, and BigQuery."""

    folder: Path
    spec: Spec
    server: FakeBigQuery = field(default_factory=FakeBigQuery)

    @property
    def published(self) -> Published:
        return Published(LocalStorage(self.folder / "store"), self.folder / "cache")

    @property
    def warehouse(self) -> BigQueryWarehouse:
        return BigQueryWarehouse(CONNECTION, self.server.client)

    def publish(self, run: str, content: Content, kinds: dict[str, str] | None = None) -> None:
        """Publishes a file of three rows for each day; what it holds is a word."""
        pieces = {}
        for table, days in content.items():
            partitions = {
                f"{day_of(table)}={day}": self._partition(table, day, word, kinds)
                for day, word in days.items()
            }
            piece = Piece(table=table, partitions=partitions)
            kept = self.published.keep(f"_staging/{run}/_pieces/{table}.json", encoded(piece))
            pieces[table] = PieceReference(
                **kept.model_dump(), partitions=len(days), rows=3 * len(days), bytes=1
            )
        state = StateManifest(run_id=run, previous=None, tables=pieces, documents={}, told={})
        pointer = Pointer(run_id=run, manifest=self.published.keep_manifest(state)[0])
        self.published.point(pointer, self.published.pointer()[1])

    def _partition(
        self, table: str, day: str, word: str, kinds: dict[str, str] | None
    ) -> PublishedPartition:
        files = (FileEntry("part-0000.parquet", 3, 1, f"{word:0<64}"),)
        (shape,) = (one for one in shapes(self.spec).values() if one.folder == table)
        columns = {one.name: WRITTEN[one.kind] for one in shape.fields}
        manifest = PartitionManifest(
            table=table,
            partition=f"{day_of(table)}={day}",
            files=files,
            columns={**columns, **(kinds or {})},
            content_hash=content_hash(files),
        )
        key = f"_staging/{word}/{table}/{manifest.partition}/part-0000-{word}-3rows.parquet"
        return PublishedPartition(manifest=manifest, objects=(key,))

    def load(self) -> tuple[str, ...]:
        return self.warehouse.load(self.published, self.spec)


def day_of(table: str) -> str:
    return "snapshot_dt" if table.startswith("dims/") else "ingestion_dt"


@pytest.fixture
def shop(tmp_path: Path, spec: Spec) -> Shop:
    return Shop(tmp_path, spec)


ONE: Content = {
    "base/orders": {"2025-10-01": "a", "2025-10-02": "a"},
    "base/returns": {"2025-10-02": "a"},
    "enriched/sales_velocity": {"2025-10-02": "a"},
    "dims/customers": {"2025-10-02": "a"},
    "quarantine/orders": {},
}
TWO: Content = {
    **ONE,
    "base/orders": {"2025-10-01": "a", "2025-10-02": "b", "2025-10-03": "b"},
    "base/returns": {},
}


def test_everything_that_is_published_of_silver_and_the_dimensions_is_loaded(shop: Shop) -> None:
    shop.publish("r1", ONE)
    names = shop.load()
    assert {"base_silver.orders", "enriched.sales_velocity", "dims.customers"} <= set(names)
    held = {name: sorted(map(str, one.partitions)) for name, one in shop.server.tables.items()}
    assert held["shop_base_silver.orders"] == ["2025-10-01", "2025-10-02"]
    assert held["shop_dims.customers_history"] == ["2025-10-02"]
    assert held["shop_enriched.sales_velocity"] == ["2025-10-02"]
    assert not [name for name in held if "quarantine" in name]


def test_where_nothing_was_published_nothing_is_made(shop: Shop) -> None:
    assert shop.load() == ()
    assert shop.server.asked == []


def test_a_lake_on_a_disk_cannot_be_loaded(shop: Shop) -> None:
    lake = LakeInventory(Lake(shop.folder / "silver"), shop.spec)
    with pytest.raises(UsageError, match="it is on a disk"):
        shop.warehouse.publish(Publication(shop.spec, lake))


def test_a_file_with_another_type_is_refused_before_it_is_loaded(shop: Shop) -> None:
    shop.publish("r1", {"base/orders": {"2025-10-01": "a"}}, {"total_items": "VARCHAR"})
    with pytest.raises(WarehouseError, match="another schema than the spec says") as raised:
        shop.load()
    (line,) = [one for one in raised.value.details if one.startswith("!")]
    assert line.split() == ["!", "total_items", "STRING", "INT64"]
    assert [job for job in shop.server.loads if "orders" in job["jobReference"]["jobId"]] == []


def test_a_file_with_a_column_that_the_spec_does_not_know_is_refused(shop: Shop) -> None:
    shop.publish("r1", {"base/orders": {"2025-10-01": "a"}}, {"colour": "VARCHAR"})
    with pytest.raises(WarehouseError) as raised:
        shop.load()
    (line,) = [one for one in raised.value.details if one.startswith("!")]
    assert line.split() == ["!", "colour", "STRING", "-"]


def test_a_table_that_cannot_be_read_is_left_and_the_others_are_loaded(shop: Shop) -> None:
    shop.publish("r1", ONE)
    shop.load()
    shop.publish("r2", TWO)
    (shop.folder / "store" / "_staging" / "r2" / "_pieces" / "base" / "returns.json").unlink()
    with pytest.raises(WarehouseError, match=r"returns\.json is missing: the current state"):
        shop.load()
    assert shop.server.tables["shop_base_silver.returns"].partitions
    assert len(shop.server.tables["shop_base_silver.orders"].partitions) == 3


def status_of(shop: Shop) -> dict[str, tuple[int, int, str, int, str]]:
    return {
        one.name: (one.partitions, one.rows, one.run_id, one.pending, one.why)
        for one in shop.warehouse.status(shop.published, shop.spec)
        if one.partitions or one.pending
    }


def test_status_tells_what_is_loaded_and_what_is_pending_and_changes_nothing(shop: Shop) -> None:
    shop.publish("r1", ONE)
    before = status_of(shop)
    assert before["base_silver.orders"] == (0, 0, "", 2, "2 new")
    assert shop.server.tables == {}
    shop.load()
    assert status_of(shop)["base_silver.orders"] == (2, 6, "r1", 0, "")
    shop.publish("r2", TWO)
    shop.server.forget()
    after = status_of(shop)
    assert after["base_silver.orders"] == (2, 6, "r1", 2, "1 changed, 1 new")
    assert after["base_silver.returns"] == (1, 3, "r1", 1, "1 removed")
    assert after["dims.customers_history"] == (1, 3, "r1", 0, "")
    assert [one for one in shop.server.asked if one.changes] == []


def test_status_tells_why_the_last_attempt_failed(shop: Shop) -> None:
    shop.publish("r1", {"base/orders": {"2025-10-01": "a"}})
    shop.server.outcome = lambda _: "accessDenied"
    with pytest.raises(WarehouseError):
        shop.load()
    assert status_of(shop)["base_silver.orders"][3:] == (1, "1 failed; last failure: accessDenied")


@pytest.mark.parametrize(
    ("wanted", "answer", "expected"),
    [
        (None, True, 2),
        (None, False, 0),
        (None, None, 0),
        (True, None, 2),
        (False, True, 0),
    ],
    ids=["asked: yes", "asked: no", "no terminal", "--reload", "--no-reload"],
)
def test_what_a_rollback_leaves_pending_is_loaded_if_that_is_wanted(
    wanted: bool | None,
    answer: bool | None,
    expected: int,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop.publish("r1", {"base/orders": {"2025-10-01": "a", "2025-10-02": "a"}})
    monkeypatch.setattr(warehouse, "BigQueryWarehouse", lambda _: shop.warehouse)
    monkeypatch.setattr("sys.stdin.isatty", lambda: answer is not None, raising=False)
    monkeypatch.setattr("click.confirm", lambda *_, **__: answer)
    places = {"layers": ["warehouse"], "warehouse": CONNECTION, "spec": CONF / "base" / "spec.yml"}
    was = patience()
    reload_warehouse(places, shop.published, wanted)
    be_patient(was)
    loaded = shop.server.tables.get("shop_base_silver.orders")
    assert (len(loaded.partitions) if loaded else 0) == expected


def test_what_the_warehouse_was_made_from_is_the_run_that_was_loaded(shop: Shop) -> None:
    assert shop.warehouse.made_from("views") == ""
    shop.publish("r1", ONE)
    shop.load()
    assert shop.warehouse.made_from("views") == "r1"
    assert shop.warehouse.made_from("gold") == ""


def test_a_table_is_named_by_project_dataset_and_table(shop: Shop) -> None:
    assert shop.warehouse.relation("gold.fct_orders") == f"{PROJECT}.shop_gold.fct_orders"
    shop.publish("r1", ONE)
    shop.load()
    assert shop.warehouse.has("base_silver.orders")
    assert not shop.warehouse.has("gold.fct_orders")
    assert shop.warehouse.damage(thorough=True) == ""


def test_without_credentials_the_advice_is_how_to_get_some(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(shop.folder / "nowhere.json"))
    shop.publish("r1", ONE)
    with pytest.raises(WarehouseError, match="DefaultCredentialsError") as raised:
        BigQueryWarehouse(CONNECTION).load(shop.published, shop.spec)
    assert "gcloud auth application-default login" in raised.value.hint


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"project": "Shop"}, "project"),
        ({"location": "europe west"}, "location"),
        ({"datasets": "shop-prod"}, "datasets"),
        ({"workers": 0}, "workers"),
        ({"maximum_bytes_billed": 1}, "maximum_bytes_billed"),
        ({"dataset": "shop"}, "dataset"),
    ],
)
def test_what_the_configuration_cannot_say_is_named(said: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        open_warehouse({**CONNECTION, **said})
    assert raised.value.details[0].startswith(expected)


def test_each_environment_says_where_its_warehouse_is() -> None:
    from medallion.configuring import ProjectConfigLoader
    from medallion.settings import CONFIG_LOADER_ARGS

    variables = {
        "GOOGLE_CLOUD_PROJECT": "shop-prod",
        "MEDALLION_PROD_LOCATION": "europe-west1",
        "MEDALLION_PROD_BRONZE": "gs://raw/bronze",
        "MEDALLION_PROD_LAKE": "gs://lake",
    }
    with mock.patch.dict(os.environ, variables):
        loader = ProjectConfigLoader(str(CONF), env="prod", **CONFIG_LOADER_ARGS)
        warehouse = open_warehouse(loader["globals"]["warehouse"])
        assert loader["catalog"]["warehouse.file"]["connection"]["backend"] == "bigquery"
        told = loader["observability"]["audit"]
    assert warehouse.relation("base_silver.orders") == "shop-prod.shop_prod_base_silver.orders"
    assert told["bigquery_table"] == "shop-prod.shop_prod_audit.runs"
    assert told["location"] == "europe-west1"
