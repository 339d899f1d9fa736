"""Sample Bronze like the real producer's: any size, any number of days, the same every time."""

from medallion.sample.generating import generate
from medallion.sample.request import SampleReport, SampleRequest, orders_per_day_for

__all__ = ["SampleReport", "SampleRequest", "generate", "orders_per_day_for"]
