"""Great Expectations' own Data Docs of the last validations, as pages that open offline.

The pages are Great Expectations' own; they ask for style sheets and scripts from elsewhere.
Those are taken out, and a small style sheet is put in, so nothing is fetched from anywhere.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from medallion.errors import LakeError
from medallion.gates.gx.engine import load_great_expectations
from medallion.gates.result import GateResult, SuiteResult
from medallion.storage import Document

_STYLE = Path(__file__).with_name("docs.css")


def write_docs(results: Sequence[Path], folder: Path) -> Path:
    """Renders the results of the gates.

    Args:
        results: The `<layer>.quality` files.
        folder: Where the pages go; a former version is replaced as a whole.

    Returns:
        The page to open.

    Raises:
        LakeError: A file is not what a gate writes.
    """
    load_great_expectations()
    draft = folder.with_name(f"_draft.{folder.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    suites = [suite for path in results for suite in _suites(path)]
    for suite in suites:
        (draft / f"{suite.name}.html").write_text(_page(suite), encoding="utf-8")
    (draft / "index.html").write_text(_index(suites), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return folder / "index.html"


def _suites(path: Path) -> Iterable[SuiteResult]:
    content = Document.at(path).read(dict[str, Any], {})
    try:
        yield from GateResult.from_json(content).suites
    except LakeError as error:
        raise LakeError(
            f"{path} is not what a gate writes.", hint="remove it and run `kedro run`."
        ) from error


def _page(suite: SuiteResult) -> str:
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    document = ValidationResultsPageRenderer().render(_as_validation_result(suite))
    return offline(DefaultJinjaPageView().render(document))


def _as_validation_result(suite: SuiteResult) -> Any:
    """The stored JSON as Great Expectations' own object."""
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

    content: Any = suite.as_json()
    results = [
        ExpectationValidationResult(
            success=result["success"],
            expectation_config=ExpectationConfiguration(**result["expectation_config"]),
            result=result["result"],
            exception_info=result["exception_info"],
            meta={},
        )
        for result in content["results"]
    ]
    batch = {
        "datasource_name": suite.layer,
        "data_connector_name": "",
        "data_asset_name": f"{suite.table}, {suite.subject}",
        "batch_identifiers": {},
    }
    return ExpectationSuiteValidationResult(
        success=suite.success,
        results=results,
        suite_name=suite.name,
        statistics=content["statistics"],
        meta={"active_batch_definition": batch, "batch_spec": {}, "batch_markers": {}},
    )


def offline(page: str) -> str:
    """Takes everything out of a page that would be fetched or run, and styles what is left."""
    cleaner = _Cleaner()
    cleaner.feed(page)
    cleaner.close()
    return "".join(cleaner.kept)


class _Cleaner(HTMLParser):
    """Copies a page without scripts, forms of the web, and whatever lies elsewhere."""

    _DROPPED = ("script", "style", "noscript", "iframe")
    _FETCHING = ("link", "img")

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self._inside = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._DROPPED:
            self._inside += 1
        elif not self._inside and tag not in self._FETCHING:
            self.kept.append(self._without_address(attrs))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._DROPPED:
            self._inside -= 1
        elif not self._inside and tag not in self._FETCHING:
            if tag == "head":
                self.kept.append(f"<style>{_STYLE.read_text(encoding='utf-8')}</style>")
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.kept.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        self.kept.append(f"<!{decl}>")

    def _without_address(self, attrs: list[tuple[str, str | None]]) -> str:
        text = self.get_starttag_text() or ""
        for name, value in attrs:
            if name in ("href", "src") and value and "//" in value:
                text = text.replace(value, "#")
        return text


def _index(suites: Sequence[SuiteResult]) -> str:
    ordered = sorted(suites, key=lambda suite: (suite.success, suite.name))
    rows = "".join(_row(suite) for suite in ordered)
    return (
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>Data Docs</title>"
        f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body class='container'>"
        "<h1>Data Docs</h1><p>What the gates looked at last, the failed first.</p>"
        "<table class='table'><tr><th>suite</th><th>result</th><th>expectations</th>"
        f"<th>failed</th><th>rows</th></tr>{rows}</table></body></html>"
    )


def _row(suite: SuiteResult) -> str:
    name = escape(suite.name)
    cells = (
        f"<a href='{name}.html'>{name}</a>",
        "succeeded" if suite.success else "<strong>failed</strong>",
        suite.evaluated,
        suite.failed,
        f"{suite.rows:,}",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
