"""What a run made becomes what everybody reads."""
