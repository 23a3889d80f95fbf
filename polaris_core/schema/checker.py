"""The schema of a type, compiled: does a value fit, and if not, where and what was expected there?

The verdict and the words are those of jsonschema. Where jsonschema-rs is installed it is asked first, and what it finds to
fit is done with; it does so in a fraction of the time.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any, Literal

import orjson

from polaris_core.errors import EdgeEndsError, LimitExceededError, SchemaViolationError
from polaris_core.model import EdgeKey, Key
from polaris_core.schema.accepted import accept, lists_numbers
from polaris_core.schema.definition import TypeSchema, stored_schema
from polaris_core.schema.reference import Fault, Reference
from polaris_core.schema.work import Work
from polaris_core.values import thaw

__all__ = ["Checker", "checker_of"]

_MOST_FAULTS = 100
_MAX_MESSAGE = 400
_QUICKER = 8
"""So many times, at the least, is jsonschema-rs quicker, unless it compares with lists of numbers."""


def fast_validator(schema: dict[str, Any]) -> Any:
    """Return a validator of jsonschema-rs; None where it is not installed."""
    try:
        fast = import_module("jsonschema_rs")
    except ImportError:
        return None
    return fast.Draft202012Validator(schema, validate_formats=False)


class Checker:
    """Says what fits the schema of one type."""

    def __init__(self, schema: TypeSchema) -> None:
        self.schema = schema
        self.joins: bool = schema.sources is not None or schema.targets is not None
        self._plain: dict[str, Any] = thaw(schema.schema)
        self._weight = accept(self._plain)
        self._fast: Any = fast_validator(self._plain)
        self._quicker = 1 if lists_numbers(self._plain) else _QUICKER

    @cached_property
    def _reference(self) -> Reference:
        return Reference(self._plain)

    def fits(self, value: Any, work: int) -> bool:
        """Return whether a value can be looked at with so much work, and fits."""
        return self._weight * _size(value) <= work and (self._is_quickly_fine(value) or self._reference.is_valid(value))

    def check(self, value: Any, key: Key, work: Work) -> None:
        """Return when what stands under a key, or the data of an event of a type, fits.

        Raises `SchemaViolationError` where it does not, and `LimitExceededError` where to tell would take more than `work`
        allows for one record, or has left for all: the number of its values times that of the subschemas that may look at one,
        of which a part counts for all where jsonschema-rs finds it to fit.
        """
        size = self._weight * _size(value)
        if size > work.each:
            raise LimitExceededError(
                f"schema_work is limited to {work.each}, to hold {self._shown(key)} against its schema needs {size}: "
                "make the record smaller, or the schema simpler",
                limit="schema_work",
                size=size,
                maximum=work.each,
            )
        if not self._plain:
            return
        if self._fast is not None:
            quick = size // self._quicker
            work.spend(quick)
            if self._is_quickly_fine(value):
                return
            size -= quick
        work.spend(size)
        fault = self._reference.fault(value, _MOST_FAULTS)
        if fault is not None:
            self._refuse(fault, key)

    def allows(self, source: str, target: str) -> bool:
        """Return whether an edge may join nodes of these types."""
        sources, targets = self.schema.sources, self.schema.targets
        return (sources is None or source in sources) and (targets is None or target in targets)

    def check_ends(self, key: EdgeKey, source: str, target: str) -> None:
        """Return when an edge may join nodes of these types; raises `EdgeEndsError` where it may not."""
        ends = (
            ("source", source, self.schema.sources, key.source),
            ("target", target, self.schema.targets, key.target),
        )
        for end, type_, allowed, name in ends:
            if allowed is not None and type_ not in allowed:
                raise EdgeEndsError(
                    f"{self._shown(key)} cannot be: its {end} {name!r} is of type {type_!r}, and the schema of "
                    f"{self.schema.type!r} allows {' or '.join(map(repr, allowed))}",
                    key=key,
                    path=(end,),
                    expected=allowed,
                )

    def check_type(self, name: str, type: str, end: Literal["source", "target"]) -> None:
        """Return when a node that is an end of such an edge may be of a type; raises `EdgeEndsError` where it may not."""
        allowed = self.schema.sources if end == "source" else self.schema.targets
        if allowed is not None and type not in allowed:
            raise EdgeEndsError(
                f"the node {name!r} cannot be of type {type!r}: it is the {end} of an edge {self.schema.type!r}, whose schema "
                f"allows {' or '.join(map(repr, allowed))}",
                key=name,
                path=("type",),
                expected=allowed,
            )

    def _is_quickly_fine(self, value: Any) -> bool:
        if not self._plain:
            return True
        return self._fast is not None and self._fast.is_valid(orjson.loads(orjson.dumps(value)))

    def _refuse(self, fault: Fault, key: Key) -> None:
        where = "".join(f"[{step!r}]" for step in fault.path)
        message = f"{where}: {fault.message}" if where else fault.message
        raise SchemaViolationError(
            f"{self._shown(key)} does not fit the schema of its type"
            f"{f' {self.schema.type!r}' if self.schema.kind != 'event' else ''}, version {self.schema.version}: "
            f"{message[:_MAX_MESSAGE]}",
            key=key,
            path=fault.path,
            expected=fault.expected,
        )

    def _shown(self, key: Key) -> str:
        return f"the {self.schema.kind} {str(key) if isinstance(key, EdgeKey) else repr(key)}"


@lru_cache(maxsize=1_000)  # as many as a graph has, unless its limits say otherwise
def checker_of(key: str, body: str) -> Checker:
    """Return what checks against the schema that a record beside the graph holds; raises `StoreDamagedError` if it is none."""
    return Checker(stored_schema(key, 0, body))


def _size(value: Any) -> int:
    """Return how many values stand in a value, itself counted."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return 1
    size = 1
    for child in value:
        size += _size(child) if isinstance(child, (dict, list)) else 1
    return size
