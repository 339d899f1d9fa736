"""Enriched Silver: the ten transforms."""
