"""What of the gates touches Great Expectations."""
