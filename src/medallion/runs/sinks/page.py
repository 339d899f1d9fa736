"""The report of a run: `reports/run.json`, and a page for people."""

from __future__ import annotations

from medallion.runs.record import RunRecord
from medallion.runs.sinks.sink import Sink, Surroundings
from medallion.storage import Document


class PageSink(Sink):
    """Writes the report of each run, and the page of one that looked at something or failed."""

    def begin(self, around: Surroundings) -> None:
        """Remembers where the reports go."""
        self._around = around

    def end(self, record: RunRecord) -> None:
        """Writes the report and the page."""
        layout = self._around.layout
        Document.at(layout.run_report).write(record.as_json())
        if record.did_nothing and record.status == "succeeded":
            return
        from medallion.gates.reports.page import page

        content = page(record.as_json(), record.gates)
        Document.at(layout.run_page(self._around.file_name)).write_text(content)
