"""The report of a run: `reports/run.json`, and a page for people."""

from __future__ import annotations

import logging

from medallion.events import Event, RunStarted
from medallion.runs.kept import changed_reports, keep_reports
from medallion.runs.record import RunRecord
from medallion.runs.sinks.sink import Sink, Surroundings
from medallion.storage import Document

logger = logging.getLogger(__name__)

# The step that writes the report for people.
_SUMMARY = "reporting.describe_run"


class PageSink(Sink):
    """Writes the report of each run, and the page of one that looked at something or failed."""

    def begin(self, around: Surroundings) -> None:
        """Remembers where the reports go."""
        self._around = around

    def on(self, event: Event) -> None:
        """Tells of reports that somebody has changed since they were written."""
        if isinstance(event, RunStarted) and (changed := changed_reports(self._around.layout)):
            logger.warning("Reports of runs are not what was written: %s.", "; ".join(changed))

    def end(self, record: RunRecord) -> None:
        """Writes the report and the page, and notes what they are."""
        self._write(record)
        described = record.steps.get(_SUMMARY)
        has_summary = described is not None and described.ended_at is not None
        keep_reports(self._around.layout, self._around.file_name, has_summary=has_summary)

    def _write(self, record: RunRecord) -> None:
        layout = self._around.layout
        Document.at(layout.run_report).write(record.as_json())
        if record.did_nothing and record.status == "succeeded":
            return
        from medallion.gates.reports.page import page

        content = page(record.as_json(), record.gates)
        Document.at(layout.run_page(self._around.file_name)).write_text(content)
