"""What a run will do and why: pure functions from what is on disk to a plan."""
