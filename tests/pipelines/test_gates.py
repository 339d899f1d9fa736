"""The gates on whole runs: what stops, where, and what every defect leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError

from medallion.errors import GateError
from medallion.gates.reports.docs import write_docs
from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.conftest import PROJECT
from tests.running import Shop, kedro

LAYERS = ("bronze", "dims", "base_silver", "enriched", "gold")


@pytest.fixture(scope="module")
def defects(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Shop:
    """Three days with every kind of defect planted, and a run in warn mode over them."""
    root = tmp_path_factory.mktemp("gates")
    request = SampleRequest(
        output=root / "bronze",
        start=date(2025, 10, 1),
        days=3,
        orders_per_day=40,
        seed=3,
        mess="light",
        defects=True,
    )
    generate(request, spec=spec)
    shop = Shop(root / "bronze", root / "data")
    shop.run()
    return shop


@pytest.fixture(scope="module")
def strict(defects: Shop) -> tuple[Shop, str]:
    """A strict run over the same, and what it said on the way out."""
    shop = Shop(defects.bronze, defects.data.with_name("strict"))
    ended = kedro(shop, "run", "--params", "quality.mode=strict")
    assert ended.returncode == 1
    return shop, ended.stderr.replace("\n", " ")


def quality(shop: Shop, layer: str) -> dict[str, Any]:
    result: dict[str, Any] = shop.load(f"{layer}.quality")
    return result


def recorded(shop: Shop, name: str) -> set[tuple[str, str]]:
    """What the Base Silver gate recorded by name, per table."""
    failures = quality(shop, "base_silver")["failures"]
    column = {"reasons": "reason", "nullified": "column_name"}[name]
    return {
        (failure["table"], row[column])
        for failure in failures
        if failure["name"] == name
        for row in failure["examples"]
    }


def planted(shop: Shop) -> Iterable[Mapping[str, Any]]:
    content = json.loads((shop.bronze / "_planted.json").read_text(encoding="utf-8"))
    found: list[Mapping[str, Any]] = content["planted"] if isinstance(content, dict) else content
    return found


class TestWarn:
    def test_a_run_over_defects_goes_on_to_gold(self, defects: Shop) -> None:
        assert defects.report()["status"] == "succeeded"
        assert defects.sql("select count(*) > 0 from gold.fct_orders") == [(True,)]

    def test_every_planted_reason_is_listed_by_the_base_silver_gate(self, defects: Shop) -> None:
        wanted = {
            (one["table"], code)
            for one in planted(defects)
            if "reason" in one
            for code in one["reason"].split("|")
        }
        assert wanted
        assert recorded(defects, "reasons") == wanted

    def test_every_planted_nullified_value_is_listed(self, defects: Shop) -> None:
        wanted = {(p["table"], p["nullified"]) for p in planted(defects) if "nullified" in p}
        assert wanted
        assert recorded(defects, "nullified") == wanted

    def test_every_planted_drift_is_listed_by_the_bronze_gate(self, defects: Shop) -> None:
        told = {
            (failure["table"], row["schema_drift"])
            for failure in quality(defects, "bronze")["failures"]
            for row in failure["examples"]
            if "schema_drift" in row
        }
        assert told == {
            ("orders", "is_expedited is varchar, not boolean"),
            ("orders", "campaign is unknown"),
            ("order_items", "quantity is double, not bigint"),
            ("shopping_carts", "cart_total is varchar, not double"),
            ("returns", "agent_id is missing"),
        }

    def test_the_layers_behind_reconcile_all_the_same(self, defects: Shop) -> None:
        for layer in ("dims", "enriched", "gold"):
            assert quality(defects, layer)["verdict"] == "passed", layer

    def test_each_gate_leaves_results_and_a_report(self, defects: Shop) -> None:
        for name in ("BRONZE", "DIMS_SNAPSHOT", "SILVER", "ENRICHED", "GOLD"):
            text = (defects.data / "reports" / f"{name}_QUALITY.md").read_text(encoding="utf-8")
            assert text.startswith("# ")
        for layer in LAYERS:
            for suite in quality(defects, layer)["suites"]:
                assert suite["statistics"]["evaluated_expectations"] == len(suite["results"])
                assert all("expectation_config" in result for result in suite["results"])

    def test_the_page_of_the_run_needs_nothing_from_elsewhere(self, defects: Shop) -> None:
        (page,) = (defects.data / "reports").glob("*/index.html")
        text = page.read_text(encoding="utf-8")
        assert "Passed with warnings" in text
        assert "duplicate:cart_id" in text
        assert not any(word in text for word in ("http://", "https://", "<script", "@import"))

    def test_data_docs_open_offline(self, defects: Shop, tmp_path: Path) -> None:
        results = sorted((defects.data / "reports" / "quality").glob("*.json"))
        index = write_docs(results, tmp_path / "data_docs")
        pages = sorted(index.parent.glob("*.html"))
        assert len(pages) == 1 + sum(len(quality(defects, layer)["suites"]) for layer in LAYERS)
        for page in pages:
            text = page.read_text(encoding="utf-8")
            assert not any(word in text for word in ("http://", "https://", "<script", "<img"))
        orders = (index.parent / "base_silver.orders.rows.html").read_text(encoding="utf-8")
        assert "must never be null" in orders

    def test_a_later_run_finds_nothing_to_do_and_still_tells_what_stands(
        self, defects: Shop
    ) -> None:
        before = quality(defects, "base_silver")
        again = Shop(defects.bronze, defects.data)
        again.run()
        after = quality(again, "base_silver")
        assert after["evaluated"] == 0
        assert after["suites"] == before["suites"]
        assert after["last"]["evaluated"] == before["evaluated"] > 0
        critical = [f["observed"] for f in before["failures"] if f["severity"] == "critical"]
        standing = [f["observed"] for f in after["standing"] if f["severity"] == "critical"]
        assert sorted(standing) == sorted(critical) != []

    def test_a_strict_run_over_what_a_warning_let_pass_stops(self, defects: Shop) -> None:
        copy = Shop(defects.bronze, defects.data.with_name("copy"))
        shutil.copytree(defects.data, copy.data)
        with pytest.raises(GateError, match="The base_silver gate stopped the run"):
            copy.run(quality={"mode": "strict"})


class TestStrict:
    def test_it_stops_at_base_silver_and_says_what_to_do(self, strict: tuple[Shop, str]) -> None:
        shop, said = strict
        assert "The base_silver gate stopped the run" in said
        assert "returns: quarantine_share is" in said
        assert "(expected: quarantine_share < 0.05)" in said
        assert "return_id RTN-" in said
        assert str(shop.data / "reports" / "SILVER_QUALITY.md") in said
        assert "Traceback" not in said

    def test_nothing_behind_the_gate_is_there(self, strict: tuple[Shop, str]) -> None:
        shop, _ = strict
        assert not (shop.data / "silver" / "enriched").exists()
        assert not (shop.data / "warehouse").exists()

    def test_its_reports_and_its_page_are_there(self, strict: tuple[Shop, str]) -> None:
        shop, _ = strict
        assert quality(shop, "base_silver")["verdict"] == "stopped"
        report = (shop.data / "reports" / "SILVER_QUALITY.md").read_text(encoding="utf-8")
        assert report.startswith("# Base Silver: stopped")
        (page,) = (shop.data / "reports").glob("*/index.html")
        assert "Stopped" in page.read_text(encoding="utf-8")

    def test_the_next_run_is_stopped_without_anything_new(self, strict: tuple[Shop, str]) -> None:
        shop, _ = strict
        with pytest.raises(GateError, match="returns: quarantine_share"):
            shop.run(quality={"mode": "strict"})

    def test_no_layer_behind_can_be_run_alone(self, strict: tuple[Shop, str]) -> None:
        shop, _ = strict
        with pytest.raises(GateError, match="The base_silver gate stopped the run"):
            shop.run("enriched", quality={"mode": "strict"})
        with pytest.raises(DatasetError, match="There is no"):
            shop.run("warehouse")
        with pytest.raises(DatasetError, match="There is no"):
            shop.run("gold")


def test_a_users_four_lines_are_evaluated_on_the_next_run(defects: Shop, tmp_path: Path) -> None:
    conf = Path(shutil.copytree(PROJECT / "conf", tmp_path / "conf"))
    suite = conf / "base" / "expectations" / "base_silver" / "returns.yml"
    with suite.open("a", encoding="utf-8") as file:
        file.write(
            "  - expect_column_values_to_be_between: {column: refunded_amount, max_value: 1}\n"
            "    severity: warning\n"
            "    note: Nobody returns anything here.\n"
        )
    copy = Shop(defects.bronze, tmp_path / "data")
    shutil.copytree(defects.data, copy.data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDALLION_BRONZE_ROOT", str(copy.bronze))
        patch.setenv("MEDALLION_DATA_ROOT", str(copy.data))
        bootstrap_project(PROJECT)
        with KedroSession.create(PROJECT, conf_source=str(conf)) as session:
            session.run()
    result = quality(copy, "base_silver")
    assert result["tables"] == ["returns"]
    assert "Nobody returns anything here." in {failure["note"] for failure in result["failures"]}


def test_a_wrong_suite_fails_before_anything_runs(defects: Shop, tmp_path: Path) -> None:
    conf = Path(shutil.copytree(PROJECT / "conf", tmp_path / "conf"))
    suites = conf / "base" / "expectations"
    (suites / "gold" / "fct_orders.yml").write_text("rows: []\n", encoding="utf-8")
    shop = Shop(defects.bronze, tmp_path / "data")
    ended = kedro(shop, "run", "--conf-source", str(conf))
    assert ended.returncode == 1
    assert "gold/fct_orders.yml: rows: holds no expectations" in ended.stderr.replace("\n", " ")
    assert not (shop.data / "silver").exists()


class TestReportsThatWereChanged:
    @pytest.fixture
    def copy(self, defects: Shop, tmp_path: Path) -> Shop:
        shop = Shop(defects.bronze, tmp_path / "data")
        shutil.copytree(defects.data, shop.data)
        return shop

    def test_what_was_cut_short_or_replaced_is_written_again_by_the_next_run(
        self, copy: Shop, caplog: pytest.LogCaptureFixture
    ) -> None:
        reports = copy.data / "reports"
        text = (reports / "SILVER_QUALITY.md").read_text(encoding="utf-8")
        (reports / "SILVER_QUALITY.md").write_text(text[:200], encoding="utf-8")
        (reports / "quality" / "dims.json").write_text("[]\n", encoding="utf-8")
        (reports / "quality" / "gold.json").write_text('{"suites": 1', encoding="utf-8")
        (reports / "BRONZE_QUALITY.md").write_text("# Bronze: passed\n", encoding="utf-8")
        copy.run()
        again = (reports / "SILVER_QUALITY.md").read_text(encoding="utf-8")
        assert again.splitlines()[:4] == text.splitlines()[:4]
        assert quality(copy, "base_silver")["tables"] != []
        assert quality(copy, "dims")["verdict"] == "passed"
        assert len(quality(copy, "gold")["tables"]) == 13
        assert quality(copy, "enriched")["tables"] == []
        told = " ".join(caplog.messages)
        assert "SILVER_QUALITY.md has 200 bytes" in told
        assert "Reports of the bronze gate are not what it wrote: BRONZE_QUALITY.md has" in told

    def test_verify_names_them(self, copy: Shop) -> None:
        assert kedro(copy, "lake", "verify").returncode == 0
        reports = copy.data / "reports"
        (reports / "quality" / "enriched.json").write_text("{}\n", encoding="utf-8")
        (reports / "BRONZE_QUALITY.md").unlink()
        (reports / "quality" / "_kept" / "gold.json").write_text("{", encoding="utf-8")
        verified = kedro(copy, "lake", "verify")
        assert verified.returncode == 1
        said = verified.stderr.replace("\n", " ")
        assert "quality/gold.json is there, and what it was when it was written is not" in said
        assert "reports/BRONZE_QUALITY.md is not there" in said
        assert "reports/quality/enriched.json has 3 bytes, not" in said
