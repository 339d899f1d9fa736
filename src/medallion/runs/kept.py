"""What runs leave for people, as it was written: whether it is still the same.

The trail tells of itself. Of the reports a small file beside those of the gates holds sizes and
checksums. A page that somebody has removed is told once and then forgotten: people tidy up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from medallion.gates.reports.kept import KeptFile
from medallion.lake.names import is_run_id
from medallion.runs.audit.trail import AuditTrail
from medallion.runs.folder import RunFolder
from medallion.storage import Document, open_storage
from medallion.storage.layout import Layout

_RUN = "run"
_KEPT = TypeAdapter(dict[str, KeptFile])


def changed_trail(layout: Layout, *, thorough: bool = False) -> list[str]:
    """Files of the audit trail that are not what was written, a line each.

    Args:
        layout: Where things are.
        thorough: Read all files and compare checksums; else sizes are compared.
    """
    trail, documents = AuditTrail(layout.audit), open_storage(layout.run_documents)
    ended = [
        name
        for name in documents.folders()
        if is_run_id(name) and not trail.knows(name) and RunFolder(documents, name).ended()
    ]
    place = f"{layout.audit.parent.name}/{layout.audit.name}"
    return [f"{place}/{line}" for line in trail.changed(ended, thorough=thorough)]


def changed_reports(layout: Layout) -> list[str]:
    """Reports of runs that are not what was written, a line each."""
    return [
        f"{layout.reports.name}/{name} {wrong}"
        for name, kept in _kept(layout).items()
        if (wrong := kept.difference(layout.reports / name))
    ]


def keep_reports(layout: Layout, run: str, *, has_summary: bool) -> None:
    """Notes what the reports of a run that ends now are.

    Args:
        layout: Where things are.
        run: The run, as files are named by it.
        has_summary: Whether the run has written the report for people; else it is that of an
            earlier run, and still to be what that one wrote.
    """
    there = {name: kept for name, kept in _kept(layout).items() if (layout.reports / name).exists()}
    written = [layout.run_report, layout.run_page(run)]
    for path in (*written, *([layout.run_summary] if has_summary else [])):
        if path.is_file():
            name = path.relative_to(layout.reports).as_posix()
            there[name] = KeptFile.of(path.read_text(encoding="utf-8", errors="replace"))
    content = {name: {"bytes": kept.bytes, "sha256": kept.sha256} for name, kept in there.items()}
    Document.at(layout.kept_reports(_RUN)).write(content)


def _kept(layout: Layout) -> Mapping[str, KeptFile]:
    written = Document.at(layout.kept_reports(_RUN)).read_or(dict[str, Any], {})
    try:
        return _KEPT.validate_python(written)
    except ValidationError:
        return {}
