"""The commands beside `kedro run`, a module for each group."""
