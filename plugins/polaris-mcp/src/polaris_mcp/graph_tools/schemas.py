"""Pieces of the JSON Schemas of the tools. Every object is closed but the attributes, whose keys are the caller's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "ATTRIBUTES",
    "COUNT",
    "CURSOR",
    "DIRECTION",
    "EDGE_TYPE",
    "FILTER",
    "IF_EXISTS",
    "MOST",
    "NAME",
    "NAMES",
    "NEXT",
    "NODE",
    "NODE_IN_SHORT",
    "NODE_TYPE",
    "ORDER",
    "TEXTS",
    "answer",
    "closed",
    "limit",
    "some",
]

MOST = 100
"""Items in one call."""

Piece = Mapping[str, Any]

COUNT: Piece = {"type": "integer", "minimum": 0}
NAME: Piece = {"type": "string", "minLength": 1, "maxLength": 1024}
NODE_TYPE: Piece = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    "description": "What kind of thing it is, such as person or project.",
}
EDGE_TYPE: Piece = {
    "type": "string",
    "minLength": 1,
    "maxLength": 256,
    "description": "The relation as a verb, read from source to target, such as works_at.",
}
ATTRIBUTES: Piece = {"type": "object", "description": "Facts with a key: any JSON values."}
TEXTS: Piece = {
    "type": "array",
    "items": {"type": "string", "minLength": 1},
    "minItems": 1,
    "maxItems": MOST,
    "description": "One fact in one sentence each.",
}
DIRECTION: Piece = {"type": "string", "enum": ["out", "in", "both"], "default": "both"}
IF_EXISTS: Piece = {
    "type": "string",
    "enum": ["error", "skip"],
    "default": "error",
    "description": "What to do about those that exist: refuse the whole call, or leave them as they are.",
}
CURSOR: Piece = {
    "type": "string",
    "maxLength": 4096,
    "description": "The `next` of the page before, for the one after.",
}
NEXT: Piece = {"type": "string", "description": "There is more: call again with this as `cursor`, all else the same."}
_OPERATORS: Piece = {
    "type": "object",
    "properties": {
        "$eq": {"description": "Equal, in type too."},
        "$ne": {"description": "Not equal, or not there."},
        **{operator: {"type": ["number", "string"]} for operator in ("$gt", "$gte", "$lt", "$lte")},
        "$in": {"type": "array", "maxItems": 1000, "description": "Equal to one of these."},
        "$nin": {"type": "array", "maxItems": 1000},
        "$exists": {"type": "boolean"},
        "$contains": {"description": "An array with this element, or a string with this string in it."},
        "$startsWith": {"type": "string"},
        "$not": {"type": "object", "description": "An object of operators that do not all hold."},
    },
    "additionalProperties": False,
    "minProperties": 1,
}
_FILTERS: Piece = {"type": "array", "items": {"type": "object"}, "maxItems": 256}
FILTER: Piece = {
    "type": "object",
    "description": (
        'Paths and what stands there: {"born": 1815}, {"born": {"$gte": 1800, "$lt": 1900}}, {"home.city": "London"}. '
        "Attributes go by their keys, parts of the node by name, type, observations, provenance.created_at. "
        "All conditions hold together; $and, $or and $not combine filters."
    ),
    "properties": {
        "$and": _FILTERS,
        "$or": _FILTERS,
        "$not": {"type": "object"},
        "$text": {"type": "string", "minLength": 1, "maxLength": 1000},
    },
    "additionalProperties": {
        "anyOf": [
            {"type": ["string", "number", "boolean", "null"]},
            {"type": "array", "maxItems": 1000},
            _OPERATORS,
        ]
    },
}
"""The JSON form of filters, one level of it: what is nested is checked, with its place, when the filter is read."""
ORDER: Piece = {
    "type": "string",
    "minLength": 1,
    "maxLength": 4000,
    "description": "A path to order by, such as name or born; -born is the other way round. Else by creation.",
}
NAMES: Piece = {"type": "array", "items": {"type": "string"}}
NODE_IN_SHORT: Piece = {"type": "object", "required": ["name", "type"]}
"""Where a node is only a part of the answer: that of get_nodes says what else it may hold."""
NODE: Piece = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "type": {"type": "string"},
        "attributes": {"type": "object"},
        "attribute_keys": {**NAMES, "description": "Attributes too large for this answer; get_nodes has them."},
        "observations": {"type": "array", "items": {"type": ["string", "object"]}},
        "more_observations": {**COUNT, "description": "How many are left out here; get_nodes has them."},
    },
    "required": ["name", "type"],
}


def closed(properties: Mapping[str, Piece], required: Sequence[str] = ()) -> Piece:
    """Return the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def some(items: Piece, description: str) -> Piece:
    """Return the schema of a bounded array with something in it."""
    return {"type": "array", "items": items, "minItems": 1, "maxItems": MOST, "description": description}


def limit(default: int) -> Piece:
    """Return the schema of how many a page may hold."""
    return {"type": "integer", "minimum": 1, "maximum": MOST, "default": default}


def answer(properties: Mapping[str, Piece], required: Sequence[str]) -> Piece:
    """Return the schema of an answer; later releases may say more."""
    return {"type": "object", "properties": dict(properties), "required": list(required)}
