"""The JSON form of models and mutations, by cattrs: what `--json`, tools and import files hold.

A mutation is an object with its class's name under `op`; a patch's `set` is a list of `[path, value]` pairs, because paths
are lists; an edge's key is `[source, type, target]`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast, get_args

import cattrs
import cattrs.v
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.strategies import configure_tagged_union

from polaris_core.errors import PolarisError, ValidationError
from polaris_core.model import Change, Cursor, Edge, EdgeKey, Key, Node, Observation, Patch
from polaris_core.mutations import MUTATIONS, Batch, Expect, Mutation
from polaris_core.outcomes import Result
from polaris_core.values import from_micros, thaw, to_micros

__all__ = ["make_converter", "structure"]

T = TypeVar("T")


def _time_from(value: Any, _type: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        raise ValidationError(f"a time is RFC 3339 text, not {type(value).__name__}")
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise ValidationError(f"not a time: {value[:64]!r}") from error


def _time_to(value: datetime) -> str:
    return from_micros(to_micros(value)).isoformat().replace("+00:00", "Z")


def _text_from(value: Any, _type: Any) -> str:
    if not isinstance(value, str):
        raise ValidationError(f"expected a string, not {type(value).__name__}")
    return value


def _bool_from(value: Any, _type: Any) -> bool:
    if not isinstance(value, bool):
        raise ValidationError(f"expected true or false, not {type(value).__name__}")
    return value


def _int_from(value: Any, _type: Any) -> int:
    if type(value) is not int:
        raise ValidationError(f"expected an integer, not {type(value).__name__}")
    return value


def _object_from(value: Any, _type: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValidationError(f"expected an object, not {type(value).__name__}")
    return value


def _list_from(value: Any) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):  # a string is a sequence too, and would be taken apart
        raise ValidationError(f"expected an array, not {type(value).__name__}")
    return value


def _some_from(value: Any) -> Sequence[Any]:
    return (value,) if isinstance(value, str) else _list_from(value)


def _key_from(value: Any, _type: Any) -> Key:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and len(value) == 3:
        return EdgeKey.of(*value)
    raise ValidationError("a key is a node's name or an edge's [source, type, target]")


def _observation_from(value: Any, _type: Any) -> Observation:
    if isinstance(value, str):
        return Observation(value)
    known = {"text", "source", "recorded_at"}
    if not isinstance(value, dict) or "text" not in value or not known.issuperset(value):
        raise ValidationError("an observation is a text, or an object of text, source and recorded_at")
    recorded_at = value.get("recorded_at")
    return Observation(
        value["text"], value.get("source"), None if recorded_at is None else _time_from(recorded_at, datetime)
    )


def _cursor_from(value: Any, _type: Any) -> Cursor:
    return Cursor.parse(_text_from(value, str))


def make_converter() -> cattrs.Converter:
    """Return the converter that knows every public model; unknown keys are refused."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(str, _text_from)
    converter.register_structure_hook(bool, _bool_from)
    converter.register_structure_hook(int, _int_from)
    converter.register_structure_hook(datetime, _time_from)
    converter.register_unstructure_hook(datetime, _time_to)
    converter.register_structure_hook(Observation, _observation_from)
    converter.register_structure_hook(Cursor, _cursor_from)
    converter.register_unstructure_hook(Cursor, str)
    converter.register_structure_hook(EdgeKey, _key_from)
    converter.register_unstructure_hook(EdgeKey, list)
    converter.register_structure_hook_func(lambda kind: kind == Key, _key_from)
    converter.register_unstructure_hook_func(lambda kind: kind == Key or kind == Key | None, _key_to)
    converter.register_structure_hook_func(lambda kind: kind == Mapping[str, Any], _object_from)
    converter.register_unstructure_hook_func(lambda kind: kind == Mapping[str, Any], thaw)
    converter.register_structure_hook(Patch, _patch_from)
    converter.register_unstructure_hook(Patch, lambda patch: _patch_to(converter, patch))
    for cls in (Node, Edge, Result, Change):
        _resolve(cls)
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[Observation, ...],
        lambda value, _type: tuple(_observation_from(item, Observation) for item in _some_from(value)),
    )
    for cls in (Node, Edge):  # what was stored comes with a provenance; what is to be stored has none
        converter.register_structure_hook(
            cls, make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True, provenance=override(omit=False))
        )
    converter.register_unstructure_hook(
        Change, make_dict_unstructure_fn(Change, converter, data=override(unstruct_hook=thaw))
    )
    for cls in (*MUTATIONS, *get_args(Expect), Batch):
        _resolve(cls)
    _tagged(converter, Mutation, "op")
    _tagged(converter, Expect, "expect")
    return converter


def _tagged(converter: cattrs.Converter, union: Any, tag: str) -> None:
    """Make a union's members objects with their class's name under `tag`, and say so when one is not."""
    members = {cls.__name__: cls for cls in get_args(union)}
    configure_tagged_union(union, converter, tag_name=tag)

    def member_from(value: Any, _type: Any) -> Any:
        name = value.get(tag) if isinstance(value, dict) else None
        if not isinstance(name, str) or name not in members:
            raise ValidationError(f"expected an object whose {tag!r} is one of {', '.join(members)}")
        return converter.structure({key: item for key, item in value.items() if key != tag}, members[name])

    def members_from(value: Any, type_: Any) -> tuple[Any, ...]:
        return cast("tuple[Any, ...]", everything(_list_from(value), type_))

    converter.register_structure_hook_func(lambda kind: kind == union, member_from)
    everything = converter.get_structure_hook(tuple[union, ...])
    converter.register_structure_hook_func(lambda kind: kind == tuple[union, ...], members_from)


def _resolve(cls: type) -> None:
    """Check early that a class's annotations can be resolved where cattrs will need them."""
    inspect.get_annotations(cls, eval_str=True)


def _key_to(key: Key | None) -> Any:
    return list(key) if isinstance(key, EdgeKey) else key


def _patch_to(converter: cattrs.Converter, patch: Patch) -> dict[str, Any]:
    return {
        "set": [[list(path), thaw(value)] for path, value in patch.set],
        "unset": [list(path) for path in patch.unset],
        "observe": [converter.unstructure(observation) for observation in patch.observe],
        "forget": list(patch.forget),
        "type": patch.type,
    }


def _patch_from(value: Any, _type: Any) -> Patch:
    if not isinstance(value, dict) or not {"set", "unset", "observe", "forget", "type"}.issuperset(value):
        raise ValidationError("a patch is an object of set, unset, observe, forget and type")
    assigned = value.get("set", {})
    pairs = assigned.items() if isinstance(assigned, dict) else assigned
    try:
        return Patch(
            set={tuple(path) if isinstance(path, list) else path: item for path, item in pairs},
            unset=[tuple(path) if isinstance(path, list) else path for path in _some_from(value.get("unset", ()))],
            observe=[_observation_from(item, Observation) for item in _some_from(value.get("observe", ()))],
            forget=_some_from(value.get("forget", ())),
            type=value.get("type"),
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, PolarisError):
            raise
        raise ValidationError(f"not a patch: {error}") from error


def _fault(error: BaseException, type_: type | None) -> str:
    if isinstance(error, PolarisError):
        return str(error)
    if isinstance(error, cattrs.ForbiddenExtraKeysError):  # the keys are a stranger's: shown short and escaped
        return f"unknown keys {', '.join(repr(key)[:80] for key in sorted(error.extra_fields, key=str)[:8])}"
    if isinstance(error, AttributeError):
        return "expected an object"
    return cattrs.v.format_exception(error, type_)


def structure(converter: cattrs.Converter, cls: type[T], value: Any) -> T:
    """Return `value` as a `cls`; raise `ValidationError` with one line a fault, each with its path."""
    try:
        return converter.structure(value, cls)
    except PolarisError:
        raise
    except (cattrs.BaseValidationError, cattrs.StructureHandlerNotFoundError) as error:
        faults = (
            cattrs.transform_error(error, path="$", format_exception=_fault)
            if isinstance(error, cattrs.BaseValidationError)
            else [str(error)]
        )
        raise ValidationError("; ".join(faults[:8])) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValidationError(f"not a {getattr(cls, '__name__', cls)}: {_fault(error, None)}") from error
