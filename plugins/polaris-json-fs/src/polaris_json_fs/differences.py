"""Edits by hand as mutations: what would have made of the lines that were written the lines that are there now.

A line is known again by its id; one without an id, or with one that is not there yet, is a new record. Revisions, times and
versions are the core's business, so what somebody does to them is not taken over. The names beside the ends of an edge say
which nodes are meant where they differ from what was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import count
from typing import Any, NamedTuple

import orjson

from polaris_core import (
    CreateEdge,
    CreateNode,
    DeleteEdge,
    DeleteMeta,
    DeleteNode,
    EditConflictError,
    Mutation,
    Observation,
    Patch,
    PatchNode,
    PolarisError,
    PutEdge,
    PutNode,
    RenameNode,
    SetMeta,
    parse_json,
)
from polaris_json_fs.layout import META
from polaris_json_fs.lines import split_lines

__all__ = ["Edit", "differences"]


_PROVENANCE = frozenset({"author", "created_at", "updated_at", "version"})
_FIELDS = {
    "nodes": frozenset({"id", "name", "type", "revision", "body"}),
    "edges": frozenset({"id", "source", "type", "target", "source_id", "target_id", "revision", "body"}),
    META: frozenset({"key", "revision", "body"}),
}
_IN_BODY = {"nodes": _PROVENANCE | {"attributes", "observations"}, "edges": _PROVENANCE | {"attributes"}}
_IN_OBSERVATION = frozenset({"text", "source", "recorded_at"})


class Edit(NamedTuple):
    """A mutation, and the file and line that asks for it."""

    where: str
    mutation: Mutation


class _Line(NamedTuple):
    where: str
    fields: dict[str, Any]

    @property
    def body(self) -> Any:
        return self.fields.get("body", {})

    @property
    def attributes(self) -> Any:
        return self.body.get("attributes", {})

    @property
    def observations(self) -> dict[str, Observation]:
        found = [_observation(item) for item in self.body.get("observations", ())]
        return {observation.text: observation for observation in found}

    @property
    def ends(self) -> tuple[str, str, str]:
        return self.fields["source"], self.fields["type"], self.fields["target"]


def _observation(item: Any) -> Observation:
    if isinstance(item, str):
        return Observation(item)
    time = item.get("recorded_at")
    return Observation(item["text"], item.get("source"), None if time is None else datetime.fromisoformat(time))


def _check_fields(kind: str, fields: dict[str, Any]) -> None:
    """Raise `ValueError` for a field that nobody would take in: it would be gone when the file is written again."""
    _only(fields, _FIELDS[kind], f"a line of {kind}")
    if kind in _IN_BODY:
        body = fields.get("body", {})
        _only(body, _IN_BODY[kind], "a body, whose attributes stand under 'attributes'")
        for item in body.get("observations", ()):
            if not isinstance(item, str):
                _only(item, _IN_OBSERVATION, "an observation")


def _only(fields: Any, known: frozenset[str], what: str) -> None:
    if not isinstance(fields, dict):
        raise TypeError(f"{what} is a JSON object")
    for name in fields:
        if name not in known:
            raise ValueError(f"there is no {name!r} in {what}")


def _same(one: Any, other: Any) -> bool:
    return orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(other, option=orjson.OPT_SORT_KEYS)


class _Lines:
    """The lines of all files of one kind that were touched."""

    def __init__(self, files: Mapping[str, bytes], kind: str, key: str, location: str) -> None:
        self.known: dict[Any, _Line] = {}
        self.new: list[_Line] = []
        for path, data in files.items():
            if path.partition("/")[0] != kind:
                continue
            for number, text in zip(count(1), split_lines(data), strict=False):
                line = _Line(f"{path}:{number}", {})
                with _told(location, line.where):
                    fields = parse_json(text)
                    if not isinstance(fields, dict):
                        raise TypeError("it is no JSON object")
                    _check_fields(kind, fields)
                    line = line._replace(fields=fields)
                    if fields.get(key) is None:
                        self.new.append(line)
                    elif fields[key] in self.known:
                        raise ValueError(f"the {key} {fields[key]!r} stands in {self.known[fields[key]].where} already")
                    else:
                        self.known[fields[key]] = line


class _told:  # noqa: N801 - it is used like a function
    """Raises what goes wrong with a line as an error that names it."""

    def __init__(self, location: str, where: str) -> None:
        self._location, self._where = location, where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, ValueError | KeyError | TypeError | AttributeError | PolarisError):
            what = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be taken in: {error}"
            raise EditConflictError(
                f"{self._location}: {self._where} {what}; correct the line, or bring back what it held",
                location=self._location,
                where=self._where,
            ) from error


def differences(before: Mapping[str, bytes], after: Mapping[str, bytes], location: str) -> list[Edit]:
    """Return what to do to a graph whose files were `before` so that they say what they say in `after`.

    Both map paths to contents, of the files that were touched. Raises `EditConflictError` with file and line.
    """

    def both(kind: str, key: str) -> tuple[_Lines, _Lines]:
        return _Lines(before, kind, key, location), _Lines(after, kind, key, location)

    edits = _node_edits(*both("nodes", "id"), location)
    names = {edit.mutation.name: edit.mutation.to for edit in edits if isinstance(edit.mutation, RenameNode)}
    gone, rest = _edge_edits(*both("edges", "id"), names, location)
    return [*gone, *_renamed_apart(edits), *rest, *_meta_edits(*both(META, "key"), location)]


def _node_edits(before: _Lines, after: _Lines, location: str) -> list[Edit]:
    gone: list[Edit] = []
    renamed: list[Edit] = []
    rest: list[Edit] = []
    for id, old in before.known.items():
        if id not in after.known:
            gone.append(Edit(old.where, DeleteNode(old.fields["name"], detach=True)))
    for id, new in [*after.known.items(), *((None, line) for line in after.new)]:
        with _told(location, new.where):
            old_line = before.known.get(id)
            name, type = new.fields["name"], new.fields.get("type", "node")
            if old_line is None:
                told = tuple(new.observations.values())
                rest.append(Edit(new.where, CreateNode(name, type, new.attributes, told)))
                continue
            if name != old_line.fields["name"]:
                renamed.append(Edit(new.where, RenameNode(old_line.fields["name"], name)))
            if type != old_line.fields["type"] or not _same(new.attributes, old_line.attributes):
                rest.append(Edit(new.where, PutNode(name, type, new.attributes)))
            had, has = old_line.observations, new.observations
            forget = [text for text in had if has.get(text) != had[text]]
            observe = [observation for text, observation in has.items() if had.get(text) != observation]
            if forget:
                rest.append(Edit(new.where, PatchNode(name, Patch(forget=forget))))
            if observe:
                rest.append(Edit(new.where, PatchNode(name, Patch(observe=observe))))
    return [*gone, *renamed, *rest]


def _renamed_apart(edits: list[Edit]) -> Iterator[Edit]:
    """Return the edits, with renames that wait for each other's names taking a step aside."""
    renames = {edit.mutation.name: edit for edit in edits if isinstance(edit.mutation, RenameNode)}
    waiting = {edit.mutation.to for edit in renames.values() if isinstance(edit.mutation, RenameNode)} & renames.keys()
    aside = {name: f"{number} {name}"[:100] for number, name in enumerate(sorted(waiting))}
    for name, other in aside.items():
        yield Edit(renames[name].where, RenameNode(name, other))
    for edit in edits:
        if isinstance(edit.mutation, RenameNode) and edit.mutation.name in aside:
            yield edit._replace(mutation=RenameNode(aside[edit.mutation.name], edit.mutation.to))
        else:
            yield edit


def _edge_edits(
    before: _Lines, after: _Lines, names: Mapping[str, str], location: str
) -> tuple[list[Edit], list[Edit]]:
    gone: list[Edit] = []
    rest: list[Edit] = []
    for id, old in before.known.items():
        if id not in after.known:
            gone.append(Edit(old.where, DeleteEdge(*old.ends, missing_ok=True)))
    for id, new in [*after.known.items(), *((None, line) for line in after.new)]:
        with _told(location, new.where):
            old_line = before.known.get(id)
            source, type, target = new.ends
            if old_line is None:
                rest.append(Edit(new.where, CreateEdge(source, type, target, new.attributes)))
                continue
            was = old_line.ends
            now = tuple(
                names.get(old, old) if end in (old, names.get(old)) else end
                for end, old in ((source, was[0]), (target, was[2]))
            )
            if (now[0], type, now[1]) != (names.get(was[0], was[0]), was[1], names.get(was[2], was[2])):
                gone.append(Edit(new.where, DeleteEdge(*was)))
                rest.append(Edit(new.where, CreateEdge(now[0], type, now[1], new.attributes)))
            elif not _same(new.attributes, old_line.attributes):
                rest.append(Edit(new.where, PutEdge(now[0], type, now[1], new.attributes)))
    return gone, rest


def _meta_edits(before: _Lines, after: _Lines, location: str) -> Iterator[Edit]:
    for key, old in before.known.items():
        if key not in after.known:
            yield Edit(old.where, DeleteMeta(key))
    for line in after.new:
        with _told(location, line.where):
            raise KeyError("key")
    for key, new in after.known.items():
        with _told(location, new.where):
            old_line = before.known.get(key)
            if old_line is None or not _same(old_line.body, new.body):
                yield Edit(new.where, SetMeta(key, new.fields["body"]))
