"""Planning and the Bronze gate."""
