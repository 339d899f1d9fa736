"""Dimension snapshots."""
