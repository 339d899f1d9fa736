"""The panels of kedro-viz, asked one by one as a person clicks them."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from medallion.lake.names import as_day
from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.conftest import PROJECT
from tests.running import Shop

# kedro-viz's own, of FastAPI, and ibis' own, of DuckDB.
pytestmark = [
    pytest.mark.filterwarnings("ignore:ORJSONResponse is deprecated"),
    pytest.mark.filterwarnings("ignore:fetch_arrow_table"),
]

_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
_TABLES = ("bronze", "dims", "base_silver", "quarantine", "enriched", "gold")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, spec: Spec) -> Shop:
    root = tmp_path_factory.mktemp("viz")
    made = Shop(root / "bronze", root / "data")
    request = SampleRequest(made.bronze, as_day("2025-10-01"), 2, 20, seed=1, defects=True)
    generate(request, spec=spec)
    made.run()
    return made


@pytest.fixture
def viz(shop: Shop) -> Iterator[TestClient]:
    from kedro_viz.api.apps import create_api_app_from_project
    from kedro_viz.server import load_and_populate_data

    with shop.session():
        load_and_populate_data(PROJECT)
        yield TestClient(create_api_app_from_project(PROJECT), raise_server_exceptions=False)


def test_every_panel_answers_and_shows_nobodys_address(
    viz: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    nodes = viz.get("/api/main").json()["nodes"]
    answers = {node["name"]: viz.get(f"/api/nodes/{node['id']}") for node in nodes}
    assert len(nodes) > 100
    assert {name: answer.status_code for name, answer in answers.items() if answer.is_error} == {}
    told = caplog.text + "".join(answer.text for answer in answers.values())
    assert _ADDRESS.findall(told) == []
    assert "could not be previewed" not in caplog.text

    tables = {
        name: answer.json()
        for name, answer in answers.items()
        if name.partition(".")[0] in _TABLES and answer.json().get("preview_type") == "TablePreview"
    }
    assert len(tables) > 30
    for name, panel in tables.items():
        assert panel["filepath"], name
        assert panel["preview"]["columns"], name
    assert any("<masked>" in str(panel["preview"]) for panel in tables.values())
