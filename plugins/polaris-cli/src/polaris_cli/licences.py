"""Under which licences a distribution says that it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

if TYPE_CHECKING:
    from importlib.metadata import PackageMetadata

__all__ = ["first", "licences"]

MAX_LENGTH = 100  # the field License often holds the whole text of one

# The classifiers that mean one SPDX licence and no other; most, such as "BSD License", could be several.
_SPDX = {
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "zlib/libpng License": "Zlib",
}


def first(metadata: PackageMetadata, field: str) -> str:
    """Return the first value of a field; nothing where there is none, for which `metadata[field]` warns since Python 3.12."""
    return next((value.strip() for value in metadata.get_all(field) or () if isinstance(value, str)), "")


def licences(metadata: PackageMetadata) -> tuple[str, ...]:
    """Return the names of the licences, SPDX identifiers where it can be told; none where nothing is said.

    The first of these that says something is believed: License-Expression (PEP 639), License where it is an SPDX expression,
    the classifiers, License where it is one short line.
    """
    declared = first(metadata, "License")
    for expression in (first(metadata, "License-Expression"), declared):
        if found := _of_expression(expression):
            return found
    classified: list[str] = [
        tail
        for classifier in metadata.get_all("Classifier") or ()
        if classifier.startswith("License :: ") and (tail := classifier.split(" :: ")[-1]) != "OSI Approved"
    ]
    if classified:
        return tuple(dict.fromkeys([_SPDX.get(name, name) for name in classified]))
    return (declared,) if declared.isprintable() and 0 < len(declared) <= MAX_LENGTH else ()


def _of_expression(expression: str) -> tuple[str, ...]:
    """Return the licences in an SPDX expression, `X WITH Y` being one; none where it is no expression."""
    if not 0 < len(expression) <= MAX_LENGTH:
        return ()
    try:
        canonical = canonicalize_license_expression(expression)
    except (InvalidLicenseExpression, RecursionError):
        return ()
    return tuple(dict.fromkeys(part.strip("() ") for part in re.split(r" (?:AND|OR) ", canonical)))
