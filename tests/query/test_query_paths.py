"""Paths: text for a place in a record, that reads back as it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polaris_core import Field, InvalidValueError
from polaris_core.query import field_of

KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("born", Field("attributes", ("born",))),
        ("attributes.born", Field("attributes", ("born",))),
        ("address.city", Field("attributes", ("address", "city"))),
        ('attributes."a.b".c', Field("attributes", ("a.b", "c"))),
        ('"a.b"', Field("attributes", ("a.b",))),
        (r'"say \"hi\"".x', Field("attributes", ('say "hi"', "x"))),
        ('"$ref"', Field("attributes", ("$ref",))),
        ('x.""', Field("attributes", ("x", ""))),
        ("first name", Field("attributes", ("first name",))),
        ("0", Field("attributes", ("0",))),
        ("name", Field("name")),
        ("type", Field("type")),
        ("observations", Field("observations")),
        ("source", Field("source")),
        ("attributes", Field("attributes")),
        ("attributes.name", Field("attributes", ("name",))),
        ("attributes.attributes", Field("attributes", ("attributes",))),
        ("provenance.created_at", Field("provenance.created_at")),
    ],
)
def test_a_path_is_the_way_to_a_place_in_a_record(text: str, field: Field) -> None:
    assert field_of(text) == field
    assert field_of(str(field)) == field


@pytest.mark.parametrize(
    "wrong",
    [
        "", ".", "a.", ".a", "a..b", "$gt", "a.$b", '"a', '"a"b', '"a".', 'a"b', '"\\q"', "name.x", "provenance",
        "provenance.x", "provenance.author.x", "x" * 4001, ".".join("a" * 65), '"\ud800"', "\x00", '"\\u0000"',
        '"\\ud800"', None, 3, b"a", ["a"], (), (1,), ("a",) * 65, ".".join(["attributes"] * 66), ("x" * 4001,), ('"' * 2000,),
    ],
)  # fmt: skip
def test_what_is_no_path_is_refused(wrong: object) -> None:
    with pytest.raises(InvalidValueError):
        field_of(wrong)


@pytest.mark.parametrize("keys", [("name",) * 64, ("attributes",) * 64, ("x" * 4000,), ('"' * 1999,), ("",) * 64])
def test_the_longest_paths_have_a_text_too(keys: tuple[str, ...]) -> None:
    assert field_of(str(field_of(keys))) == Field("attributes", keys)


@given(st.lists(KEYS, min_size=1, max_size=5).map(tuple))
def test_a_tuple_of_keys_leads_into_the_attributes_and_its_text_says_the_same(keys: tuple[str, ...]) -> None:
    field = field_of(keys)
    assert field == Field("attributes", keys)
    assert field_of(str(field)) == field
