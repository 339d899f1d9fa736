"""Lineage in the open standard: what each node read and wrote, as OpenLineage events."""
