"""The kit that certifies a storage backend: all its laws in one class, which notices when one of them is weakened."""

from __future__ import annotations

import functools
import inspect
from types import FunctionType
from typing import Any, TypeGuard
from weakref import WeakSet

import pytest

from polaris_core.testing.laws.answers import AnswerLaws
from polaris_core.testing.laws.backups import BackupLaws
from polaris_core.testing.laws.callers import CallerLaws
from polaris_core.testing.laws.claims import ClaimLaws
from polaris_core.testing.laws.commits import CommitLaws
from polaris_core.testing.laws.graphs import GraphLaws
from polaris_core.testing.laws.history import HistoryLaws
from polaris_core.testing.laws.keys import KeyLaws
from polaris_core.testing.laws.links import LinkLaws
from polaris_core.testing.laws.loads import LoadLaws
from polaris_core.testing.laws.model import ModelLaws
from polaris_core.testing.laws.opening import OpeningLaws
from polaris_core.testing.laws.processes import ProcessLaws
from polaris_core.testing.laws.records import RecordLaws
from polaris_core.testing.laws.stamps import StampLaws
from polaris_core.testing.laws.states import StateLaws
from polaris_core.testing.laws.subject import Subject
from polaris_core.testing.skipping import SkipWatch

__all__ = ["PARAMETERS", "StorageConformance"]

PARAMETERS = ("url", "open", "opener", "file", "capabilities", "persistent", "shared", "examples")
"""What a third party's class may say; everything else of the kit is the kit's."""

_WEAKENING = frozenset({"skip", "skipif", "xfail"})


class StorageConformance(
    RecordLaws,
    LinkLaws,
    KeyLaws,
    CommitLaws,
    StateLaws,
    HistoryLaws,
    StampLaws,
    CallerLaws,
    OpeningLaws,
    ProcessLaws,
    GraphLaws,
    ClaimLaws,
    BackupLaws,
    LoadLaws,
    AnswerLaws,
    ModelLaws,
    Subject,
):
    """All laws of a storage. Derive a class from it, say how its stores are opened, and let pytest collect it.

    ::

        class TestPocket(StorageConformance):
            url = "pocket:///{folder}/notes.pocket"
            shared = False

    The parameters are those of `Subject`. A law is a method; a class that overrides one is refused with `TypeError` where it
    is defined. The only way to live with a law that a backend does not keep yet says so and why::

            @pytest.mark.xfail(reason="the server sorts by its own locale until release 3")
            def test_names_come_in_the_order_of_their_code_points(self) -> None: ...

    What runs then is the law as it stands in the kit, whatever the body here. A law that is skipped by anybody but the kit, or
    expected to fail by anything but such a mark, has failed.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_weakening_marks(cls)
        if cls.examples < Subject.examples:
            raise TypeError(
                f"{cls.__name__}.examples is {cls.examples}; fewer than {Subject.examples} would weaken laws"
            )
        for name in _overridden(cls):
            setattr(cls, name, _expected_to_fail(cls, name))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Refuse what was done to the laws since the class was made: pytest asks here for each test it collects."""
        cls, name = type(self), metafunc.definition.originalname
        _refuse_weakening_marks(cls)
        if name in _LAWS:
            if weakened := _weakened(cls):
                raise TypeError(f"{cls.__name__} weakens laws: {', '.join(weakened)}")
            for node, mark in metafunc.definition.iter_markers_with_node():
                if mark.name in _WEAKENING and node is not metafunc.definition:
                    raise TypeError(_weakens_every_law(node.name, {mark.name}))
        plugins = metafunc.config.pluginmanager
        if not plugins.has_plugin(__name__):
            plugins.register(SkipWatch(_is_law), __name__)

    def test_no_law_is_weakened(self) -> None:  # noqa: D102 - its name states it
        weakened = _weakened(type(self))
        assert not weakened, ", ".join(weakened)


_LAWS = {
    name: (law, tuple(getattr(law, "pytestmark", ())))
    for name, law in inspect.getmembers(StorageConformance, inspect.isfunction)
    if name.startswith("test_")
}
"""Every law as it was written, and its marks."""
_OWN = frozenset(name for klass in StorageConformance.__mro__[:-1] for name in vars(klass)) - set(PARAMETERS)
_MARKED: WeakSet[FunctionType] = WeakSet()
"""The laws to which a class gave a mark."""


def _is_law(item: pytest.Item) -> bool:
    return (
        isinstance(item, pytest.Function)
        and item.cls is not None
        and issubclass(item.cls, StorageConformance)
        and item.originalname in _LAWS
    )


def _weakened(cls: type[StorageConformance]) -> list[str]:
    """Return what was done to the laws behind the back of `__init_subclass__`."""
    found = []
    for name, (law, marks) in _LAWS.items():
        held = getattr(cls, name, None)
        if held is not law and not (_is_marked(held) and held.__wrapped__ is law):
            found.append(f"{name} was replaced")
        elif not all(_says_why(mark) for mark in getattr(held, "pytestmark", ()) if mark not in marks):
            found.append(f"{name} was marked")
        elif not getattr(held, "__test__", True):
            found.append(f"{name} was hidden")
    return found


def _is_marked(value: object) -> TypeGuard[Any]:
    return isinstance(value, FunctionType) and value in _MARKED


def _says_why(mark: pytest.Mark) -> bool:
    reason = mark.kwargs.get("reason")
    return mark.name == "xfail" and isinstance(reason, str) and bool(reason.strip())


def _overridden(cls: type[StorageConformance]) -> list[str]:
    """Return the kit's names that a class, or a class it derives from, defines again, and that are not its to define."""
    found = []
    for klass in cls.__mro__:
        if klass in StorageConformance.__mro__:
            continue
        for name, value in vars(klass).items():
            if name in _OWN and not name.startswith("__") and not _is_marked(value):
                found.append(name)
    return found


def _refuse_weakening_marks(cls: type[StorageConformance]) -> None:
    said = [vars(klass).get("pytestmark", []) for klass in cls.__mro__]
    marks = [mark for some in said for mark in (some if isinstance(some, list) else [some])]
    named = {mark.name for mark in marks} & _WEAKENING
    if named:
        raise TypeError(_weakens_every_law(cls.__name__, named))


def _weakens_every_law(marked: str, names: set[str]) -> str:
    return (
        f"{marked} is marked {', '.join(sorted(names))}, which would weaken every law; "
        "mark the laws that do not hold yet, each with xfail and its reason"
    )


def _expected_to_fail(cls: type[StorageConformance], name: str) -> FunctionType:
    """Return a law of the kit with the mark that a class gave it; any other override raises `TypeError`."""
    if name not in _LAWS or name == StorageConformance.test_no_law_is_weakened.__name__:
        raise TypeError(f"{cls.__name__}.{name} is the kit's own; a class gives {', '.join(PARAMETERS)}")
    override = getattr(cls, name)
    marks = list(getattr(override, "pytestmark", []))
    if len(marks) != 1 or not _says_why(marks[0]):
        raise TypeError(
            f"{cls.__name__}.{name} overrides a law of the kit; a law that this backend does not keep yet is marked "
            '@pytest.mark.xfail(reason="...") and nothing else'
        )
    law, own = _LAWS[name]

    @functools.wraps(law)
    def marked(self: StorageConformance, *arguments: Any, **named: Any) -> None:
        law(self, *arguments, **named)

    marked.pytestmark = [*own, *marks]  # type: ignore[attr-defined]
    assert isinstance(marked, FunctionType)
    _MARKED.add(marked)
    return marked
