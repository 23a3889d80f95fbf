"""The kit that certifies a storage backend: all its laws in one class, which notices when one of them is weakened."""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any

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

    What runs then is the law as it stands in the kit, whatever the body here.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _refuse_weakening_marks(cls)
        for name in _overridden(cls):
            setattr(cls, name, _expected_to_fail(cls, name))

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Refuse marks that were put on the class after it was made, as a decorator does: pytest asks for each law."""
        _refuse_weakening_marks(metafunc.cls or type(self))

    def test_no_law_is_weakened(self) -> None:  # noqa: D102 - its name states it
        for name in _LAWS:
            law = getattr(type(self), name)
            assert getattr(law, "__wrapped__", law) is getattr(StorageConformance, name), f"{name} was replaced"
            marks = {mark.name for mark in getattr(law, "pytestmark", ())}
            assert not marks & {"skip", "skipif"}, f"{name} was marked to be skipped"


_LAWS = tuple(name for name in dir(StorageConformance) if name.startswith("test_"))
_OWN = frozenset(name for klass in StorageConformance.__mro__[:-1] for name in vars(klass)) - set(PARAMETERS)


def _overridden(cls: type[StorageConformance]) -> list[str]:
    """Return the kit's names that a class, or a class it derives from, defines again, and that are not its to define."""
    found = []
    for klass in cls.__mro__:
        if klass in StorageConformance.__mro__:
            continue
        for name, value in vars(klass).items():
            if name in _OWN and not name.startswith("__") and not hasattr(value, "__law__"):
                found.append(name)
    return found


def _refuse_weakening_marks(cls: type[StorageConformance]) -> None:
    said = [vars(klass).get("pytestmark", []) for klass in cls.__mro__]
    marks = [mark for some in said for mark in (some if isinstance(some, list) else [some])]
    named = {mark.name for mark in marks} & _WEAKENING
    if named:
        raise TypeError(
            f"{cls.__name__} is marked {', '.join(sorted(named))}, which would weaken every law; "
            "mark the laws that do not hold yet, each with xfail and its reason"
        )


def _expected_to_fail(cls: type[StorageConformance], name: str) -> FunctionType:
    """Return a law of the kit with the mark that a class gave it; any other override raises `TypeError`."""
    if name not in _LAWS:
        raise TypeError(f"{cls.__name__}.{name} is the kit's own; a class gives {', '.join(PARAMETERS)}")
    override = getattr(cls, name)
    marks = list(getattr(override, "pytestmark", []))
    if len(marks) != 1 or marks[0].name != "xfail" or not marks[0].kwargs.get("reason"):
        raise TypeError(
            f"{cls.__name__}.{name} overrides a law of the kit; a law that this backend does not keep yet is marked "
            '@pytest.mark.xfail(reason="...") and nothing else'
        )
    law = getattr(StorageConformance, name)

    @functools.wraps(law)
    def marked(self: StorageConformance, *arguments: Any, **named: Any) -> None:
        law(self, *arguments, **named)

    marked.pytestmark = [*getattr(law, "pytestmark", []), *marks]  # type: ignore[attr-defined]
    marked.__law__ = True  # type: ignore[attr-defined]
    assert isinstance(marked, FunctionType)
    return marked
