"""What people read of a gate."""

from medallion.gates.reports.markdown import markdown

__all__ = ["markdown"]
