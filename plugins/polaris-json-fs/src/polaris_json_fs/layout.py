"""What stands where in a store's directory. Names are fixed or numbers: nothing a user calls a thing names a file."""

from __future__ import annotations

from typing import Final

__all__ = [
    "BLOCK",
    "CHECKPOINT_LOCK",
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
    "WRITTEN",
    "block_at",
    "block_of",
    "block_path",
    "journal_generation",
    "journal_name",
    "written_path",
]

MANIFEST: Final = "manifest.json"
NEXT: Final = "manifest.json.next"
"""The manifest of a checkpoint that is complete but whose files do not all have their final names yet."""
NEW: Final = ".new"
"""Ends the name of a file that is being written."""
META: Final = "meta.jsonl"
LOCK: Final = "lock"
"""Held while a commit is made."""
CHECKPOINT_LOCK: Final = "checkpoint.lock"
"""Held while a checkpoint is written; who holds both has taken this one first."""
COUNTER: Final = "committed"
WRITTEN: Final = "written"
"""Holds, compressed, what the files of records were written with, so that an edit by hand can be told line by line."""
IGNORED: Final = ".gitignore"
DIRECTORIES: Final = ("nodes", "edges", "changes", "receipts")
BLOCK: Final = 4_096
"""How many consecutive numbers share a file: ids of nodes and of edges, numbers of changes."""

GITIGNORE: Final = f"""\
# What running processes share, what is kept twice, and what a crash may leave.
/{LOCK}
/{CHECKPOINT_LOCK}
/{COUNTER}
/{WRITTEN}/
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


def block_at(path: str) -> int:
    """Return the block of a path that `block_path` gave."""
    return int(path.partition("/")[2].removesuffix(".jsonl"))


def written_path(path: str) -> str | None:
    """Return where the copy of a file of records stands; the feed and receipts have none, since nobody edits what was."""
    if path.startswith(("changes/", "receipts/")):
        return None
    return f"{WRITTEN}/{path.replace('/', '-')}.z"


def journal_name(generation: int) -> str:
    """Return the name of the journal of this generation."""
    return f"journal-{generation:06d}.log"


def journal_generation(name: str) -> int | None:
    """Return the generation of the journal with this name, None for another file's."""
    digits = name.removeprefix("journal-").removesuffix(".log")
    return int(digits) if digits.isdecimal() and name == journal_name(int(digits)) else None
