"""The format `debian`: what a Packages file means as a graph, and what is no Packages file."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polaris_formats import relations, stanzas
from polaris_formats.debian import read
from polaris_formats.plugin import polaris_formats

from polaris_core import Loss, UpsertEdge, UpsertNode, ValidationError
from polaris_core.abc import Losses

if TYPE_CHECKING:
    from collections.abc import Sequence

PACKAGE = """\
Package: editor
Version: 1:2.3-4
Installed-Size: 120
Architecture: amd64
Maintainer: Ada Lovelace <ada@example.org>
Depends: libc (>= 2.34), libc (<< 3), terminal:any | console-terminal (>= 1)
Pre-Depends: dpkg
Recommends: spell
Suggests: printer
Provides: text-editor (= 2)
Description: edits texts
 It edits them well.
 .
 Very well.
Section: editors
Priority: optional
Homepage: https://example.org/
MD5sum: 00000000000000000000000000000000

Package: libc
Version: 2.36
Description: the library
"""


def parse(text: str | bytes) -> list[Any]:
    return list(read(io.BytesIO(text.encode() if isinstance(text, str) else text), Losses("a graph", "error")))


def found(text: str, cls: type) -> list[Any]:
    return [mutation for mutation in parse(text) if isinstance(mutation, cls)]


def test_a_stanza_is_a_node_with_its_facts_and_the_short_description() -> None:
    editor = found(PACKAGE, UpsertNode)[0]
    assert (editor.name, editor.type) == ("editor", "package")
    assert editor.attributes == {
        "version": "1:2.3-4",
        "architecture": "amd64",
        "section": "editors",
        "priority": "optional",
        "installed_size": 120,
        "maintainer": "Ada Lovelace <ada@example.org>",
        "homepage": "https://example.org/",
    }
    assert [(item.text, item.source) for item in editor.observations] == [("edits texts", "package description")]


def test_what_is_named_and_has_no_stanza_is_a_virtual_package() -> None:
    types = {node.name: node.type for node in found(PACKAGE, UpsertNode)}
    assert types.pop("editor") == types.pop("libc") == "package"
    assert set(types) == {"terminal", "console-terminal", "dpkg", "spell", "text-editor"}
    assert set(types.values()) == {"virtual-package"}


def test_relations_are_edges_with_constraints_alternatives_and_architectures() -> None:
    edges = {(edge.type, edge.target): edge.attributes for edge in found(PACKAGE, UpsertEdge)}
    group = "terminal:any | console-terminal (>= 1)"
    assert edges == {
        ("depends", "libc"): {"constraints": [">= 2.34", "<< 3"]},
        ("depends", "terminal"): {"alternatives": [group], "architecture": "any"},
        ("depends", "console-terminal"): {"alternatives": [group], "constraints": [">= 1"]},
        ("pre-depends", "dpkg"): {},
        ("recommends", "spell"): {},
        ("provides", "text-editor"): {"constraints": ["= 2"]},
    }


def test_nodes_come_before_edges_even_when_they_stand_after_them_in_the_file() -> None:
    kinds = [type(mutation) for mutation in parse(PACKAGE)]
    assert kinds == sorted(kinds, key=[UpsertNode, UpsertEdge].index)


def test_of_a_package_in_several_versions_the_first_is_kept_and_the_others_are_counted() -> None:
    text = "Package: a\nVersion: 3\nDepends: b\n\n" + "".join(
        f"Package: a\nVersion: {n}\nDepends: c\n\n" for n in (2, 1)
    )
    losses = Losses("a graph")
    assert list(read(io.BytesIO(text.encode()), losses)) == [
        UpsertNode("a", "package", {"version": "3"}),
        UpsertNode("b", "virtual-package"),
        UpsertEdge("a", "depends", "b"),
    ]
    assert losses.counted() == (Loss("node", "other versions", 1),)


def test_field_names_have_no_case_and_a_comma_at_the_end_says_nothing() -> None:
    (edge,) = found("PACKAGE: a\nDEPENDS: b,\n", UpsertEdge)
    assert (edge.source, edge.target) == ("a", "b")


def test_carriage_returns_empty_lines_and_a_missing_last_line_end_do_no_harm() -> None:
    nodes = found("\n\r\n\nPackage: a\r\nVersion: 1\r\n \t\nPackage: b", UpsertNode)
    assert [(node.name, node.attributes) for node in nodes] == [("a", {"version": "1"}), ("b", {})]


def test_a_package_may_depend_on_itself() -> None:
    (edge,) = found("Package: a\nProvides: a (= 1)\n", UpsertEdge)
    assert (edge.source, edge.target) == ("a", "a")


def test_nothing_is_nothing() -> None:
    assert parse("") == parse("\n\n") == []


MALFORMED: Sequence[tuple[str, str | bytes, int]] = [
    ("no field", "Package: a\nnonsense\n", 2),
    ("a continuation of nothing", " continued\n", 1),
    ("no package", "Package: a\n\nVersion: 1\n", 3),
    ("an empty package", "Package:\n", 1),
    ("a field twice", "Package: a\npackage: b\n", 2),
    ("not UTF-8", b"Package: a\nMaintainer: \xff\n", 2),
    ("a path", "Package: ../../etc/passwd\n", 1),
    ("a name with an escape", "Package: a\x1b[31m\n", 1),
    ("a name with U+0000", "Package: a\0b\n", 1),
    ("a name of 256 bytes", f"Package: {'a' * 256}\n", 1),
    ("a name in full width", "Package: \uff41\uff41\n", 1),
    ("a size that is none", "Package: a\nInstalled-Size: many\n", 1),
    ("a size of 5,000 digits", f"Package: a\nInstalled-Size: {'1' * 5_000}\n", 1),
    ("a size in other digits", "Package: a\nInstalled-Size: \u0661\n", 1),
    ("a relation to nothing", "Package: a\nDepends: (>= 1)\n", 1),
    ("an operator that is none", "Package: a\nDepends: b (~> 1)\n", 1),
    ("a parenthesis that is open", "Package: a\nDepends: b (>= 1\n", 1),
    ("5,000 parentheses", f"Package: a\nDepends: b {'(' * 5_000}\n", 1),
    ("an empty alternative", "Package: a\nDepends: b | | c\n", 1),
    ("too many alternatives", f"Package: a\nDepends: {' | '.join(['b'] * 101)}\n", 1),
    ("alternatives without end", f"Package: a\nDepends: {'b' * 255} | {'c ' * 8_000}\n", 1),
    ("a description with U+0000", "Package: a\nDescription: b\0c\n", 1),
    ("a YAML tag", "!!python/object/apply:os.system ['true']\n", 1),
    ("a line without end", b"Package: a\nX: " + b"x" * stanzas.MAX_LINE_BYTES + b"\n", 2),
    ("a stanza without end", "Package: a\n" + f" {'x' * 100_000}\n" * 11, 12),
    ("relations without end", f"Package: a\nDepends: {','.join(['b'] * (relations.MAX_RELATIONS + 1))}\n", 1),
]


@pytest.mark.parametrize(("text", "line"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_what_is_no_packages_file_is_refused_with_its_line(text: str | bytes, line: int) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(text)
    assert str(caught.value).startswith(f"line {line}: ")
    assert len(str(caught.value)) < 500


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_they_are_read_or_refused(data: bytes) -> None:
    with suppress(ValidationError):
        parse(b"Package: a\n" + data)


@given(st.text("ab:|,()<>=~ \t\n1", max_size=60))
def test_whatever_the_relations_are_they_are_read_or_refused(field: str) -> None:
    try:
        read_back = relations.relations(field)
    except ValidationError:
        return
    assert all(relations.NAME.fullmatch(name) for name in read_back)


def test_it_is_offered_for_reading_only() -> None:
    (specification,) = [spec for spec in polaris_formats() if spec.name == "debian"]
    assert specification.name == "debian"
    assert specification.write is None
    assert specification.read is not None
    assert list(specification.read(io.BytesIO(b"Package: a\n"), Losses("a graph"))) == [UpsertNode("a", "package")]
