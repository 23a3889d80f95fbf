"""What the operating system says, in the words of Polaris."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from polaris_core import StoreFullError, StoreReadOnlyError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["explain", "translated"]

_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would grow larger than this process or file system allows",
}
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


def explain(error: OSError, location: str) -> StoreUnavailableError:
    """Return the error that tells a caller what a failed system call means for the store."""
    if error.errno in _FULL:
        return StoreFullError(
            f"{location}: {_FULL[error.errno]}; nothing was stored. Make room there, or trim what is kept, and try again",
            location=location,
        )
    file = f" ({error.filename})" if error.filename else ""
    if error.errno in _READ_ONLY and not _may_be_read(error.filename):
        return StoreUnavailableError(f"{location} cannot be read: {error.strerror}{file}", location=location)
    if error.errno in _READ_ONLY:
        return StoreReadOnlyError(
            f"{location} cannot be written: {error.strerror}{file}; open it with ?mode=ro to read it", location=location
        )
    return StoreUnavailableError(f"{location}: {error.strerror or error}{file}", location=location)


def _may_be_read(file: str | None) -> bool:
    """Return whether a file that the system refused is there for this user to read, or is only to be made."""
    if not file:
        return True
    try:
        Path(file).stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return os.access(file, os.R_OK)


@contextmanager
def translated(location: str) -> Iterator[None]:
    """Raise what the operating system refuses inside the block as an error of the store."""
    try:
        yield
    except OSError as error:
        raise explain(error, location) from error
