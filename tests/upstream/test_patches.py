"""Each place that changes somebody else's code finds there what it was written for.

A failure here comes before a failure in a run: it names the place, and says what to do.
"""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import distribution, entry_points
from typing import Any

import pytest

_VIZ = "kedro-dataset-stats"


def changed(what: str, to_do: str) -> str:
    """What a failure says."""
    return f"upstream changed: {what}; {to_do}"


def part(module: str, name: str, to_do: str) -> Any:
    """Something of somebody else's that is changed by us."""
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        pytest.fail(changed(f"there is no {module}.{name} ({error})", to_do))


def source(package: str, file: str, to_do: str) -> str:
    """The text of a file of an installed package, which is not imported."""
    path = distribution(package).locate_file(file)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        pytest.fail(changed(f"{package} has no {file} ({error})", to_do))


def answers_of(program: str, to_do: str) -> dict[str, Any]:
    """What a program prints, in an interpreter that has imported nothing yet."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, changed(f"this no longer runs:\n{ended.stderr}", to_do)
    answers: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return answers


class TestKedroImports:
    """`spare_imports` answers for plain values what Kedro would, without pandas and ibis."""

    TO_DO = "look at hooks/startup.py, spare_imports: adapt it, or take it away if it saves nothing"

    @pytest.fixture
    def infer(self) -> Callable[[Any], str]:
        """Kedro's own function, which is replaced in a process that has read the settings."""
        part("kedro.io.memory_dataset", "_infer_copy_mode", self.TO_DO)
        own: Callable[[Any], str] = importlib.import_module("medallion.hooks.startup")._infer
        return own

    def test_kedro_asks_the_function_that_is_replaced(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[object] = []

        def spy(data: object) -> str:
            asked.append(data)
            return "assign"

        part("kedro.io.memory_dataset", "_infer_copy_mode", self.TO_DO)
        monkeypatch.setattr("kedro.io.memory_dataset._infer_copy_mode", spy)
        part("kedro.io", "MemoryDataset", self.TO_DO)([1]).load()
        assert asked, changed("MemoryDataset no longer asks _infer_copy_mode", self.TO_DO)

    def test_it_takes_one_value_and_imports_what_is_spared(
        self, infer: Callable[[Any], str]
    ) -> None:
        parameters = list(inspect.signature(infer).parameters)
        assert parameters == ["data"], changed(
            f"kedro.io.memory_dataset._infer_copy_mode takes {parameters}", self.TO_DO
        )
        for library in ("pandas", "ibis"):
            assert f"import {library}" in inspect.getsource(infer), changed(
                f"_infer_copy_mode does not import {library}", self.TO_DO
            )

    @pytest.mark.parametrize("value", [None, "a", 1, 1.5, True, [1], {"a": 1}, (1,)])
    def test_the_answer_for_a_plain_value_is_kedros(
        self, value: object, infer: Callable[[Any], str]
    ) -> None:
        from medallion.hooks.startup import _inferred

        assert _inferred(value) == infer(value), changed(
            f"Kedro copies a {type(value).__name__} otherwise", self.TO_DO
        )


class TestVizStatistics:
    """`spare_viz_statistics` takes out one plugin of kedro-viz by its name."""

    TO_DO = "look at hooks/startup.py, spare_viz_statistics: take the new name, or take it away"

    def test_the_plugin_still_has_its_name(self) -> None:
        names = {one.name: one.value for one in entry_points(group="kedro.hooks")}
        assert "kedro_viz" in names.get(_VIZ, ""), changed(
            f"kedro-viz brings no {_VIZ}, but {sorted(names)}", self.TO_DO
        )

    def test_a_plugin_manager_lets_go_of_it_by_that_name_and_keeps_the_others(self) -> None:
        from medallion.hooks.startup import spare_viz_statistics

        hooks = part("kedro.framework.hooks.manager", "_create_hook_manager", self.TO_DO)()
        hooks.register(object(), name=_VIZ)
        hooks.register(object(), name="pipeline-run-hook")
        spare_viz_statistics(hooks)
        left = [name for name, _ in hooks.list_name_plugin()]
        assert left == ["pipeline-run-hook"], changed(
            "Kedro's plugin manager does not unregister by name", self.TO_DO
        )

    def test_it_still_is_what_imports_pandas(self) -> None:
        text = source("kedro-viz", "kedro_viz/integrations/kedro/hooks.py", self.TO_DO)
        assert "import pandas" in text, changed(f"{_VIZ} does not import pandas", self.TO_DO)

    def test_a_context_still_has_the_hooks_that_it_is_called_with(self) -> None:
        context = part("kedro.framework.context", "KedroContext", self.TO_DO)
        fields = {one.name for one in context.__attrs_attrs__}
        assert "_hook_manager" in fields, changed("a context has no _hook_manager", self.TO_DO)


class TestFakeImports:
    """`load_great_expectations` stands something in for scipy.stats and altair."""

    TO_DO = "look at gates/gx/engine.py, _NOT_NEEDED: adapt the list, or take the stand-ins away"

    def test_they_stand_until_they_are_used_and_then_become_the_modules(self) -> None:
        found = answers_of(
            "import json, sys\n"
            "from medallion.gates.gx.engine import load_great_expectations\n"
            "load_great_expectations()\n"
            "names = 'scipy.stats', 'altair'\n"
            "loaded = {name: type(sys.modules[name]).__name__ for name in names}\n"
            "from scipy import stats\n"
            "p = float(stats.norm.cdf(0.0))\n"
            "real = sys.modules['scipy.stats'].norm is stats.norm\n"
            "print(json.dumps({'loaded': loaded, 'p': p, 'real': real}))",
            self.TO_DO,
        )
        assert found["loaded"] == {"scipy.stats": "_Later", "altair": "_Later"}, changed(
            f"importing Great Expectations uses what was to be spared: {found}", self.TO_DO
        )
        assert (found["p"], found["real"]) == (0.5, True), changed(
            "a module that is stood in for cannot be used any more", self.TO_DO
        )

    def test_great_expectations_would_import_both(self) -> None:
        text = source(
            "great-expectations",
            "great_expectations/expectations/core/expect_column_kl_divergence_to_be_less_than.py",
            self.TO_DO,
        )
        for statement in ("import altair as alt", "from scipy import stats"):
            assert statement in text, changed(f"nobody says `{statement}`", self.TO_DO)


class TestSparedLookups:
    """`spared_lookups` remembers what Great Expectations derives again and again."""

    TO_DO = "look at gates/gx/engine.py, spared_lookups: adapt it, or take it away (it only saves)"

    @pytest.fixture
    def parts(self) -> tuple[Any, Any]:
        from medallion.gates.gx.engine import load_great_expectations

        load_great_expectations()
        return (
            part("great_expectations.core.id_dict", "IDDict", self.TO_DO),
            part("great_expectations.expectations.expectation", "Expectation", self.TO_DO),
        )

    def test_what_is_replaced_has_its_form(self, parts: tuple[Any, Any]) -> None:
        identify, expectation = parts
        assert isinstance(inspect.getattr_static(expectation, "configuration", None), property), (
            changed("Expectation.configuration is no property", self.TO_DO)
        )
        parameters = list(inspect.signature(identify.to_id).parameters)
        assert parameters == ["self", "id_keys", "id_ignore_keys"], changed(
            f"IDDict.to_id takes {parameters}", self.TO_DO
        )
        assert identify._id_ignore_keys == set(), changed(
            "IDDict._id_ignore_keys is not the empty set", self.TO_DO
        )

    def test_the_configuration_is_the_same_and_derived_once(self, parts: tuple[Any, Any]) -> None:
        from great_expectations.expectations.core import ExpectColumnValuesToNotBeNull

        from medallion.gates.gx.engine import spared_lookups

        _, expectation = parts
        before = inspect.getattr_static(expectation, "configuration")
        one = ExpectColumnValuesToNotBeNull(column="order_id", mostly=0.9)
        derived = one.configuration
        with spared_lookups():
            told = one.configuration
            again = one.configuration
        assert told == derived, changed("an expectation's configuration differs", self.TO_DO)
        assert told is again, changed(
            "an expectation's configuration is derived anew all the same", self.TO_DO
        )
        assert inspect.getattr_static(expectation, "configuration") is before

    @pytest.mark.parametrize(
        "differing",
        [
            lambda make: (make(a=1, b=2), make(a=1, b=3)),
            lambda make: (make(a=1), make(b=1)),
            lambda make: (make(a=1, b=[1, {"c": None}]), make(a=1, b=[1, {"c": 0}])),
        ],
    )
    def test_ids_tell_apart_what_upstreams_ids_tell_apart(
        self, parts: tuple[Any, Any], differing: Callable[[Any], tuple[Any, Any]]
    ) -> None:
        from medallion.gates.gx.engine import spared_lookups

        identify, _ = parts
        one, other = differing(identify)
        same = identify({key: one[key] for key in reversed(list(one))})
        theirs = one.to_id() != other.to_id(), one.to_id() == same.to_id(), identify().to_id()
        with spared_lookups():
            ours = one.to_id() != other.to_id(), one.to_id() == same.to_id(), identify().to_id()
        assert ours == theirs == (True, True, ()), changed("IDDict ids mean more", self.TO_DO)


class TestLineageClient:
    """`lineage/client.py` imports the classes of the OpenLineage client without its `__init__`."""

    TO_DO = "look at lineage/client.py: adapt the trick, or import the client as it is"

    def test_the_classes_come_without_the_transports_and_stay_those_of_the_package(self) -> None:
        found = answers_of(
            "import json, sys\n"
            "from medallion.runs.lineage import client\n"
            "alone = sorted({'requests', 'urllib3', 'httpx', 'httpx2'} & sys.modules.keys())\n"
            "is_left_out = 'openlineage.client' not in sys.modules\n"
            "from openlineage.client import OpenLineageClient, event_v2, facet_v2\n"
            "same = facet_v2.parent_run.ParentRunFacet is client.ParentFacet\n"
            "print(json.dumps({'imported': alone, 'left_out': is_left_out, 'same': same,\n"
            "    'whole': OpenLineageClient.__module__}))",
            self.TO_DO,
        )
        assert found["left_out"], changed("the package's __init__ is run all the same", self.TO_DO)
        assert found["imported"] == [], changed(
            f"the classes of the events import {found['imported']} by themselves", self.TO_DO
        )
        assert found["same"], changed(
            "the package has other classes than those that were imported before it", self.TO_DO
        )
        assert found["whole"] == "openlineage.client.client"

    def test_the_packages_init_still_imports_the_client(self) -> None:
        text = source("openlineage-python", "openlineage/client/__init__.py", self.TO_DO)
        assert "from openlineage.client.client import OpenLineageClient" in text, changed(
            "openlineage.client imports its transports no longer at once", self.TO_DO
        )


def test_google_asks_one_method_for_a_client_of_the_storage_api() -> None:
    to_do = "put the warehouse's `table` right: rows of ibis shall come by the API of queries"
    client = part("google.cloud.bigquery", "Client", to_do)
    rows = part("google.cloud.bigquery.table", "RowIterator", to_do)
    assert hasattr(client, "_ensure_bqstorage_client"), changed("it has another name", to_do)
    asked = inspect.getsource(rows.to_arrow)
    assert "self.client._ensure_bqstorage_client()" in asked, changed("it asks another", to_do)
