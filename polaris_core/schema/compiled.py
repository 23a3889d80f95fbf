"""JSON Schemas compiled once: what does not satisfy one is refused with the path and what was expected there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polaris_core.errors import SchemaViolationError, ValidationError

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["Schema"]

_MAX_MESSAGE = 400


class Schema:
    """A JSON Schema of draft 2020-12, compiled. References outside the schema itself are refused."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises `ValidationError` for what is not a schema."""
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError
        from referencing import Registry

        document = dict(schema)
        try:
            Draft202012Validator.check_schema(document)
        except SchemaError as error:
            raise ValidationError(f"not a JSON Schema: {error.message[:_MAX_MESSAGE]}") from error
        self._validator: Validator = Draft202012Validator(document, registry=Registry())

    def check(self, value: Any) -> None:
        """Return when a value satisfies the schema; raise `SchemaViolationError` where it does not."""
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        try:
            fault = best_match(self._validator.iter_errors(value))
        except Unresolvable as error:
            raise ValidationError(f"a schema refers to what it does not hold: {error}") from error
        if fault is not None:
            path = tuple(fault.absolute_path)
            where = "".join(f"[{step!r}]" for step in path)
            message = f"{where}: {fault.message}" if where else fault.message
            raise SchemaViolationError(message[:_MAX_MESSAGE], path=path, expected=fault.validator_value)
