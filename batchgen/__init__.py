"""Turns a YAML job into a dataset of generated pictures."""

__version__ = "0.1.0"
