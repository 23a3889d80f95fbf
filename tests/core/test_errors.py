"""The tree of errors is the one that is drawn; each carries what it is about, and copies and pickles whole."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import attrs
import pytest

from polaris_core import errors
from polaris_core.errors import (
    ConflictError,
    InvalidValueError,
    LimitExceededError,
    NodeNotFoundError,
    PluginLoadError,
    PolarisError,
    ToolError,
    ValidationError,
)

CLASSES = [getattr(errors, name) for name in errors.__all__]


def drawn() -> dict[str, tuple[str | None, tuple[str, ...], set[str]]]:
    """The tree of the docstring: each class with its parent, its standard bases and its attributes."""
    tree: dict[str, tuple[str | None, tuple[str, ...], set[str]]] = {}
    above: list[tuple[int, str]] = []
    for line in errors.__doc__.splitlines():
        found = re.match(r"^( {4}[│├└─ ]*)([A-Z]\w+Error)(?: \((\w+)\))?(.*)$", line)
        if found:
            depth = len(found[1])
            while above and above[-1][0] >= depth:
                above.pop()
            attributes = set(re.findall(r"(?<!\w)\.(\w+)", found[4]))
            tree[found[2]] = (above[-1][1] if above else None, (found[3],) if found[3] else (), attributes)
            above.append((depth, found[2]))
    return tree


DRAWN = drawn()


def example(cls: type[PolarisError]) -> PolarisError:
    """An error of a class with a value in every field."""
    values = {field.name: f"some {field.name}" for field in attrs.fields(cls) if field.name != "message"}
    return cls("what happened", **values)


def test_every_class_is_drawn_and_exported_and_nothing_else():
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException) and value.__module__ == errors.__name__
    }
    assert set(DRAWN) == defined == set(errors.__all__)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_class_stands_where_it_is_drawn(cls):
    parent, standard, _ = DRAWN[cls.__name__]
    bases = [base.__name__ for base in cls.__bases__]
    assert bases == [parent or "Exception", *standard]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_class_has_the_attributes_that_are_drawn(cls):
    own = {field.name for field in attrs.fields(cls) if not field.inherited} - {"message"}
    parent, _, attributes = DRAWN[cls.__name__]
    inherited = DRAWN[parent][2] if parent else set()
    assert own | inherited >= attributes
    assert own <= attributes | inherited


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_survives_copies_and_pickles_with_everything_it_carries(cls):
    error = example(cls)
    for other in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is cls
        assert attrs.asdict(other) == attrs.asdict(error)
        assert str(other) == str(error)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_an_error_says_what_it_is_for_in_a_docstring_and_reads_as_its_message(cls):
    assert cls.__doc__
    assert str(example(cls)).startswith("what happened")
    assert repr(example(cls)) == f"{cls.__name__}({str(example(cls))!r})"


def raised(error: BaseException, cause: BaseException | None = None) -> Any:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_a_fresh_error_has_no_traceback_of_another_caller_but_the_same_cause():
    cause = OSError("the disk")
    shared = raised(NodeNotFoundError("no node 'a'", key="a", near=("b",)), cause)
    fresh = shared.fresh()
    assert fresh is not shared
    assert (fresh.__traceback__, fresh.__context__, fresh.__cause__) == (None, None, cause)
    assert attrs.asdict(fresh) == attrs.asdict(shared)


def test_a_fresh_error_hides_what_its_caller_was_handling_only_where_the_shared_one_does():
    assert not ConflictError("changed", key="a").fresh().__suppress_context__
    assert raised(ConflictError("changed", key="a"), OSError("the disk")).fresh().__suppress_context__


def test_a_note_on_a_fresh_error_is_its_own():
    shared = ConflictError("changed", key="a")
    shared.add_note("of all")
    fresh = shared.fresh()
    fresh.add_note("of one")
    assert shared.__notes__ == ["of all"]


def test_a_path_a_hint_and_names_that_look_alike_are_part_of_the_sentence():
    assert str(InvalidValueError("no JSON", path=("a", 0))) == "no JSON (at ['a'][0])"
    assert str(InvalidValueError("no JSON")) == "no JSON"
    assert str(NodeNotFoundError("no node 'Ad'", key="Ad", near=("Ada", "Adam"))) == (
        "no node 'Ad'; did you mean 'Ada' or 'Adam'?"
    )
    assert str(ToolError("too many.", hint="Ask for fewer.")) == "too many. Ask for fewer."


def test_errors_are_caught_by_what_the_standard_library_calls_them():
    with pytest.raises(ValueError, match="wrong"):
        raise ValidationError("wrong")
    with pytest.raises(LookupError):
        raise NodeNotFoundError("none", key="a")


def test_an_error_is_told_what_it_is_about_by_name():
    with pytest.raises(TypeError):
        LimitExceededError("too many")
    error = LimitExceededError("too many", limit="page", size=2, maximum=1)
    assert (error.limit, error.size, error.maximum) == ("page", 2, 1)


def test_the_original_exception_is_the_cause_of_a_load_error():
    cause = SyntaxError("broken")
    assert raised(PluginLoadError("failed", plugin="x"), cause).__cause__ is cause
