"""Backends that are broken on purpose, each in one way, and the law that has to catch it."""

from broken import answers, backups, callers, claims, commits, histories, places, rows, stamps, walks
from broken.healthy import BREACHES, Breach, Cable, Desk, Notebook, Slate

__all__ = [
    "BREACHES",
    "Breach",
    "Cable",
    "Desk",
    "Notebook",
    "Slate",
    "answers",
    "backups",
    "callers",
    "claims",
    "commits",
    "histories",
    "places",
    "rows",
    "stamps",
    "walks",
]
