"""`manifest.json`: what a checkpoint consists of, and where the journal that follows it begins."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import attrs
import orjson

from polaris_core import StoreDamagedError, StoreFormatError
from polaris_core.abc import FORMAT, Head
from polaris_json_fs.layout import MANIFEST, block_at

__all__ = ["DIRECTORY_FORMAT", "Entry", "Manifest"]

DIRECTORY_FORMAT: Final = 2
"""The meaning of the files' names and lines; a directory of a newer one is refused.

In format 1 a manifest did not name the seed of its journal, which was its own digest.
"""
_MARK: Final = "polaris_json_fs"
_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


class Entry(NamedTuple):
    """What a file held when it was written."""

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Entry:
        """Return the entry of a file with this content."""
        return cls(len(data), hashlib.sha256(data).hexdigest())


def _digest(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(fields, option=_OPTIONS)).hexdigest()


@attrs.frozen(kw_only=True)
class Manifest:
    """One checkpoint.

    `generation` is that of the journal that goes on from it, `journal` the seed of that journal's frames, which is the epoch
    where the history begins with it, `position` how
    many bytes were ever committed before it, and `files` maps the path of each file, relative to the store, to what it
    holds. `digest` tells this manifest from any other, those of restored copies included.
    """

    head: Head
    journal: str
    generation: int = 0
    position: int = 0
    files: Mapping[str, Entry] = attrs.Factory(dict)
    digest: str = ""

    def encode(self) -> bytes:
        """Return the file's content."""
        fields = {
            _MARK: DIRECTORY_FORMAT,
            "generation": self.generation,
            "journal": self.journal,
            "position": self.position,
            "head": self.head._asdict(),
            "files": {path: entry._asdict() for path, entry in self.files.items()},
        }
        return orjson.dumps({**fields, "digest": _digest(fields)}, option=_OPTIONS)

    @classmethod
    def decode(cls, data: bytes, location: str) -> Manifest:
        """Return the manifest in a file; raises `StoreFormatError` or `StoreDamagedError`."""
        try:
            fields = orjson.loads(data)
        except orjson.JSONDecodeError as error:
            if f'"{_MARK}"'.encode() in data:
                raise _damaged(location, f"cannot be read: {error}") from error
            fields = None
        if not isinstance(fields, dict) or type(fields.get(_MARK)) is not int:
            raise StoreFormatError(f"{location} holds a {MANIFEST} that is not a Polaris store's", location=location)
        head = fields.get("head")
        for what, found, known in (
            ("directory", fields[_MARK], DIRECTORY_FORMAT),
            ("record", head.get("format") if isinstance(head, dict) else None, FORMAT),
        ):
            if isinstance(found, int) and found > known:
                raise StoreFormatError(
                    f"{location} has {what} format {found}, and this release knows up to {known}: upgrade Polaris",
                    location=location,
                )
        digest = fields.pop("digest", None)
        if digest != _digest(fields):
            raise _damaged(location, "does not match its own digest: restore it from a backup or from git")
        try:
            return cls(
                head=Head(**fields["head"]),
                journal=fields["journal"] if fields[_MARK] > 1 else digest,
                generation=fields["generation"],
                position=fields["position"],
                files={path: Entry(**entry) for path, entry in fields["files"].items()},
                digest=digest,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise _damaged(location, f"lacks something: {error!r}") from error

    @property
    def record_bytes(self) -> int:
        """How large the files are that opening the store reads."""
        return sum(entry.size for path, entry in self.files.items() if not path.startswith("changes/"))

    def blocks(self, directory: str) -> dict[int, Entry]:
        """Return the files of a directory by their block, in order."""
        prefix = f"{directory}/"
        found = {block_at(path): entry for path, entry in self.files.items() if path.startswith(prefix)}
        return dict(sorted(found.items()))


def _damaged(location: str, what: str) -> StoreDamagedError:
    return StoreDamagedError(f"{location}: {MANIFEST} {what}", location=location, where=MANIFEST)
