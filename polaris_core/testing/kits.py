"""What makes a class of laws a kit: it notices when a class that is derived from it weakens one of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from types import FunctionType
from typing import Any, ClassVar, TypeGuard
from weakref import WeakSet

import pytest

from polaris_core.testing.skipping import SkipWatch

__all__ = ["Kit"]

_WEAKENING = frozenset({"skip", "skipif", "xfail"})
_MARKED: WeakSet[FunctionType] = WeakSet()
"""The laws to which a class gave a mark."""


class Kit:
    """The base of a kit, which is made with `parameters`: the names that a third party's class may define.

    A law is a method whose name begins with `test_`. A class that overrides one is refused with `TypeError` where it is
    defined, unless all it does is to mark it with xfail and a reason; what runs then is the law as it stands in the kit.
    """

    _kit: ClassVar[type[Kit]]
    _parameters: ClassVar[tuple[str, ...]]
    _laws: ClassVar[dict[str, tuple[FunctionType, tuple[pytest.Mark, ...]]]]
    """Every law as it was written, and its marks."""

    def __init_subclass__(cls, parameters: Sequence[str] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if parameters is not None:
            if hasattr(cls, "_kit"):
                raise TypeError(f"{cls.__name__} derives from a kit, which says by itself what its parameters are")
            cls._kit, cls._parameters = cls, tuple(parameters)
            cls._laws = {
                name: (law, tuple(getattr(law, "pytestmark", ())))
                for name, law in inspect.getmembers(cls, inspect.isfunction)
                if name.startswith("test_")
            }
        elif hasattr(cls, "_kit"):
            _refuse_weakening_marks(cls)
            for name in _overridden(cls):
                setattr(cls, name, _expected_to_fail(cls, name))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Refuse what was done to the laws since the class was made: pytest asks here for each test it collects."""
        cls, name = type(self), metafunc.definition.originalname
        _refuse_weakening_marks(cls)
        if name in cls._laws:
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


def _is_law(item: pytest.Item) -> bool:
    return (
        isinstance(item, pytest.Function)
        and item.cls is not None
        and issubclass(item.cls, Kit)
        and item.originalname in item.cls._laws  # noqa: SLF001 - this module's own class
    )


def _weakened(cls: type[Kit]) -> list[str]:
    """Return what was done to the laws behind the back of `__init_subclass__`."""
    found = []
    for name, (law, marks) in cls._kit._laws.items():  # noqa: SLF001 - this module's own class
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


def _overridden(cls: type[Kit]) -> list[str]:
    """Return the kit's names that a class, or a class it derives from, defines again, and that are not its to define."""
    kit = cls._kit
    own = {name for klass in kit.__mro__[:-1] for name in vars(klass)} - set(kit._parameters)  # noqa: SLF001
    return [
        name
        for klass in cls.__mro__
        if klass not in kit.__mro__
        for name, value in vars(klass).items()
        if name in own and not name.startswith("__") and not _is_marked(value)
    ]


def _refuse_weakening_marks(cls: type[Kit]) -> None:
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


def _expected_to_fail(cls: type[Kit], name: str) -> FunctionType:
    """Return a law of the kit with the mark that a class gave it; any other override raises `TypeError`."""
    if name not in cls._laws or name == Kit.test_no_law_is_weakened.__name__:
        raise TypeError(f"{cls.__name__}.{name} is the kit's own; a class gives {', '.join(cls._parameters)}")
    override = getattr(cls, name)
    marks = list(getattr(override, "pytestmark", []))
    if len(marks) != 1 or not _says_why(marks[0]):
        raise TypeError(
            f"{cls.__name__}.{name} overrides a law of the kit; a law that does not hold yet is marked "
            '@pytest.mark.xfail(reason="...") and nothing else'
        )
    law, own = cls._laws[name]

    @functools.wraps(law)
    def marked(self: Kit, *arguments: Any, **named: Any) -> None:
        law(self, *arguments, **named)

    marked.pytestmark = [*own, *marks]  # type: ignore[attr-defined]
    assert isinstance(marked, FunctionType)
    _MARKED.add(marked)
    return marked
