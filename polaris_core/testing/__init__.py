"""What a third party tests a plugin with: plain functions and classes, no test framework's magic.

`StorageConformance` and `CacheConformance` need what the extra `testing` brings: `pip install "polaris-kg-core[testing]"`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polaris_core.testing.caching import CacheConformance
    from polaris_core.testing.conformance import StorageConformance
    from polaris_core.testing.programs import Everything, everything, writing

__all__ = ["CacheConformance", "Everything", "StorageConformance", "everything", "writing"]

_KITS = {"CacheConformance": "polaris_core.testing.caching", "StorageConformance": "polaris_core.testing.conformance"}

if not TYPE_CHECKING:  # a type checker is to know every name, and to refuse any other

    def __getattr__(name: str) -> object:
        """Import a name when it is first used."""
        if name in ("Everything", "everything", "writing"):
            value = getattr(import_module("polaris_core.testing.programs"), name)
        elif name in _KITS:
            value = _kit(name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def _kit(name: str) -> object:
    try:
        import hypothesis  # noqa: F401
        import pytest
    except ImportError as error:
        raise ImportError(
            f'{name} needs {error.name}: pip install "polaris-kg-core[testing]"', name=error.name
        ) from error
    pytest.register_assert_rewrite("polaris_core.testing.laws")  # a law that is broken shows both sides
    return getattr(import_module(_KITS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
