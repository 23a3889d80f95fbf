"""Records of parts that were checked before are those that the doors make, as frozen and as whole."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from polaris_core import Batch, CreateNode, Cursor, Edge, EdgeKey, Node, Observation, Provenance
from polaris_core.model import unchecked_edge, unchecked_node, unchecked_observation, unchecked_provenance
from polaris_core.mutations import unchecked_batch
from polaris_core.outcomes import Commit, Result, unchecked_commit, unchecked_result
from polaris_core.values import freeze_object

TIME = datetime(1843, 9, 1, tzinfo=UTC)
ATTRIBUTES = freeze_object({"born": 1815, "of": ["London"]})
OBSERVATION = Observation("Wrote the first program.", "Note G", TIME)
PROVENANCE = Provenance(2, 7, TIME, TIME, "me")
KEY = EdgeKey("Ada", "wrote", "Note G")
CREATE = CreateNode("Ada")
CURSOR = Cursor("store", "epoch", 7)
RESULT = Result("created", "Ada", 1, 7, None)

MADE: list[tuple[Any, Any]] = [
    (unchecked_observation("Wrote the first program.", "Note G", TIME), OBSERVATION),
    (unchecked_provenance(2, 7, TIME, TIME, "me"), PROVENANCE),
    (
        unchecked_node("Ada", "person", ATTRIBUTES, (OBSERVATION,), PROVENANCE),
        Node("Ada", "person", ATTRIBUTES, [OBSERVATION], PROVENANCE),
    ),
    (unchecked_edge(*KEY, ATTRIBUTES, PROVENANCE), Edge(*KEY, ATTRIBUTES, PROVENANCE)),
    (unchecked_batch((CREATE,), (), None, "me"), Batch(CREATE, author="me")),
    (unchecked_result("created", "Ada", 1, 7, None), RESULT),
    (unchecked_commit(7, 7, TIME, (RESULT,), CURSOR), Commit(7, 7, TIME, (RESULT,), CURSOR)),
]
each_of_them = pytest.mark.parametrize(("made", "checked"), MADE, ids=[type(checked).__name__ for _, checked in MADE])


@each_of_them
def test_what_is_made_unchecked_is_what_a_door_makes(made: Any, checked: Any) -> None:
    assert type(made) is type(checked)
    assert attrs.asdict(made, recurse=False) == attrs.asdict(checked, recurse=False)  # which reads every field
    assert made == checked
    assert repr(made) == repr(checked)
    assert copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == checked


@each_of_them
def test_what_is_made_unchecked_is_frozen(made: Any, checked: Any) -> None:
    for field in attrs.fields(type(checked)):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(made, field.name, None)


def test_what_is_not_given_all_its_parts_is_found_out() -> None:
    make: Any = unchecked_provenance
    with pytest.raises(TypeError):
        make(1)
