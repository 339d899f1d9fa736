"""Base Silver: scored, split, committed."""
