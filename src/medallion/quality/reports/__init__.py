"""What people read of a gate."""

from medallion.quality.reports.markdown import markdown

__all__ = ["markdown"]
