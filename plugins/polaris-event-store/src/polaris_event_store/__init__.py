"""Keeps the events of Polaris knowledge graphs in a durable log in a SQLite database."""
