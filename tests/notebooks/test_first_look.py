"""The notebook runs from top to bottom on fresh results."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from medallion.sample import SampleRequest, generate
from medallion.spec import Spec
from tests.conftest import PROJECT
from tests.running import Shop


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_the_first_look_shows_bronze_silver_and_gold(
    tmp_path: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(tmp_path / "bronze", tmp_path / "data")
    request = SampleRequest(
        output=shop.bronze, start=date(2025, 10, 1), days=2, orders_per_day=20, seed=4
    )
    generate(request, spec=spec)
    shop.run()
    monkeypatch.setenv("MEDALLION_BRONZE_ROOT", str(shop.bronze))
    monkeypatch.setenv("MEDALLION_DATA_ROOT", str(shop.data))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(PROJECT / "notebooks" / "first_look.ipynb", as_version=4)
    client = NotebookClient(notebook, resources={"metadata": {"path": str(PROJECT / "notebooks")}})
    client.execute()
    shown = [
        cell.outputs[-1]["data"]["text/plain"]
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.outputs
    ]
    expected = shop.sql("select sum(net_total) from gold.fct_orders")[0][0]
    assert any(str(expected) in text for text in shown)
    assert any("warned" in text or "passed" in text for text in shown)
