"""Every path is joined in one place, and every root can be set on its own."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

import medallion
from medallion.errors import ConfigurationError, UsageError
from medallion.spec import Spec
from medallion.storage.layout import IN_A_STORE, ROOTS, Layout, variable_of, with_roots
from tests.conftest import PROJECT
from tests.running import Shop, two_light_days

SOURCE = Path(medallion.__file__).parent
LAYERS = ("bronze", "dims", "base_silver", "enriched", "gold")
#: Folders and files whose names only the layout knows.
OWNED = {
    *(set(ROOTS) - {"dbt"}),
    *("quarantine", "audit", "lineage", "quality", "data_docs", "run.json"),
    *("medallion.duckdb", "_staging", "_state", "_validated", "_processes", "_latest.json"),
    *("_spill", "_history", "states.json"),
}
# The trail lays out its own folder, and what is generated is no part of what a run writes.
ALLOWED = {
    "storage/layout.py": None,
    "runs/audit/trail.py": {"runs"},
    "dbt_project/running.py": {"logs"},
}


def joined(path: Path) -> Iterator[tuple[int, str]]:
    """Constants of a module that are joined to a path, with their lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield from _texts(node.right)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "joinpath":
            for argument in node.args:
                yield from _texts(argument)
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.FormattedValue):
            for value in node.values[1:]:
                yield from _texts(value) if _begins_with_slash(value) else ()


def _texts(node: ast.expr) -> Iterator[tuple[int, str]]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.lineno, inner.value


def _begins_with_slash(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and str(node.value).startswith("/")


def test_no_other_module_joins_the_names_of_folders_and_files() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        module = path.relative_to(SOURCE).as_posix()
        allowed = ALLOWED.get(module, set())
        if allowed is None:
            continue
        found += [
            f"{module}:{line}: {text!r}"
            for line, text in joined(path)
            if ({*text.split("/")} & OWNED) - allowed
        ]
    assert found == []


def test_no_other_module_climbs_from_one_root_to_another() -> None:
    climbing = [
        path.relative_to(SOURCE).as_posix()
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr == "parent"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr in ("root", *ROOTS)
    ]
    # A lake that is opened without a configuration takes its own folder's for the data root.
    assert climbing == ["lake/inventory.py"]


def test_the_roots_are_below_the_data_root_unless_they_are_set() -> None:
    layout = Layout.below("/shop")
    assert {name: getattr(layout, name) for name in ROOTS} == {
        name: Path("/shop") / name for name in ROOTS
    }


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_can_be_set_on_its_own(name: str) -> None:
    layout = Layout.of({"data_root": "/shop", f"{name}_root": "/elsewhere"})
    others = {other: getattr(layout, other) for other in ROOTS if other != name}
    assert getattr(layout, name) == Path("/elsewhere")
    assert others == {other: Path("/shop") / other for other in others}


def test_the_locks_of_processes_lie_with_the_lake_that_they_guard() -> None:
    one, other = (
        Layout.of({"data_root": f"/{person}", "silver_root": "/lake"}) for person in ("ann", "bob")
    )
    assert one.processes == other.processes
    assert one.processes.is_relative_to(one.silver)


def test_a_relative_root_starts_at_the_project() -> None:
    assert with_roots({"logs_root": "my logs"})["logs_root"] == str(PROJECT / "my logs")


@pytest.mark.parametrize("name", [*(one for one in ROOTS if one not in IN_A_STORE), "data"])
def test_a_root_that_is_no_folder_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"The {name} root gs://shop") as refused:
        Layout.of({f"{name}_root": "gs://shop"})
    assert variable_of(name) in refused.value.hint


@pytest.mark.parametrize("name", IN_A_STORE)
def test_of_a_root_in_a_store_a_copy_is_kept_in_the_cache(name: str) -> None:
    layout = Layout.of({"data_root": "/shop", f"{name}_root": "gs://shop/lake/"})
    assert layout.stores == {name: "gs://shop/lake"}
    copy: Path = getattr(layout, name)
    assert copy.is_relative_to("/shop/cache/stores")
    assert layout.shown(copy / "a" / "b.json") == "gs://shop/lake/a/b.json"
    assert layout.shown(Path("/shop/x")) == "/shop/x"
    again = with_roots(with_roots({"data_root": "/shop", f"{name}_root": "gs://shop/lake/"}))
    assert Layout.of(again) == layout


def test_a_root_without_a_store_is_shown_as_a_folder() -> None:
    layout = Layout.of({"data_root": "/shop", "reports_store": None})
    assert layout.stores == {}
    assert layout.shown(layout.quality_report("gold")) == "/shop/reports/GOLD_QUALITY.md"


def test_two_stores_have_two_copies() -> None:
    first, second = (Layout.of({"silver_root": f"gs://shop-{name}/lake"}) for name in "ab")
    assert first.silver != second.silver


def test_a_path_is_named_by_its_root_wherever_that_is() -> None:
    layout = Layout.of({"data_root": "/shop", "silver_root": "/disk/lake"})
    assert layout.name_of(Path("/disk/lake/base/orders")) == "silver/base/orders"
    assert layout.name_of(Path("/shop/bronze/orders")) == "bronze/orders"
    assert layout.name_of(Path("/other/orders")) == "/other/orders"


def test_a_person_can_set_the_data_root_in_their_own_globals(tmp_path: Path) -> None:
    """Kedro resolves each environment by itself; the roots follow all the same."""
    from medallion.configuring import ProjectConfigLoader
    from medallion.settings import CONFIG_LOADER_ARGS

    own = tmp_path / "conf"
    (own / "local").mkdir(parents=True)
    (own / "base").symlink_to(PROJECT / "conf" / "base")
    (own / "local" / "globals.yml").write_text("data_root: /mine\nlogs_root: /var/shop\n")
    with mock.patch.dict(os.environ):
        for name in ("data", *ROOTS):
            os.environ.pop(variable_of(name), None)
        loader = ProjectConfigLoader(str(own), "local", **CONFIG_LOADER_ARGS)
        catalog = loader["catalog"]
    assert loader["globals"]["runs_root"] == "/mine/runs"
    assert loader["globals"]["logs_root"] == "/var/shop"
    assert catalog["reporting.run_report"]["filepath"] == "/mine/reports/RUN.md"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Any]:
    roots = {variable_of(name): str(tmp_path / f"own {name}") for name in ROOTS}
    with mock.patch.dict(os.environ, roots):
        bootstrap_project(PROJECT)
        with KedroSession.create(PROJECT) as session:
            yield session.load_context().config_loader["catalog"]


def test_the_catalog_says_what_the_layout_says(tmp_path: Path, catalog: Any) -> None:
    layout = Layout.of({f"{name}_root": str(tmp_path / f"own {name}") for name in ROOTS})
    expected = {
        "warehouse.file": layout.warehouse_file,
        "audit.trail": layout.audit,
        "audit.runs": layout.audit,
        "lake": layout.silver,
        "run_plan": layout.runs,
        **{f"{layer}.quality": layout.quality_result(layer) for layer in LAYERS},
        **{f"{layer}.quality_before": layout.quality_result(layer) for layer in LAYERS},
        **{f"{layer}.quality_report": layout.quality_report(layer) for layer in LAYERS},
    }
    assert {name: _place(catalog[name]) for name in expected} == expected


def _place(dataset: dict[str, Any]) -> Path:
    return Path(dataset.get("filepath") or dataset["connection"]["database"])


def test_a_run_writes_everything_where_it_should_be_and_nothing_elsewhere(
    tmp_path: Path, spec: Spec
) -> None:
    shop = Shop(two_light_days(tmp_path / "bronze", spec), tmp_path / "data")
    elsewhere = {name: tmp_path / "roots" / f"the {name}" for name in ROOTS}
    roots = {variable_of(name): str(root) for name, root in elsewhere.items()}
    layout = Layout.of({f"{name}_root": str(root) for name, root in elsewhere.items()})
    with mock.patch.dict(os.environ, roots), shop.session() as session:
        session.run()
    assert not shop.data.exists()
    assert {path.name for path in (tmp_path / "roots").iterdir()} <= {
        root.name for root in elsewhere.values()
    }
    assert {path.name for path in tmp_path.iterdir()} == {"bronze", "roots"}
    silver = ["_history", "_processes", "_validated", "base", "dims", "enriched", "keys"]
    silver.append("quarantine")
    assert sorted(p.name for p in layout.silver.iterdir() if p.is_dir()) == silver
    assert layout.warehouse_file.is_file()
    assert {path.name for path in layout.metrics.iterdir()} == {
        *("audit", "lineage", "runs", "views.json")
    }
    assert all(layout.quality_report(layer).is_file() for layer in LAYERS)
    assert layout.run_report.is_file()
    assert len(list(layout.logs.glob("*.jsonl"))) == 1
    assert [p.name for p in layout.runs.iterdir() if not p.name.startswith("_")]


@pytest.mark.parametrize("name", ["bronze", "data", "silver"])
def test_a_root_with_braces_is_refused_by_its_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name}_root is .*braces"):
        Layout.of({f"{name}_root": str(tmp_path / "a{b,c}")})


@pytest.mark.parametrize("inside", ["", "/silver"])
def test_what_is_written_never_lies_in_bronze(inside: str, tmp_path: Path) -> None:
    bronze = str(tmp_path / "bronze")
    with pytest.raises(ConfigurationError, match="lies in Bronze, which is never written"):
        Layout.of({"bronze_root": bronze, "silver_root": f"{bronze}{inside}"})


def test_the_home_of_a_user_who_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a user that this machine does not know"):
        Layout.of({"data_root": "~nobody-of-this-name/data"})


@pytest.mark.parametrize(
    ("bronze", "lake"), [("gs://shop", "gs://shop/silver"), ("gs://shop/raw/", "gs://shop/raw")]
)
def test_a_lake_in_a_store_does_not_lie_in_bronze(bronze: str, lake: str) -> None:
    with pytest.raises(ConfigurationError, match=f"The silver root {lake} lies in Bronze"):
        Layout.of({"data_root": "/shop", "bronze_root": bronze, "silver_root": lake})
    Layout.of({"data_root": "/shop", "bronze_root": bronze, "silver_root": "gs://shop-lake"})


STORES = {
    "climbing": "gs://../x",
    "climbing below": "gs://lake/../x",
    "no bucket": "gs://",
    "short": "gs://ab",
    "long": f"gs://{'x' * 64}",
    "long with dots": f"gs://{'.'.join(['x' * 60] * 4)}",
    "two dots": "gs://a..b",
    "large": "gs://Lake",
    "blank": "gs://la ke",
    "line break": "gs://lake\n",
    "quote": "gs://la'ke",
    "look-alike": "gs://l\N{CYRILLIC SMALL LETTER A}ke",
    "escape": "gs://lake/%2e%2e",
    "query": "gs://lake/a?generation=1",
    "fragment": "gs://lake/a#b",
    "pattern": "gs://lake/a*",
    "user": "gs://user@lake",
    "port": "gs://lake:80",
    "empty folder": "gs://lake//silver",
    "edge": "gs://-lake",
    "one slash": "gs:/lake",
    "scheme": "GS://lake",
    "endless": f"gs://lake/{'x' * 5_000}",
}


@pytest.mark.parametrize("url", STORES.values(), ids=STORES)
@pytest.mark.parametrize("name", ["bronze", "silver", "metrics"])
def test_a_place_that_cannot_be_in_a_store_is_refused_with_what_can(name: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name}_root is ") as refused:
        Layout.of({"data_root": "/shop", f"{name}_root": url})
    assert "letters, digits" in str(refused.value) or "it begins with gs://" in str(refused.value)
    assert refused.value.message.isprintable()
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "url",
    ["gs://abc", "gs://shop.example.com/lake", "gs://0_a-b.c9/a/b=c/D_e.f+g-h/", "gs://lake/"],
)
def test_a_place_that_can_be_in_a_store_is_taken(url: str) -> None:
    layout = Layout.of({"data_root": "/shop", "silver_root": url})
    assert layout.stores == {"silver": url.rstrip("/")}


@pytest.fixture
def prod(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """The globals of `prod` with some variables."""
    from medallion.configuring import ProjectConfigLoader
    from medallion.settings import CONFIG_LOADER_ARGS

    fit = {
        "MEDALLION_PROD_BRONZE": "gs://shop-raw/bronze",
        "MEDALLION_PROD_LAKE": "gs://shop-lake/",
        "MEDALLION_PROD_LOCATION": "europe-west1",
        "GOOGLE_CLOUD_PROJECT": "example.com:shop",
    }

    def read(**variables: str) -> dict[str, Any]:
        for name, value in {**fit, **variables}.items():
            monkeypatch.setenv(name, value)
        loader = ProjectConfigLoader(str(PROJECT / "conf"), "prod", **CONFIG_LOADER_ARGS)
        return loader["globals"]

    return read


def test_the_roots_of_an_environment_follow_from_its_variables(
    prod: Callable[..., dict[str, Any]],
) -> None:
    assert Layout.of(prod()).stores["silver"] == "gs://shop-lake/silver"


@pytest.mark.parametrize(
    "value", [url for url in STORES.values() if url.strip() == url] + ["/data", "shop-lake"]
)
def test_a_variable_that_names_no_bucket_is_refused_by_its_name(
    prod: Callable[..., dict[str, Any]], value: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        prod(MEDALLION_PROD_LAKE=value)
    assert "The environment prod needs variables" in refused.value.message
    (said,) = refused.value.details
    assert said.startswith("MEDALLION_PROD_LAKE=")
    assert said.endswith("such as gs://shop-prod-lake")
    assert said.isprintable()
    assert len(said) < 300


def test_all_variables_that_are_not_right_are_named_at_once(
    prod: Callable[..., dict[str, Any]],
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        prod(
            MEDALLION_PROD_BRONZE="",
            MEDALLION_PROD_LOCATION="../europe",
            GOOGLE_CLOUD_PROJECT="a'b",
        )
    assert refused.value.details == [
        "MEDALLION_PROD_BRONZE is not set; an example is"
        " MEDALLION_PROD_BRONZE=gs://shop-prod-raw/bronze",
        'GOOGLE_CLOUD_PROJECT="a\'b": it may hold letters, digits and . : _ -, such as shop-prod',
        "MEDALLION_PROD_LOCATION='../europe': it may hold letters, digits and . : _ -, such as"
        " europe-west1",
    ]


def test_no_environment_is_read_from_elsewhere(tmp_path: Path) -> None:
    from medallion.configuring import ProjectConfigLoader

    (tmp_path / "globals.yml").write_text("data_root: /elsewhere\n")
    with pytest.raises(UsageError, match="There is no environment"):
        ProjectConfigLoader(str(PROJECT / "conf"), f"../../..{tmp_path}")


def test_only_results_that_gates_have_written_are_shown(tmp_path: Path) -> None:
    layout = Layout.below(tmp_path)
    layout.quality_results.mkdir(parents=True)
    for name in ("gold.json", "bronze.json", "._bronze.json", "desktop.ini", "bronze (1).json"):
        (layout.quality_results / name).write_bytes(b"\0")
    assert [path.name for path in layout.written_results()] == ["bronze.json", "gold.json"]


@pytest.mark.parametrize("below", ["", "/cache"])
def test_a_cache_that_is_a_file_is_named_by_its_variable(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    cache = f"{tmp_path}/file{below}"
    with pytest.raises(ConfigurationError, match=f"The cache root {cache} is not a folder") as told:
        Layout.of({"silver_root": "gs://shop-lake/silver", "cache_root": cache})
    assert "MEDALLION_CACHE_ROOT to a local folder" in told.value.hint


def test_of_a_data_root_in_which_a_file_is_the_cache_the_cache_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(ConfigurationError, match=f"The cache root {tmp_path}/cache is not a fol"):
        Layout.of({"data_root": str(tmp_path)})


def test_a_cache_in_a_store_is_named_and_not_what_it_would_hold() -> None:
    places = {"silver_root": "gs://shop-lake/silver", "cache_root": "gs://shop-lake/cache"}
    with pytest.raises(ConfigurationError, match="The cache root gs://shop-lake/cache") as told:
        Layout.of(places)
    assert "MEDALLION_CACHE_ROOT to a local folder" in told.value.hint
