"""Where the events of a run go: console, log, audit trail, lineage, metrics, page, alerts."""

from medallion.runs.sinks.alerts import AlertSink
from medallion.runs.sinks.audit import AuditSink
from medallion.runs.sinks.bigquery import BigQuerySink
from medallion.runs.sinks.console import ConsoleSink
from medallion.runs.sinks.lineage import LineageSink
from medallion.runs.sinks.log import LogSink
from medallion.runs.sinks.metrics import MetricsSink
from medallion.runs.sinks.page import PageSink
from medallion.runs.sinks.sink import Sink


def all_sinks() -> list[Sink]:
    """The sinks in the order in which they are told.

    The log is the last to go, so that what the others say at the end is in it.
    """
    return [
        AuditSink(),
        PageSink(),
        MetricsSink(),
        BigQuerySink(),
        AlertSink(),
        LineageSink(),
        ConsoleSink(),
        LogSink(),
    ]


__all__ = [
    "AlertSink",
    "AuditSink",
    "BigQuerySink",
    "ConsoleSink",
    "LineageSink",
    "LogSink",
    "MetricsSink",
    "PageSink",
    "Sink",
    "all_sinks",
]
