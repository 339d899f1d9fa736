"""Kedro datasets over Bronze, the lake and the warehouse."""
