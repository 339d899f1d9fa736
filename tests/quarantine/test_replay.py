"""After a fix, quarantined rows are scored again, and everything behind them follows."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from rich.console import Console

from medallion.lake.bronze import list_bronze
from medallion.lake.inventory import LakeInventory
from medallion.lake.store import Lake
from medallion.planning.request import parse_request
from medallion.quarantine.replaying import replay
from medallion.spec import Spec
from tests.bronze_writing import ingest, write_day, write_dimensions, write_partition
from tests.conftest import PROJECT
from tests.quarantine.putting_aside import kedro
from tests.running import Shop

RULE = "    rules:\n      net_exceeds_gross: net_total > gross_total\n"
LAYERS = ("bronze", "dims", "base_silver", "enriched")


def order(n: int, day: int = 1, **changes: object) -> dict[str, object]:
    return {"order_id": f"ORD-{n}", "order_date": f"2025-10-0{day}T10:00:00", **changes}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Shop:
    """A shop with four bad orders, and children that wait for them, after a run."""
    shop = Shop(tmp_path_factory.mktemp("broken") / "bronze", tmp_path_factory.mktemp("results"))
    write_dimensions(shop.bronze, spec)
    bad_customer = {"customer_id": "CUST-8", "signup_date": None}
    write_partition(shop.bronze, spec, "customers", "signup_date=2025-01-02", [bad_customer])
    first = [
        order(1),
        order(2, net_total=120.0),
        order(3, customer_id="CUST-9"),
        order(4, order_date=None),
    ]
    write_day(
        shop.bronze,
        spec,
        0,
        orders=first,
        order_items=[{"order_id": f"ORD-{n}"} for n in (1, 2, 3)],
    )
    returns = [
        {"return_id": f"RTN-{n}", "order_id": f"ORD-{n}", "return_date": "2025-10-02"}
        for n in (2, 3)
    ]
    write_day(shop.bronze, spec, 1, orders=[order(5, 2)], returns=returns)
    write_day(shop.bronze, spec, 2, orders=[order(6, 3)], order_items=[{"order_id": "ORD-6"}])
    shop.run(*LAYERS)
    return shop


def copy_of(shop: Shop, to: Path) -> Shop:
    shutil.copytree(shop.bronze, to / "bronze")
    shutil.copytree(shop.data, to / "data")
    return Shop(to / "bronze", to / "data")


def put_aside(shop: Shop, table: str, key: str) -> dict[str, str]:
    frame = shop.table(f"quarantine.{table}")
    return dict(frame.select(key, "invalid_reason").rows())


def is_conserved(shop: Shop, spec: Spec) -> bool:
    """Whether every Bronze row of every partition is accepted or quarantined."""
    bronze = list_bronze(str(shop.bronze), spec)
    lake = LakeInventory(Lake(shop.data / "silver"), spec)
    return all(
        listed.total_rows
        == sum(
            layer[listed.day].rows
            for layer in (lake.base(table), lake.quarantine(table))
            if listed.day in layer
        )
        for table in spec.events
        for listed in bronze.tables[table]
    )


def test_the_shop_is_broken_as_it_should_be(broken: Shop, spec: Spec) -> None:
    assert put_aside(broken, "orders", "order_id") == {
        "ORD-2": "rule:net_exceeds_gross",
        "ORD-3": "fk:customer_id",
        "ORD-4": "missing:order_date",
    }
    assert set(put_aside(broken, "order_items", "order_id")) == {"ORD-2", "ORD-3"}
    assert is_conserved(broken, spec)


@dataclass(frozen=True)
class Replayed:
    """A shop before and after a replay, and what the command printed."""

    shop: Shop
    before: dict[str, str]
    shown: Result


@pytest.fixture(scope="module")
def replayed(broken: Shop, tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Replayed:
    shop = copy_of(broken, tmp_path_factory.mktemp("upstream"))
    found = {"customer_id": "CUST-9"}
    write_partition(shop.bronze, spec, "customers", "signup_date=2025-01-03", [found])
    rows = [order(1), order(2, net_total=120.0), order(3, customer_id="CUST-9"), order(4)]
    write_partition(shop.bronze, spec, "orders", ingest(0), rows)
    before = shop.fingerprints()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDALLION_BRONZE_ROOT", str(shop.bronze))
        command = ("--table", "orders", "--start", "2025-10-01", "--end", "2025-10-01")
        shown = kedro(patch, shop.data, "quarantine", "replay", *command)
    return Replayed(shop, before, shown)


class TestAfterAFixUpstream:
    """The missing customer was delivered, and the order without a date once more."""

    def test_the_rows_that_pass_now_are_accepted(self, replayed: Replayed) -> None:
        assert replayed.shown.exit_code == 0, replayed.shown.output
        assert put_aside(replayed.shop, "orders", "order_id") == {"ORD-2": "rule:net_exceeds_gross"}

    def test_children_of_other_tables_and_days_follow(self, replayed: Replayed) -> None:
        assert put_aside(replayed.shop, "order_items", "order_id") == {"ORD-2": "fk:order_id"}
        assert put_aside(replayed.shop, "returns", "order_id") == {"ORD-2": "fk:order_id"}

    def test_enriched_and_gold_follow(self, replayed: Replayed) -> None:
        metrics = replayed.shop.table("enriched.daily_business_metrics")
        assert metrics.sort("ingestion_dt")["orders"].to_list() == [3, 1, 1]
        assert replayed.shop.sql("select count(*) from gold.fct_orders") == [(5,)]

    def test_no_row_is_lost(self, replayed: Replayed, spec: Spec) -> None:
        assert is_conserved(replayed.shop, spec)

    def test_partitions_that_it_does_not_concern_keep_their_bytes(self, replayed: Replayed) -> None:
        after = replayed.shop.fingerprints()
        others = {
            name
            for name in replayed.before
            if ("/ingestion_dt=2025-10-03/" in name and not name.startswith("enriched/"))
            or name.startswith("base/orders/ingestion_dt=2025-10-02/")
        }
        assert others
        assert {n: after.get(n) for n in others} == {n: replayed.before[n] for n in others}

    def test_it_prints_what_moved_and_what_remains(self, replayed: Replayed) -> None:
        said = [
            " ".join(line.replace("│", " ").split()) for line in replayed.shown.stdout.splitlines()
        ]
        assert "orders ingest_dt=2025-10-01 replay: 3 rows in quarantine" in said
        assert "orders fk:customer_id 1 1 0" in said
        assert "orders rule:net_exceeds_gross 1 0 1" in said
        assert "orders all rows 3 2 1 +2" in said
        assert "returns all rows 2 1 1 +1" in said
        assert "4 rows left the quarantine; 4 remain in it, over all tables and days." in said

    def test_nothing_is_left_for_an_ordinary_run(self, replayed: Replayed) -> None:
        with replayed.shop.session() as session:
            catalog = session.load_context().catalog
            from medallion.planning.plan import plan_run

            plan = plan_run(
                parse_request({}),
                catalog.load("spec"),
                catalog.load("bronze.inventory"),
                catalog.load("lake"),
            )
        assert plan.is_empty


@pytest.fixture(scope="module")
def shop(broken: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return copy_of(broken, tmp_path_factory.mktemp("relaxed"))


@pytest.fixture(scope="module")
def conf(shop: Shop) -> Path:
    conf = shop.bronze.parent / "conf"
    shutil.copytree(PROJECT / "conf", conf)
    spec = conf / "base" / "spec.yml"
    text = spec.read_text(encoding="utf-8")
    assert RULE in text
    spec.write_text(text.replace(RULE, ""), encoding="utf-8")
    return conf


@pytest.fixture(scope="module")
def printed(shop: Shop, conf: Path) -> str:
    bootstrap_project(PROJECT)
    console = Console(file=io.StringIO(), width=160)
    wanted = {"replay": {"reasons": ["rule:net_exceeds_gross", "missing:signup_date"]}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDALLION_BRONZE_ROOT", str(shop.bronze))
        patch.setenv("MEDALLION_DATA_ROOT", str(shop.data))
        session = KedroSession.create(PROJECT, runtime_params=wanted, conf_source=str(conf))
        with session:
            catalog = session.load_context().catalog
            request = catalog.load("params:run")
            inputs = catalog.load("bronze.inventory"), catalog.load("lake")
            run = partial(session.run, pipeline_names=list(LAYERS[:3]))
            replay(run, request, *inputs, console)
    return console.file.getvalue()


class TestAfterARuleWasRelaxed:
    """A spec without the rule; Bronze is as it was, so an ordinary run would do nothing."""

    def test_the_rows_it_kept_back_are_accepted(self, printed: str, shop: Shop) -> None:
        assert "replay: 1 row in quarantine" in printed
        assert "unparseable" not in printed
        assert "missing:order_date" not in printed
        assert set(put_aside(shop, "orders", "order_id")) == {"ORD-3", "ORD-4"}
        assert set(put_aside(shop, "returns", "order_id")) == {"ORD-3"}

    def test_a_dimension_that_still_fails_stays_as_it_is(
        self, printed: str, shop: Shop, broken: Shop
    ) -> None:
        (line,) = (line for line in printed.splitlines() if "snapshot_dt=2025-10-03" in line)
        assert "replay: 1 row in quarantine" in line
        for folder in ("silver/dims", "silver/quarantine/customers"):
            assert shop.fingerprints(folder) == broken.fingerprints(folder)

    @pytest.mark.usefixtures("printed")
    def test_no_row_is_lost(self, shop: Shop, spec: Spec) -> None:
        assert is_conserved(shop, spec)


class TestWithoutARun:
    """What can be said without running."""

    @pytest.mark.parametrize(
        ("options", "code", "said"),
        [
            (("--reason", "negative"), 0, "There are no rows in quarantine with negative."),
            (("--reason", "fk:nobody"), 2, "can have the reason 'fk:nobody'"),
            (("--table", "carts"), 2, "There is no table 'carts'"),
            (("--params", "ingest_dt=2025-10-01"), 2, "--params cannot set ingest_dt"),
        ],
    )
    def test_it_ends_with_a_message(
        self,
        broken: Shop,
        monkeypatch: pytest.MonkeyPatch,
        options: tuple[str, ...],
        code: int,
        said: str,
    ) -> None:
        before = broken.fingerprints("")
        monkeypatch.setenv("MEDALLION_BRONZE_ROOT", str(broken.bronze))
        shown = kedro(monkeypatch, broken.data, "quarantine", "replay", *options)
        assert (shown.exit_code, said in shown.output) == (code, True), shown.output
        assert broken.fingerprints("") == before

    def test_rows_whose_partitions_bronze_no_longer_has_are_left_alone(
        self, broken: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop = copy_of(broken, tmp_path)
        shutil.rmtree(shop.bronze / "returns")
        monkeypatch.setenv("MEDALLION_BRONZE_ROOT", str(shop.bronze))
        shown = kedro(monkeypatch, shop.data, "quarantine", "replay", "--table", "returns")
        assert shown.exit_code == 0
        assert "its 2 rows in quarantine stay there" in shown.stdout
        assert "nothing was run" in shown.stdout
        assert shop.fingerprints() == broken.fingerprints()
