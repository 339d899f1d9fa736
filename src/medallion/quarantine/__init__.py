"""The quarantine as a workplace: count, look at, take along, and score again."""
