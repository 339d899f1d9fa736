"""Bronze to Gold."""
