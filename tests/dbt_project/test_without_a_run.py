"""What dbt knows in a fresh checkout: no Bronze, no lake, not even the plugin."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from medallion.dbt_project.spec_vars import (
    PROJECT_FILE,
    SOURCES_FILE,
    project_text,
    sources_text,
    spec_vars,
)
from medallion.spec import Spec
from tests.conftest import PROJECT

MODELS = PROJECT / "dbt" / "models"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dbt's documentation, made with a profile that knows nothing of this project."""
    folder = tmp_path_factory.mktemp("dbt")
    output = {"type": "duckdb", "path": ":memory:", "threads": 2}
    profile = {"medallion": {"target": "duckdb", "outputs": {"duckdb": output}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    where = ["--project-dir", str(PROJECT / "dbt"), "--profiles-dir", str(folder)]
    folders = ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    done = subprocess.run(
        [sys.executable, "-c", "from dbt.cli.main import cli; cli()",
         "docs", "generate", *where, *folders],
        env={**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    return folder / "target"


@pytest.fixture(scope="module")
def manifest(target: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    return read


def upstream(manifest: dict[str, Any], name: str) -> set[str]:
    """Everything that a model is made from, near and far."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for parent in manifest["parent_map"].get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return {parent.partition(".medallion.")[2] for parent in found}


def test_a_mart_leads_back_to_bronze(manifest: dict[str, Any]) -> None:
    assert upstream(manifest, "model.medallion.fct_orders") >= {
        "orders", "stg_orders", "int_orders_scored", "bronze.orders",
        "keys_customers", "bronze.customers", "enriched.attributed_purchases",
    }  # fmt: skip


def test_every_table_of_base_silver_names_its_bronze_table_and_its_parents(
    manifest: dict[str, Any], spec: Spec
) -> None:
    for name, table in spec.tables.items():
        scored = manifest["nodes"][f"model.medallion.int_{name}_scored"]["depends_on"]["nodes"]
        prefix = {"event": "stg_", "dimension": "keys_"}
        parents = {prefix[spec.tables[fk.parent].kind] + fk.parent for fk in table.foreign_keys}
        models = {node.split(".")[-1] for node in scored if node.startswith("model.")}
        assert (name, models) == (name, parents)
        assert f"source.medallion.bronze.{name}" in scored
        for layer in ("stg", "quarantine"):
            above = upstream(manifest, f"model.medallion.{layer}_{name}")
            assert {f"int_{name}_scored", f"bronze.{name}"} <= above


def test_every_model_is_compiled_and_none_asks_the_database_for_the_spec(
    manifest: dict[str, Any],
) -> None:
    compiled = {
        node["name"]: node["compiled_code"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }
    assert len(compiled) == 47
    assert all(code.strip() for code in compiled.values())
    assert "^GUEST-" in compiled["dim_customers"]
    assert not any("spec.facts" in code for code in compiled.values())


def texts(folder: Path) -> Iterable[tuple[str, str]]:
    for file in folder.rglob("*.sql"):
        yield file.name, file.read_text(encoding="utf-8")


def test_models_name_relations_by_ref_and_source_alone() -> None:
    named = re.compile(r"(from|join) (bronze|history|keys|known_keys|base_silver|dims)\.")
    folders = (MODELS, PROJECT / "dbt" / "macros", PROJECT / "dbt" / "tests")
    found = [name for folder in folders for name, text in texts(folder) if named.search(text)]
    assert found == []


def test_the_committed_vars_are_those_of_the_spec(spec: Spec) -> None:
    text = PROJECT_FILE.read_text(encoding="utf-8")
    assert project_text(spec, text) == text, "run `python -m medallion.dbt_project`"


def test_the_committed_sources_are_those_of_the_spec(spec: Spec) -> None:
    text = SOURCES_FILE.read_text(encoding="utf-8")
    assert sources_text(spec) == text, "run `python -m medallion.dbt_project`"


def test_vars_keep_the_order_of_columns(spec: Spec) -> None:
    read = yaml.safe_load(PROJECT_FILE.read_text(encoding="utf-8"))["vars"]
    assert json.dumps(read) == json.dumps(spec_vars(spec))
    for name in spec.tables:
        assert list(read["tables"][name]["columns"]) == list(spec.contract(name))


def test_transforms_that_marts_read_are_those_of_the_spec(spec: Spec) -> None:
    text = (MODELS / "gold" / "_sources.yml").read_text(encoding="utf-8")
    (enriched,) = yaml.safe_load(text)["sources"]
    assert {table["name"] for table in enriched["tables"]} == spec.transforms.keys()


def test_every_table_of_the_spec_is_a_lake_model(spec: Spec) -> None:
    for layer, tables in (("base_silver", spec.events), ("dims", spec.dimensions)):
        found = {file.stem for file in (MODELS / "lake" / layer).glob("*.sql")}
        assert found == tables.keys()
