"""The files that a store is made of, which an export of it may not write."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import attrs

from polaris_core.abc.location import Location
from polaris_core.abc.storage import StorageSpec
from polaris_core.errors import ValidationError

__all__ = ["OwnFiles"]


@attrs.frozen
class OwnFiles:
    """The path of a store, without links, and those of what is kept beside it; none for a store that has no files.

    They are found when a store is opened, since a relative path means another place once the working directory is changed.
    """

    location: str = ""
    paths: tuple[Path, ...] = ()

    @classmethod
    def of(cls, location: Location, specification: StorageSpec) -> Self:
        """Return the files of a store that is about to be opened."""
        if not location.path or location.host:
            return cls()
        path = os.path.realpath(location.path)
        return cls(str(location), tuple(Path(path + ending) for ending in ("", *specification.beside)))

    def check_apart(self, file: Any) -> None:
        """Raise `ValidationError` if a name, or what is open for bytes, is a file of the store, by whatever name."""
        try:
            named = isinstance(file, (str, bytes, os.PathLike))
            own = bool(self.paths) and (self._is_inside(file) if named else self._is_one(os.fstat(file.fileno())))
        except (AttributeError, OSError, TypeError, ValueError):  # what is no file at all, for others to refuse
            return
        if own:
            name = os.fsdecode(file) if named else "the file"
            raise ValidationError(f"{name}: is a file of the store {self.location} itself: name another one")

    def _is_inside(self, file: str | bytes | os.PathLike[str]) -> bool:
        path = Path(os.path.realpath(os.fsdecode(file)))
        return not {path, *path.parents}.isdisjoint(self.paths) or self._is_one(path.stat())

    def _is_one(self, found: os.stat_result) -> bool:
        return stat.S_ISREG(found.st_mode) and (found.st_dev, found.st_ino) in self._identities()

    def _identities(self) -> Iterator[tuple[int, int]]:
        for path in self.paths:
            for below in (path, *(Path(folder, name) for folder, _, names in os.walk(path) for name in names)):
                try:
                    found = below.stat()
                except OSError:  # it is not there now, or not any more
                    continue
                yield found.st_dev, found.st_ino
