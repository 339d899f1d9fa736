"""Tables are made and described as the spec says, and nothing in them can expire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from medallion.errors import WarehouseError
from medallion.spec import Spec
from medallion.warehouse.bigquery.ledger import LOADS, columns, known_query, newest_query
from medallion.warehouse.bigquery.shapes import Field, Shape, kinds, shapes
from medallion.warehouse.bigquery.statements import (
    count_rows,
    create_loads,
    create_table,
    create_view,
)
from medallion.warehouse.bigquery.wanted import PublishedState
from tests.dbt_project.googlesql import GoogleSql
from tests.warehouse.bigquery_fake import LOCATION
from tests.warehouse.loading import ORDERS, House, day, published

STATE = published("r1", orders={1: "a", 2: "b"})
NAME = "shop_base_silver.orders"


def house(table: Shape = ORDERS) -> House:
    made = House(tables=(table,))
    made.load(STATE)
    made.server.forget()
    return made


def resource(made: House) -> dict[str, Any]:
    return made.server.tables[NAME].resource


def fields(made: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resource(made)["schema"]["fields"]
    return found


def test_a_table_is_made_by_day_clustered_described_and_never_required() -> None:
    made = resource(house())
    assert made["timePartitioning"] == {"type": "DAY", "field": "ingestion_dt"}
    assert made["clustering"] == {"fields": ["order_id"]}
    assert made["description"] == "Rows of orders."
    assert made["schema"]["fields"] == [
        {"name": "order_id", "type": "STRING", "mode": "NULLABLE", "description": "The order."},
        {"name": "ingestion_dt", "type": "DATE", "mode": "NULLABLE", "description": "The day."},
    ]


def test_datasets_are_made_where_the_environment_says() -> None:
    assert {one["location"] for one in house().server.datasets.values()} == {LOCATION}


@pytest.mark.parametrize("key", ["defaultPartitionExpirationMs", "defaultTableExpirationMs"])
def test_a_dataset_in_which_old_days_would_expire_is_refused_before_anything_is_loaded(
    key: str,
) -> None:
    made = house()
    made.server.datasets["shop_base_silver"][key] = "86400000"
    with pytest.raises(WarehouseError, match="shop_base_silver has a default expiration") as raised:
        made.load(published("r2", orders={1: "a2"}))
    assert "--default_partition_expiration 0" in raised.value.hint
    assert [one for one in made.server.asked if one.changes] == []


def test_a_dataset_in_another_location_is_refused() -> None:
    made = house()
    made.server.datasets["shop_base_silver"]["location"] = "EU"
    with pytest.raises(WarehouseError, match="is in EU, and the environment says europe-west1"):
        made.load(STATE)


@pytest.mark.parametrize(
    "change",
    [
        {"expirationTime": "1900000000000"},
        {
            "timePartitioning": {
                "type": "DAY",
                "field": "ingestion_dt",
                "expirationMs": "86400000",
            }
        },
    ],
)
def test_a_table_in_which_old_days_would_expire_is_refused(change: dict[str, Any]) -> None:
    made = house()
    resource(made).update(change)
    with pytest.raises(WarehouseError, match="has an expiration") as raised:
        made.load(published("r2", orders={1: "a2"}))
    assert "partition_expiration_days = null" in raised.value.hint


def test_a_table_that_is_not_partitioned_by_the_day_is_refused() -> None:
    made = house()
    resource(made)["timePartitioning"] = {"type": "DAY"}
    with pytest.raises(WarehouseError, match="is not partitioned by day of ingestion_dt"):
        made.load(STATE)


def test_other_types_are_shown_side_by_side() -> None:
    made = house()
    fields(made)[0]["type"] = "INTEGER"
    with pytest.raises(WarehouseError, match="another schema than the spec says") as raised:
        made.load(published("r2", orders={1: "a2"}))
    assert raised.value.details == [
        "  column        table  spec",
        "! order_id      INT64  STRING",
        "  ingestion_dt  DATE   DATE",
    ]
    assert "move the table away" in raised.value.hint


def test_a_column_that_is_required_is_told() -> None:
    made = house()
    fields(made)[0]["mode"] = "REQUIRED"
    with pytest.raises(WarehouseError) as raised:
        made.load(published("r2", orders={1: "a2"}))
    assert "! order_id      STRING REQUIRED  STRING" in raised.value.details


def test_a_new_column_is_added_and_days_that_are_loaded_stay() -> None:
    made = house()
    wider = replace(ORDERS, fields=(*ORDERS.fields, Field("units", "INT64", "Units.")))
    made.tables = (wider,)
    made.load(STATE)
    assert [one["name"] for one in fields(made)] == ["order_id", "ingestion_dt", "units"]
    assert [one for one in made.server.asked if one.is_data] == []


def test_what_is_said_of_a_table_follows_the_spec_and_what_others_have_added_stays() -> None:
    made = house()
    fields(made)[0]["policyTags"] = {"names": ["personal"]}
    resource(made)["labels"] = {"owner": "somebody"}
    said = replace(
        ORDERS,
        description="Other words.",
        fields=(Field("order_id", "STRING", "Which order."),),
        cluster_by=(),
        require_partition_filter=True,
    )
    made.tables = (said,)
    made.load(STATE)
    assert resource(made)["description"] == "Other words."
    assert resource(made)["requirePartitionFilter"] is True
    assert fields(made)[0]["description"] == "Which order."
    assert fields(made)[0]["policyTags"] == {"names": ["personal"]}
    assert resource(made)["labels"] == {"owner": "somebody"}


def test_nothing_is_said_again_that_is_said() -> None:
    made = house()
    made.load(STATE)
    assert [one for one in made.server.asked if one.method == "PATCH"] == []


def test_descriptions_that_a_load_has_dropped_are_said_again_in_the_same_run() -> None:
    made = house()

    def drop(table: Any) -> None:
        for one in table.resource["schema"]["fields"]:
            one.pop("description", None)

    made.server.after = drop
    made.load(published("r2", orders={1: "a2", 2: "b"}))
    assert [one["description"] for one in fields(made)] == ["The order.", "The day."]


def test_a_load_says_what_its_columns_are_and_mean() -> None:
    made = house()
    load = made.server.loads[0]["configuration"]["load"]
    assert load["schema"]["fields"] == [
        {"name": "order_id", "type": "STRING", "mode": "NULLABLE", "description": "The order."}
    ]
    assert load["autodetect"] is False
    assert load["createDisposition"] == "CREATE_NEVER"
    assert load["decimalTargetTypes"] == ["NUMERIC"]
    assert load["hivePartitioningOptions"] == {
        "mode": "CUSTOM",
        "sourceUriPrefix": ("gs://lake/silver/_staging/r1/base_silver/orders/{ingestion_dt:DATE}"),
    }


def test_a_load_that_fails_for_its_schema_shows_both_sides() -> None:
    made = house()
    made.server.outcome = lambda _: (
        "invalid",
        "Provided Schema does not match Table shop-test:shop_base_silver.orders$20251001.",
    )
    with pytest.raises(WarehouseError, match=r"orders of 2025-10-01 is not loaded") as raised:
        made.load(published("r2", orders={1: "a2", 2: "b"}))
    assert raised.value.details[0] == "  column        table   load"


def test_what_bigquery_says_of_a_value_is_not_repeated() -> None:
    made = house()
    made.server.outcome = lambda _: ("invalid", "Error while reading data: jane@shop.com in row 3")
    with pytest.raises(WarehouseError) as raised:
        made.load(published("r2", orders={1: "a2", 2: "b"}))
    assert "jane" not in str(raised.value)


def test_a_table_that_was_removed_is_made_anew_and_loaded_whole() -> None:
    made = house()
    del made.server.tables[NAME]
    made.load(STATE)
    assert made.is_as(STATE)
    assert len([one for one in made.server.asked if one.is_data]) == 1


def test_when_the_table_of_loads_is_lost_everything_is_loaded_anew() -> None:
    made = house()
    del made.server.tables["shop_audit.loads"]
    changed = published("r2", orders={1: "a2"})
    made.load(changed)
    made.load(STATE)
    assert made.is_as(STATE)


def test_a_day_that_somebody_has_changed_is_loaded_again_when_it_is_asked_for() -> None:
    made = house()
    made.server.tables[NAME].partitions[day(2)] = []
    made.load(STATE)
    assert not made.is_as(STATE)
    made.loader.load(cast("PublishedState", STATE), [(ORDERS.name, day(2))])
    assert made.is_as(STATE)
    assert len([one for one in made.server.asked if one.is_data]) == 1


def test_the_newest_snapshot_is_a_view_of_that_day_alone() -> None:
    snapshots = replace(ORDERS, newest="base_silver.newest_orders", require_partition_filter=True)
    made = house(snapshots)
    view = made.server.tables["shop_base_silver.newest_orders"].resource
    assert view["view"]["query"].endswith('where `ingestion_dt` = date "2025-10-02"')
    assert [one["description"] for one in view["schema"]["fields"]] == ["The order.", "The day."]
    made.load(published("r2", orders={1: "a", 2: "b", 3: "c"}))
    view = made.server.tables["shop_base_silver.newest_orders"].resource
    assert view["view"]["query"].endswith('where `ingestion_dt` = date "2025-10-03"')
    assert str(day(3)) in view["description"]


def test_the_view_is_right_also_if_a_run_was_killed_before_it_changed_it() -> None:
    made = house(replace(ORDERS, newest="base_silver.newest_orders"))
    made.server.accident = lambda asked: "killed" if asked.method == "PATCH" else None
    later = published("r2", orders={1: "a", 2: "b", 3: "c"})
    with pytest.raises(BaseException):  # noqa: B017, PT011 - it is killed
        made.load(later)
    made.server.forget()
    made.load(later)
    view = made.server.tables["shop_base_silver.newest_orders"].resource
    assert view["view"]["query"].endswith('where `ingestion_dt` = date "2025-10-03"')
    assert [one for one in made.server.asked if one.is_data] == []


def test_every_column_of_the_spec_is_described_and_says_if_it_is_personal(spec: Spec) -> None:
    found = shapes(spec)
    lacking = [
        f"{one.name}.{column.name}"
        for one in found.values()
        for column in one.columns
        if not column.description
    ]
    assert lacking == []
    assert all(one.description for one in found.values())
    email = next(one for one in found["base_silver.orders"].fields if one.name == "email")
    assert email.description.endswith("Personal data.")


def test_no_description_of_the_spec_is_left_over(spec: Spec) -> None:
    held = {column.name for one in shapes(spec).values() for column in one.columns}
    assert {*spec.descriptions} - held == set()
    for name, table in {**spec.tables, **spec.transforms}.items():
        own = {one.name for one in shapes(spec).values() if name in one.name for one in one.columns}
        assert {*table.descriptions} - own == set(), name


def test_bigquery_takes_every_name_of_the_spec(spec: Spec) -> None:
    refused = ("_partition", "_table_", "_file_", "_row_timestamp", "__root__", "_colidentifier")
    for one in shapes(spec).values():
        names = [column.name for column in one.columns]
        assert len({name.lower() for name in names}) == len(names)
        assert not [name for name in names if name.lower().startswith(refused)]


def test_dimensions_are_tables_of_all_snapshots(spec: Spec) -> None:
    customers = shapes(spec)["dims.customers_history"]
    assert (customers.day.name, customers.newest) == ("snapshot_dt", "dims.customers")
    assert customers.require_partition_filter


def test_every_statement_is_accepted_by_googles_analyzer(spec: Spec) -> None:
    table = House().calls.settings.table
    loads, first = table(LOADS), day(1)
    told: dict[str, dict[str, str]] = {loads: kinds(columns())}
    asked = [create_loads(loads), newest_query(loads), known_query(loads, shapes(spec))]
    for name, one in shapes(spec).items():
        told[table(name)] = kinds(one.columns)
        asked += [create_table(table(name), one), count_rows(table(name), one, [first])]
        if one.newest:
            asked.append(create_view(table(one.newest), table(name), one, first))
    analyzer = GoogleSql(told)
    assert all(analyzer.analyse(sql).kind for sql in asked)
