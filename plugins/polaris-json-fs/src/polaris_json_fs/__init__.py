"""Keeps Polaris knowledge graphs in JSON files."""
