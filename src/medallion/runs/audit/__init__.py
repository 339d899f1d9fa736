"""The audit trail: which run wrote what, from what, and what came of it."""
