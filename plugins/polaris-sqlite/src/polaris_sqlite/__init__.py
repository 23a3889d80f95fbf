"""Keeps Polaris knowledge graphs in a SQLite database."""
