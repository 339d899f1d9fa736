"""Gates: what is checked between the layers, and what a failure means."""
