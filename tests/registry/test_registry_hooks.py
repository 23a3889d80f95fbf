"""Type checkers refuse a wrong call of a hook, and a plugin that answers with the wrong thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from polaris_core.registry.hookspecs import Hooks
from polaris_core.registry.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polaris_core.abc import CacheSpec, StorageSpec


def wrong_calls(hooks: Hooks) -> None:
    """Not called, but checked: mypy reports an ignore comment that it does not need."""
    hooks.polaris_storages("argument")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    hooks.polaris_storage()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    _caches: Sequence[CacheSpec] = hooks.polaris_storages()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    _storages: Sequence[StorageSpec] = hooks.polaris_storages()


def test_each_kind_calls_its_own_hook() -> None:
    class Answers:
        def __getattr__(self, name: str) -> object:
            return lambda: name

    for kind in KINDS.values():
        assert kind.ask(Answers()) == kind.hook  # type: ignore[arg-type, comparison-overlap]
