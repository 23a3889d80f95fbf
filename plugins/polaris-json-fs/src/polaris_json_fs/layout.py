"""What stands where in a store's directory. Names are fixed or numbers: nothing a user calls a thing names a file."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BLOCK",
    "COUNTER",
    "DIRECTORIES",
    "GITIGNORE",
    "IGNORED",
    "LEFT_BY_OTHERS",
    "LOCK",
    "MANIFEST",
    "META",
    "NEW",
    "NEXT",
    "block_of",
    "block_path",
    "journal_name",
]

MANIFEST: Final = "manifest.json"
NEXT: Final = "manifest.json.next"
"""The manifest of a checkpoint that is complete but whose files do not all have their final names yet."""
NEW: Final = ".new"
"""Ends the name of a file that is being written."""
META: Final = "meta.jsonl"
LOCK: Final = "lock"
COUNTER: Final = "committed"
IGNORED: Final = ".gitignore"
DIRECTORIES: Final = ("nodes", "edges", "changes", "receipts")
BLOCK: Final = 4_096
"""How many consecutive numbers share a file: ids of nodes and of edges, numbers of changes."""

GITIGNORE: Final = f"""\
# What running processes share, and what a crash may leave.
/{LOCK}
/{COUNTER}
/{NEXT}
*{NEW}
"""

LEFT_BY_OTHERS: Final = frozenset({".git", ".gitattributes", ".gitkeep", "lost+found"})
"""What may stand in a directory that counts as empty, beside what a store's interrupted creation leaves."""


def block_of(number: int) -> int:
    """Return the block of an id or of a change number."""
    return number // BLOCK


def block_path(directory: str, block: int) -> str:
    """Return the path, relative to the store, of a block's file."""
    return f"{directory}/{block:06d}.jsonl"


def journal_name(generation: int) -> str:
    """Return the name of the journal that follows the checkpoint of this generation."""
    return f"journal-{generation:06d}.log"
